//! Answers that do not arrive as they were given ([`HttpAction`]).

use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use futures::{StreamExt, stream};
use http::{HeaderValue, header};
use http_body_util::BodyExt;
use serde_json::Value;

use crate::fault::HttpAction;

/// A body that trickles does so in as many pieces.
const PIECES: u32 = 20;

/// Between the half that comes and the end of the connection.
const BREAK: Duration = Duration::from_millis(20);

/// The connection breaks in the middle of a body.
#[derive(Debug, thiserror::Error)]
#[error("the body is cut off by a fault")]
struct CutOff;

/// `duration` is that of a slow body as long as this run lets it take. Streams of events are left alone: they have no end.
pub(super) async fn mangle(response: Response, action: &HttpAction, duration: Duration) -> Response {
    let is_stream = response
        .headers()
        .get(header::CONTENT_TYPE)
        .is_some_and(|kind| kind == "text/event-stream");
    if is_stream {
        return response;
    }
    let (mut parts, body) = response.into_parts();
    // Bodies of this service are in memory.
    let Ok(body) = body.collect().await else {
        return Response::from_parts(parts, Body::empty());
    };
    let body = body.to_bytes();
    let (whole, body) = match action {
        HttpAction::SlowBody { .. } => (body.len(), trickle(body, duration)),
        HttpAction::TruncatedBody => (body.len(), cut(&body)),
        HttpAction::InvalidJson => {
            let half = body.slice(..body.len() / 2);
            (half.len(), Body::from(half))
        }
        HttpAction::WrongValue { pointer, value } => {
            let body = with_value(&body, pointer, value).unwrap_or(body);
            (body.len(), Body::from(body))
        }
        _ => (body.len(), Body::from(body)),
    };
    // What is promised is what would have come.
    parts.headers.insert(header::CONTENT_LENGTH, HeaderValue::from(whole));
    Response::from_parts(parts, body)
}

fn trickle(body: Bytes, duration: Duration) -> Body {
    let size = body.len().div_ceil(PIECES as usize).max(1);
    let pause = duration / PIECES;
    Body::from_stream(stream::unfold(body, move |mut rest| async move {
        if rest.is_empty() {
            return None;
        }
        tokio::time::sleep(pause).await;
        let piece = rest.split_to(size.min(rest.len()));
        Some((Ok::<_, CutOff>(piece), rest))
    }))
}

fn cut(body: &Bytes) -> Body {
    let half = body.slice(..body.len() / 2);
    let end = stream::once(async {
        // Else the connection would be closed before anything is on its way.
        tokio::time::sleep(BREAK).await;
        Err(CutOff)
    });
    Body::from_stream(stream::once(async { Ok(half) }).chain(end))
}

fn with_value(body: &[u8], pointer: &str, value: &Value) -> Option<Bytes> {
    let mut document: Value = serde_json::from_slice(body).ok()?;
    *document.pointer_mut(pointer)? = value.clone();
    serde_json::to_vec(&document).ok().map(Bytes::from)
}
