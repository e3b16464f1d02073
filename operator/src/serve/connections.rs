//! Connections, bounded in number and in the time they may take to say what they want: whoever opens many, or keeps them, does not use up
//! the operator's memory and descriptors.

use std::sync::Arc;
use std::time::Duration;

use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

/// A client that has not said which request it makes by then, its first or its next, is not one.
const GREETING: Duration = Duration::from_secs(10);
/// Out of file descriptors, most likely: connections get a moment to end.
const ACCEPT_AGAIN: Duration = Duration::from_millis(50);

/// What a client passes first.
#[derive(Clone)]
pub(super) enum Door {
    Open,
    Tls(TlsAcceptor),
}

/// Serves whoever comes until `stop`; requests under way are answered. Beyond `most` at the same time, connections wait to be accepted.
pub(super) async fn accept(
    name: &'static str,
    listener: TcpListener,
    door: Door,
    most: usize,
    router: axum::Router,
    stop: CancellationToken,
) {
    let service = TowerToHyperService::new(router);
    let (graceful, room) = (GracefulShutdown::new(), Arc::new(Semaphore::new(most)));
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            biased;
            () = stop.cancelled() => break,
            Some(_) = connections.join_next(), if !connections.is_empty() => continue,
            accepted = next(&listener, &room) => accepted,
        };
        match accepted {
            Ok((stream, permit)) => {
                let connection = connection(stream, door.clone(), service.clone(), graceful.watcher());
                connections.spawn(async move {
                    connection.await;
                    drop(permit);
                });
            }
            Err(error) => {
                tracing::warn!(server = name, %error, "cannot accept a connection");
                tokio::time::sleep(ACCEPT_AGAIN).await;
            }
        }
    }
    graceful.shutdown().await;
    connections.shutdown().await;
}

async fn next(listener: &TcpListener, room: &Arc<Semaphore>) -> std::io::Result<(TcpStream, OwnedSemaphorePermit)> {
    let permit = room.clone().acquire_owned().await.map_err(std::io::Error::other)?;
    let (stream, _) = listener.accept().await?;
    Ok((stream, permit))
}

async fn connection(stream: TcpStream, door: Door, service: TowerToHyperService<axum::Router>, watcher: Watcher) {
    let acceptor = match door {
        Door::Open => return serve(stream, service, watcher).await,
        Door::Tls(acceptor) => acceptor,
    };
    match tokio::time::timeout(GREETING, acceptor.accept(stream)).await {
        Ok(Ok(stream)) => serve(stream, service, watcher).await,
        Ok(Err(error)) => tracing::debug!(%error, "TLS handshake failed"),
        Err(_) => tracing::debug!("TLS handshake took too long"),
    }
}

async fn serve<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(
    stream: S,
    service: TowerToHyperService<axum::Router>,
    watcher: Watcher,
) {
    let mut server = auto::Builder::new(TokioExecutor::new());
    server.http1().timer(TokioTimer::new()).header_read_timeout(GREETING);
    server.http2().timer(TokioTimer::new());
    let served = watcher.watch(server.serve_connection(TokioIo::new(stream), service).into_owned());
    if let Err(error) = served.await {
        tracing::debug!(%error, "connection ended early");
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::time::timeout;

    use super::*;

    const SOON: Duration = Duration::from_secs(5);
    const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nhost: operator\r\n\r\n";

    #[tokio::test]
    async fn who_keeps_connections_keeps_others_out_only_for_a_while() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = axum::Router::new().fallback(async || "here");
        let stop = CancellationToken::new();
        let mut tasks = JoinSet::new();
        tasks.spawn(accept("test", listener, Door::Open, 2, router, stop.clone()));
        let mut answers = Vec::new();
        let mut kept = Vec::new();
        for _ in 0..2 {
            let mut stream = TcpStream::connect(address).await.unwrap();
            stream.write_all(REQUEST).await.unwrap();
            let mut answer = [0; 1024];
            let length = timeout(SOON, stream.read(&mut answer)).await.unwrap().unwrap();
            answers.push(String::from_utf8_lossy(&answer[..length]).into_owned());
            kept.push(stream);
        }
        assert!(answers.iter().all(|answer| answer.ends_with("here")), "{answers:?}");

        let mut third = TcpStream::connect(address).await.unwrap();
        third.write_all(REQUEST).await.unwrap();
        let mut byte = [0; 1];
        let waited = timeout(Duration::from_secs(1), third.read(&mut byte)).await;
        assert!(waited.is_err(), "there is no room for a third one yet");
        // The server closes what is not used, and there is room again.
        assert_eq!(
            timeout(GREETING + SOON, third.read(&mut byte)).await.unwrap().unwrap(),
            1
        );
        for stream in &mut kept {
            assert_eq!(timeout(SOON, stream.read(&mut byte)).await.unwrap().unwrap(), 0);
        }
        stop.cancel();
        timeout(SOON, async { while tasks.join_next().await.is_some() {} })
            .await
            .unwrap();
    }
}
