//! Server-sent events (DSP0266 §12.6): a stream is a subscription that lives as long as its connection.

use std::convert::Infallible;

use axum::body::Body;
use bytes::Bytes;
use http::{Method, StatusCode};
use serde_json::Value;
use tokio::sync::mpsc;

use super::call::{Content, Reply};
use super::context::{Answer, Context};
use super::message::{self, Message};
use super::negotiation;
use super::subscriptions::Subscription;

pub(super) const URI: &str = "/redfish/v1/EventService/SSE";

/// Events that wait for a reader; one that is further behind loses its stream.
const BACKLOG: usize = 256;

/// The end of a stream at which the BMC writes.
#[derive(Clone, Debug)]
pub(super) struct EventStream {
    sender: mpsc::Sender<Bytes>,
    /// The session that has opened it, and that it does not outlive.
    pub session: Option<String>,
}

impl EventStream {
    /// Whether the reader is still there, and has kept up.
    pub(super) fn send(&self, id: u64, event: &Value) -> bool {
        let text = format!("id: {id}\ndata: {event}\n\n");
        self.sender.try_send(Bytes::from(text)).is_ok()
    }

    pub(super) fn is_closed(&self) -> bool {
        self.sender.is_closed()
    }
}

/// The other end, which becomes the body of the answer.
pub(super) fn body(events: mpsc::Receiver<Bytes>) -> Body {
    Body::from_stream(futures::stream::unfold(events, |mut events| async {
        let event = events.recv().await?;
        Some((Ok::<_, Infallible>(event), events))
    }))
}

pub(super) fn open(cx: &mut Context<'_>) -> Answer {
    if cx.call.method != Method::GET {
        return cx.not_allowed("GET");
    }
    // Before anybody is subscribed.
    negotiation::check_accept(cx)?;
    let (sender, receiver) = mpsc::channel(BACKLOG);
    let stream = EventStream {
        sender,
        session: cx.caller.as_ref().and_then(|caller| caller.session.clone()),
    };
    let subscription = Subscription::of_stream(stream);
    if cx.machine.redfish.subscriptions.add(subscription).is_none() {
        let message = Message::new(&message::CREATE_LIMIT_REACHED, []);
        return Err(cx.error(StatusCode::SERVICE_UNAVAILABLE, message));
    }
    let mut reply = Reply::new(StatusCode::OK);
    reply.body = Some(Content::Events(receiver));
    Ok(reply)
}
