//! The SSH face on sockets: one for each BMC whose fleet file gives it a port.

use std::net::SocketAddr;
use std::sync::Arc;

use russh::server::{Auth, ChannelOpenHandle, Config, Handler, Msg, Session, run_stream};
use russh::{Channel, ChannelId, MethodKind, MethodSet};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::{ServeError, ServeOptions, ip_of, sockets};
use crate::bmc::Bmc;
use crate::fleet::Fleet;

/// Serves every BMC that has an SSH port until `stop`.
pub(super) fn serve(
    fleet: &Fleet,
    options: ServeOptions,
    stop: &CancellationToken,
    tasks: &mut JoinSet<()>,
) -> Result<(), ServeError> {
    for bmc in fleet.own_bmcs() {
        let Some(port) = bmc.endpoint().ssh_port else {
            continue;
        };
        let listener = sockets::bind(SocketAddr::new(ip_of(&bmc)?, port), options)?;
        let key = bmc.ssh_private_key().map_err(|error| ServeError::SshKey {
            machine: bmc.name().to_owned(),
            message: error.to_string(),
        })?;
        let config = Arc::new(Config {
            methods: MethodSet::from(&[MethodKind::Password][..]),
            keys: vec![key],
            ..Config::default()
        });
        tasks.spawn(accept(bmc, config, listener, stop.clone()));
    }
    Ok(())
}

async fn accept(bmc: Bmc, config: Arc<Config>, listener: TcpListener, stop: CancellationToken) {
    let mut connections = JoinSet::new();
    loop {
        let stream = tokio::select! {
            biased;
            () = stop.cancelled() => return,
            Some(_) = connections.join_next() => continue,
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => stream,
                Err(_) => continue,
            },
        };
        // Dropped: as if nobody listened.
        if !bmc.ssh_answers() {
            continue;
        }
        let (config, shell) = (config.clone(), Shell { bmc: bmc.clone() });
        connections.spawn(async move {
            if let Ok(session) = run_stream(config, stream, shell).await
                && let Err(error) = session.await
            {
                tracing::debug!(%error, "an SSH session ended");
            }
        });
    }
}

/// One connection.
struct Shell {
    bmc: Bmc,
}

impl Handler for Shell {
    type Error = russh::Error;

    async fn auth_password(&mut self, user: &str, password: &str) -> Result<Auth, Self::Error> {
        Ok(if self.bmc.ssh_log_in(user, password) {
            Auth::Accept
        } else {
            Auth::reject()
        })
    }

    async fn channel_open_session(
        &mut self,
        _: Channel<Msg>,
        reply: ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), Self::Error> {
        reply.accept().await;
        Ok(())
    }

    async fn exec_request(
        &mut self,
        channel: ChannelId,
        data: &[u8],
        session: &mut Session,
    ) -> Result<(), Self::Error> {
        let output = self.bmc.ssh_run(&String::from_utf8_lossy(data));
        session.channel_success(channel)?;
        session.data(channel, output.text.into_bytes())?;
        session.exit_status_request(channel, output.status)?;
        session.eof(channel)?;
        session.close(channel)
    }
}
