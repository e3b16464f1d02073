//! What observers see of a write, and how a stored object is kept.

use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use serde_json::Value;
use tokio::time::Instant;

use super::key::ObjectKey;

/// What a committed write did to its object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CommitEvent {
    /// The object did not exist before.
    Added,
    /// The object existed and its content changed.
    Modified,
    /// The object is gone.
    Deleted,
}

impl CommitEvent {
    /// The `type` of a watch event.
    pub(crate) fn watch_type(self) -> &'static str {
        match self {
            CommitEvent::Added => "ADDED",
            CommitEvent::Modified => "MODIFIED",
            CommitEvent::Deleted => "DELETED",
        }
    }
}

/// One committed write, as observers ([`crate::KubeEmulator::observe`]) get it.
#[derive(Clone, Debug)]
pub struct Commit {
    /// Global revision of this write: the object's new `metadata.resourceVersion`.
    pub revision: u64,
    /// Created, changed or removed.
    pub event: CommitEvent,
    /// API group, `""` for core.
    pub group: String,
    /// Version the object is stored in.
    pub version: String,
    /// Plural resource name.
    pub resource: String,
    /// Kind of the object.
    pub kind: String,
    /// Namespace, `None` for cluster-scoped kinds.
    pub namespace: Option<String>,
    /// Name of the object.
    pub name: String,
    /// Content after the write; for `Deleted` the last content with the revision of the removal.
    pub object: Arc<Value>,
    /// Content before the write.
    pub previous: Option<Arc<Value>>,
    /// `User-Agent` header of the request; `None` for the emulator's own controllers.
    pub user_agent: Option<String>,
    /// Field manager the write was recorded under.
    pub field_manager: Option<String>,
    /// Subresource the write went through.
    pub subresource: Option<String>,
}

/// Called synchronously, in commit order, after every committed write.
pub type Observer = Arc<dyn Fn(&Commit) + Send + Sync>;

/// Most objects are shorter than this.
const TEXT_CAPACITY: usize = 16 * 1024;

/// One version of an object, as a document, as text, or both. Its JSON text is made at most once, however many answers, lists and
/// watches send it; a version of the past is text only, a fifth of the document, until somebody asks for more.
#[derive(Debug)]
pub(crate) struct Stored {
    value: OnceLock<Arc<Value>>,
    pub(crate) revision: u64,
    /// What made this version.
    event: CommitEvent,
    /// The watch line of that event, the text of the object being a part of it.
    line: OnceLock<Bytes>,
}

impl Stored {
    pub(crate) fn new(event: CommitEvent, value: Value, revision: u64) -> Self {
        Self {
            value: OnceLock::from(Arc::new(value)),
            revision,
            event,
            line: OnceLock::new(),
        }
    }

    /// The same version as text, for the history.
    fn remembered(&self) -> Self {
        Self {
            value: OnceLock::new(),
            revision: self.revision,
            event: self.event,
            line: OnceLock::from(self.line()),
        }
    }

    pub(crate) fn value(&self) -> &Value {
        self.shared()
    }

    /// The same, for those who keep it.
    pub(crate) fn shared(&self) -> &Arc<Value> {
        self.value.get_or_init(|| {
            let read = serde_json::from_slice(&self.text());
            debug_assert!(
                read.is_ok(),
                "a version is a document, or text that was made from one: {read:?}"
            );
            Arc::new(read.unwrap_or_default())
        })
    }

    pub(crate) fn text(&self) -> Bytes {
        let line = self.line();
        line.slice(line_head(self.event.watch_type()).len()..line.len() - LINE_TAIL.len())
    }

    /// For watchers that take the stored shape unchanged.
    fn line(&self) -> Bytes {
        let write = || {
            let mut line = Vec::with_capacity(TEXT_CAPACITY);
            line.extend_from_slice(line_head(self.event.watch_type()).as_bytes());
            // Values have text for keys, and a vector takes everything.
            let written = serde_json::to_writer(&mut line, self.value());
            debug_assert!(written.is_ok(), "{written:?}");
            line.extend_from_slice(LINE_TAIL);
            // As long as it is: the history keeps many.
            Bytes::copy_from_slice(&line)
        };
        self.line.get_or_init(write).clone()
    }
}

/// One entry of a table's history.
#[derive(Debug)]
pub(crate) struct Change {
    pub(crate) event: CommitEvent,
    pub(crate) key: ObjectKey,
    pub(crate) object: Arc<Stored>,
    pub(crate) previous: Option<Arc<Stored>>,
    /// When it happened: a lagging watch cache has it only later.
    pub(crate) committed: Instant,
}

impl Change {
    pub(crate) fn new(key: ObjectKey, object: Arc<Stored>, previous: Option<Arc<Stored>>) -> Self {
        Self {
            event: object.event,
            key,
            object,
            previous,
            committed: Instant::now(),
        }
    }

    pub(crate) fn revision(&self) -> u64 {
        self.object.revision
    }

    /// The same change, with its versions as text.
    pub(super) fn remembered(&self) -> Self {
        Self {
            event: self.event,
            key: self.key.clone(),
            object: Arc::new(self.object.remembered()),
            previous: self.previous.as_ref().map(|previous| Arc::new(previous.remembered())),
            committed: self.committed,
        }
    }

    /// The watch line for watchers that take the stored shape unchanged: shared by all of them.
    pub(crate) fn line(&self) -> Bytes {
        self.object.line()
    }
}

const LINE_TAIL: &[u8] = b"}\n";

fn line_head(kind: &str) -> String {
    format!("{{\"type\":\"{kind}\",\"object\":")
}

/// `{"type":…,"object":…}\n`
pub(crate) fn watch_line(kind: &str, object: &[u8]) -> Bytes {
    let head = line_head(kind);
    let mut line = Vec::with_capacity(head.len() + object.len() + LINE_TAIL.len());
    line.extend_from_slice(head.as_bytes());
    line.extend_from_slice(object);
    line.extend_from_slice(LINE_TAIL);
    Bytes::from(line)
}
