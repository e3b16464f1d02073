//! Watches: streams of changes that the client polls (kube-semantics §1.8).

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use futures::stream;
use http::StatusCode;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep_until};

use super::accept::{IncludeObject, Rendering};
use super::create::from_storage;
use super::field_error::FieldError;
use super::read::Selectors;
use super::status::ApiError;
use super::{Answer, Call, render};
use crate::front_end::{Feed, FrontEnd, Standing};
use crate::resource::Resource;
use crate::store::{Change, CommitEvent, Stored, WatchFrom, watch_line};

/// Default length of a watch. The real server draws 30 to 60 minutes; the lower end keeps runs comparable.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(30 * 60);
/// Bookmarks come about this often,
const BOOKMARK_PERIOD: Duration = Duration::from_secs(60);
/// and this long before the end of the watch.
const LAST_BOOKMARK: Duration = Duration::from_secs(2);

pub(super) fn start(call: &mut Call, resource: &Arc<Resource>, namespace: Option<&str>) -> Result<Answer, ApiError> {
    let selectors = Selectors::parse(call, resource)?;
    let rendering = call.rendering()?;
    let bookmarks = call.query.flag("allowWatchBookmarks") && call.query.get("allowWatchBookmarks").is_some();
    let initial_events = initial_events(call)?;
    let revision = match call.query.get("resourceVersion") {
        None | Some("0") => None,
        Some(text) => Some(
            text.parse::<u64>()
                .map_err(|_| ApiError::internal(super::read::not_a_revision(text)))?,
        ),
    };
    let timeout = match call.query.number("timeoutSeconds")? {
        Some(seconds) if seconds > 0 => Duration::from_secs(seconds.unsigned_abs()),
        _ => DEFAULT_TIMEOUT,
    };
    let now = Instant::now();
    let deadline = now + timeout;
    let name = selectors.fields.name().map(str::to_owned);
    let (front_end, store) = (&call.front_end, call.emulator.store());
    let cached = front_end.cached(resource);
    let from = if initial_events.unwrap_or(revision.is_none()) {
        cached.map_or(WatchFrom::Now, WatchFrom::Past)
    } else {
        WatchFrom::After(revision.or(cached).unwrap_or_else(|| store.revision()))
    };
    let started = store.watch(&resource.storage, namespace, name.as_deref(), from);
    let started = match started {
        Ok(started) => started,
        Err(expired) => return Ok(expired_watch(expired.oldest, revision.unwrap_or(0))),
    };
    let feed = Feed::new(front_end, resource, started.changes);
    if let WatchFrom::After(revision) = from
        && revision < front_end.oldest()
    {
        return Ok(expired_watch(front_end.oldest(), revision));
    }
    let mut watch = Watch {
        front_end: front_end.clone(),
        resource: resource.clone(),
        selectors,
        rendering,
        feed,
        bookmarks,
        next_bookmark: next_bookmark(now, deadline),
        deadline,
        columns_sent: false,
        pending: VecDeque::new(),
        initial_end: None,
        ended: false,
        sent: started.revision,
    };
    let mut pending = VecDeque::new();
    for stored in &started.initial {
        if watch.selectors.matches(resource, stored.value()) {
            let line = watch.encode(CommitEvent::Added, stored);
            pending.push_back(line);
        }
    }
    watch.pending = pending;
    if initial_events == Some(true) && bookmarks {
        watch.initial_end = cached.map(|_| match call.query.get("resourceVersion") {
            Some(_) => revision.unwrap_or(0),
            None => call.emulator.store().revision(),
        });
        if watch.initial_end.is_none_or(|wanted| wanted <= started.revision) {
            watch.end_initial_events(started.revision);
        }
    }
    let lines = stream::unfold(watch, |mut watch| async move {
        watch.next().await.map(|line| (Ok::<_, Infallible>(line), watch))
    });
    let body = Body::from_stream(lines);
    Ok(Answer::Ready(render::response(
        StatusCode::OK,
        "application/json",
        body,
    )))
}

/// Trap T1: 200, one ERROR event, end.
fn expired_watch(oldest: u64, asked: u64) -> Answer {
    let body = Body::from(expired_line(oldest, asked));
    Answer::Ready(render::response(StatusCode::OK, "application/json", body))
}

fn expired_line(oldest: u64, asked: u64) -> Bytes {
    let error = ApiError::expired(oldest, asked);
    watch_line("ERROR", error.body().to_string().as_bytes())
}

/// `sendInitialEvents` and what must go with it.
fn initial_events(call: &Call) -> Result<Option<bool>, ApiError> {
    let matching = call.query.get("resourceVersionMatch");
    let error = |error: FieldError| Err(ApiError::invalid_options("ListOptions", &[error]));
    let Some(wanted) = call.query.get("sendInitialEvents") else {
        if matching.is_some() {
            return error(FieldError::forbidden(
                "resourceVersionMatch",
                "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided",
            ));
        }
        return Ok(None);
    };
    match matching {
        Some("NotOlderThan") => Ok(Some(matches!(wanted, "true" | "1"))),
        Some(other) => {
            let unfit = "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan";
            Err(ApiError::invalid_options(
                "ListOptions",
                &[
                    FieldError::forbidden("resourceVersionMatch", unfit),
                    FieldError::not_supported("resourceVersionMatch", &json!(other), ["NotOlderThan"]),
                ],
            ))
        }
        None => error(FieldError::forbidden(
            "resourceVersionMatch",
            "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan",
        )),
    }
}

/// The next bookmark: a period from now, but at the latest shortly before the end.
fn next_bookmark(now: Instant, deadline: Instant) -> Instant {
    let last = deadline.checked_sub(LAST_BOOKMARK).unwrap_or(deadline);
    let next = now + BOOKMARK_PERIOD;
    if now < last && next > last { last } else { next }
}

struct Watch {
    front_end: FrontEnd,
    resource: Arc<Resource>,
    selectors: Selectors,
    rendering: Rendering,
    feed: Feed,
    bookmarks: bool,
    next_bookmark: Instant,
    deadline: Instant,
    columns_sent: bool,
    /// Lines that are ready.
    pending: VecDeque<Bytes>,
    /// The client waits for the mark after the initial events: due once the cache has this revision.
    initial_end: Option<u64>,
    /// After the pending lines there will be none.
    ended: bool,
    /// The client has everything up to this revision: bookmarks never name an older one.
    sent: u64,
}

impl Watch {
    /// The next line, `None` at the end.
    async fn next(&mut self) -> Option<Bytes> {
        loop {
            if self.feed.standing() == Standing::Cut {
                return None;
            }
            if let Some(line) = self.pending.pop_front() {
                return Some(line);
            }
            if self.ended {
                return None;
            }
            let initial_end = self.initial_end;
            let change = tokio::select! {
                biased;
                change = self.feed.next() => change,
                () = sleep_until(self.deadline) => return None,
                () = self.front_end.reached(&self.resource, initial_end.unwrap_or(0)), if initial_end.is_some() && !self.feed.is_silent() => {
                    self.queue_bookmark(true);
                    continue;
                }
                () = sleep_until(self.next_bookmark), if self.bookmarks => {
                    self.queue_bookmark(false);
                    self.next_bookmark = next_bookmark(self.next_bookmark, self.deadline);
                    continue;
                }
            };
            match change {
                Some(change) => self.queue(&change),
                None if self.expire() => {}
                // The table is gone: its definition was deleted.
                None => return None,
            }
        }
    }

    fn queue(&mut self, change: &Change) {
        if self.expire() {
            return;
        }
        self.sent = change.revision();
        if let Some(line) = self.line(change) {
            self.pending.push_back(line);
        }
    }

    /// Tells the client, instead of its next event, that the history it follows is not known any more.
    fn expire(&mut self) -> bool {
        if !self.ended && self.feed.standing() == Standing::Expired {
            self.ended = true;
            self.pending.push_back(expired_line(self.front_end.oldest(), self.sent));
        }
        self.ended
    }

    /// A bookmark promises that everything up to its revision was sent, so the revision is read before the queue is
    /// found empty.
    fn queue_bookmark(&mut self, initial_end: bool) {
        if self.feed.is_silent() {
            return;
        }
        let cached = self.front_end.cached(&self.resource);
        let revision = cached.unwrap_or_else(|| self.front_end.emulator().store().revision());
        while let Some(change) = self.feed.try_next() {
            self.queue(&change);
        }
        if self.expire() {
            return;
        }
        let revision = self.feed.delivered(revision);
        if initial_end {
            self.end_initial_events(revision.max(self.sent));
        } else if revision >= self.sent {
            let line = self.bookmark(revision, false);
            self.pending.push_back(line);
        }
    }

    fn end_initial_events(&mut self, revision: u64) {
        self.initial_end = None;
        let line = self.bookmark(revision, true);
        self.pending.push_back(line);
    }

    /// What this watcher sees of a change: objects that leave the selection are deleted for it (trap T9).
    fn line(&mut self, change: &Change) -> Option<Bytes> {
        if self.selectors.is_everything() {
            return Some(match self.rendering {
                Rendering::Plain if self.resource.is_verbatim() => change.line(),
                _ => self.encode(change.event, &change.object),
            });
        }
        let matches = |stored: &Arc<Stored>| self.selectors.matches(&self.resource, stored.value());
        let before = change.previous.as_ref().filter(|previous| matches(previous)).cloned();
        let now = change.event != CommitEvent::Deleted && matches(&change.object);
        match (before, now) {
            (None, false) => None,
            (None, true) => Some(self.encode(CommitEvent::Added, &change.object)),
            (Some(_), true) => Some(self.encode(CommitEvent::Modified, &change.object)),
            (Some(_), false) if change.event == CommitEvent::Deleted => {
                Some(self.encode(CommitEvent::Deleted, &change.object))
            }
            (Some(previous), false) => {
                let mut value = previous.value().clone();
                super::metadata::of(&mut value)
                    .insert("resourceVersion".to_owned(), json!(change.revision().to_string()));
                let left = Arc::new(Stored::new(CommitEvent::Deleted, value, change.revision()));
                Some(self.encode(CommitEvent::Deleted, &left))
            }
        }
    }

    fn encode(&mut self, event: CommitEvent, stored: &Arc<Stored>) -> Bytes {
        let object = match self.rendering {
            Rendering::Plain => return watch_line(event.watch_type(), &render::plain(&self.resource, stored)),
            Rendering::Table(include) => self.table(stored, include),
            Rendering::PartialMetadata => render::partial(stored),
        };
        watch_line(event.watch_type(), object.to_string().as_bytes())
    }

    fn table(&mut self, stored: &Stored, include: IncludeObject) -> Value {
        let with_columns = !self.columns_sent;
        self.columns_sent = true;
        let rows = vec![render::row_at(
            self.front_end.emulator().now(),
            &self.resource,
            stored,
            include,
        )];
        render::table(&self.resource, rows, stored.revision, with_columns)
    }

    fn bookmark(&mut self, revision: u64, initial_end: bool) -> Bytes {
        let mut metadata = json!({"resourceVersion": revision.to_string()});
        if initial_end {
            metadata["annotations"] = json!({"k8s.io/initial-events-end": "true"});
        }
        let object = match self.rendering {
            Rendering::Plain => {
                json!({"kind": self.resource.kind, "apiVersion": self.resource.api_version(), "metadata": metadata})
            }
            Rendering::PartialMetadata => {
                json!({"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": metadata})
            }
            Rendering::Table(include) => {
                let value = json!({"kind": self.resource.kind, "apiVersion": self.resource.api_version(), "metadata": metadata});
                let stored = Stored::new(CommitEvent::Modified, from_storage(&self.resource, value), revision);
                self.table(&stored, include)
            }
        };
        watch_line("BOOKMARK", object.to_string().as_bytes())
    }
}
