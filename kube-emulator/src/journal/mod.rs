//! A cluster that goes on after a restart: every commit is appended to a file, which is read again at the next start.
//!
//! The file survives a process that is killed at any moment, and starts anew with what exists whenever most of it is history. It does not
//! wait for the disk at every write: who needs that has a real cluster. It holds Secrets, so only its owner may read it.

mod frame;
mod resume;

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::emulator::{KubeEmulator, Settings};
use crate::store::{Commit, CommitEvent, ObjectKey, StorageId};

const FILE: &str = "journal";
const NEXT_FILE: &str = "journal.new";
const LOCK: &str = "lock";
/// A journal shorter than this is left alone.
const SHORTEST: u64 = 4 << 20;

/// Why a cluster cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// The file system says no.
    #[error("{what}: {source}")]
    Io {
        /// What was tried.
        what: String,
        /// Why it failed.
        #[source]
        source: io::Error,
    },
    /// Another process has it.
    #[error("{folder} is in use by another process")]
    InUse {
        /// Where the cluster is kept.
        folder: String,
    },
    /// Something is not what was written.
    #[error("the journal is damaged at byte {at}; remove it to start with an empty cluster")]
    Damaged {
        /// Where.
        at: usize,
    },
    /// It was written by another version of this program.
    #[error("the journal cannot be understood: {0}; remove it to start with an empty cluster")]
    Unknown(String),
}

/// One line of the history, or of what exists.
#[derive(Serialize, Deserialize)]
#[serde(tag = "type")]
enum Entry<'a> {
    /// An object is like this.
    Is {
        group: String,
        resource: String,
        key: String,
        revision: u64,
        object: std::borrow::Cow<'a, Value>,
    },
    /// There is none any more.
    Gone {
        group: String,
        resource: String,
        key: String,
        revision: u64,
    },
    /// What exists was written down at this revision.
    At { revision: u64 },
}

/// What exists, by table and key: revision and content.
type Objects = BTreeMap<(StorageId, String), (u64, Arc<Value>)>;

struct Journal {
    folder: PathBuf,
    file: File,
    length: u64,
    /// How long it was when it began.
    base: u64,
    revision: u64,
    objects: Objects,
    _lock: File,
}

impl KubeEmulator {
    /// The server that was kept in `folder`, or a new one that is kept there from now on.
    ///
    /// # Errors
    /// The folder cannot be used, or what is in it is damaged.
    pub fn kept_in(mut settings: Settings, folder: &Path) -> Result<Self, JournalError> {
        let journal = Journal::open(folder)?;
        // What is generated now must differ from what was before.
        settings.seed = settings.seed.wrapping_add(journal.revision << 20);
        let is_new = journal.objects.is_empty();
        let (objects, revision) = (journal.objects.clone(), journal.revision);
        let emulator = Self::new(settings);
        if !is_new {
            emulator.resume(&objects, revision);
        }
        let journal = Arc::new(Mutex::new(journal));
        let lock = move |journal: &Mutex<Journal>, commit: &Commit| {
            let mut journal = journal.lock().unwrap_or_else(PoisonError::into_inner);
            if let Err(error) = journal.append(commit) {
                tracing::error!(%error, "a change will not be there after a restart");
            }
        };
        if is_new {
            // What a new server has was not observed.
            let mut journal = journal.lock().unwrap_or_else(PoisonError::into_inner);
            journal.adopt(&emulator)?;
        }
        emulator.observe(Arc::new(move |commit| lock(&journal, commit)));
        Ok(emulator)
    }
}

impl Journal {
    fn open(folder: &Path) -> Result<Self, JournalError> {
        let failed = |what: &str| {
            let what = format!("{what} {}", folder.display());
            move |source| JournalError::Io { what, source }
        };
        let mut builder = fs::DirBuilder::new();
        builder
            .recursive(true)
            .mode(0o700)
            .create(folder)
            .map_err(failed("making"))?;
        let lock = private()
            .write(true)
            .create(true)
            .truncate(false)
            .open(folder.join(LOCK))
            .map_err(failed("locking"))?;
        lock.try_lock().map_err(|error| match error {
            TryLockError::WouldBlock => JournalError::InUse {
                folder: folder.display().to_string(),
            },
            TryLockError::Error(source) => failed("locking")(source),
        })?;
        let path = folder.join(FILE);
        let bytes = match fs::read(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            bytes => bytes.map_err(failed("reading"))?,
        };
        let (objects, revision, length) = replay(&bytes)?;
        let file = private()
            .append(true)
            .create(true)
            .open(&path)
            .map_err(failed("opening"))?;
        // The end of it was never finished.
        file.set_len(length).map_err(failed("cutting"))?;
        let mut journal = Self {
            folder: folder.to_owned(),
            file,
            length,
            base: 0,
            revision,
            objects,
            _lock: lock,
        };
        journal.compact_if_long().map_err(failed("rewriting"))?;
        Ok(journal)
    }

    fn append(&mut self, commit: &Commit) -> io::Result<()> {
        let id = StorageId::new(&commit.group, &commit.resource);
        let key = ObjectKey::new(commit.namespace.as_deref(), &commit.name)
            .as_str()
            .to_owned();
        let (group, resource, revision) = (id.group.clone(), id.resource.clone(), commit.revision);
        let entry = if commit.event == CommitEvent::Deleted {
            self.objects.remove(&(id, key.clone()));
            Entry::Gone {
                group,
                resource,
                key,
                revision,
            }
        } else {
            self.objects
                .insert((id, key.clone()), (revision, commit.object.clone()));
            Entry::Is {
                group,
                resource,
                key,
                revision,
                object: std::borrow::Cow::Borrowed(&commit.object),
            }
        };
        self.revision = revision;
        let bytes = written(&entry)?;
        self.file.write_all(&bytes)?;
        self.length += bytes.len() as u64;
        self.compact_if_long()
    }

    /// Writes down what a server has that was never asked for anything.
    fn adopt(&mut self, emulator: &KubeEmulator) -> Result<(), JournalError> {
        (self.objects, self.revision) = emulator.everything();
        self.compact().map_err(|source| JournalError::Io {
            what: format!("writing to {}", self.folder.display()),
            source,
        })
    }

    /// When most of it is history.
    fn compact_if_long(&mut self) -> io::Result<()> {
        if self.length < SHORTEST.max(2 * self.base) {
            return Ok(());
        }
        self.compact()
    }

    /// What exists takes the place of all that happened, at once.
    fn compact(&mut self) -> io::Result<()> {
        let path = self.folder.join(NEXT_FILE);
        let mut bytes = written(&Entry::At {
            revision: self.revision,
        })?;
        for ((id, key), (revision, object)) in &self.objects {
            bytes.extend(written(&Entry::Is {
                group: id.group.clone(),
                resource: id.resource.clone(),
                key: key.clone(),
                revision: *revision,
                object: std::borrow::Cow::Borrowed(object),
            })?);
        }
        let mut file = private().write(true).create(true).truncate(true).open(&path)?;
        file.write_all(&bytes)?;
        file.sync_all()?;
        fs::rename(&path, self.folder.join(FILE))?;
        File::open(&self.folder)?.sync_all()?;
        self.file = private().append(true).open(self.folder.join(FILE))?;
        self.length = bytes.len() as u64;
        self.base = self.length;
        Ok(())
    }
}

fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.mode(0o600);
    options
}

fn written(entry: &Entry<'_>) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    frame::write(&mut bytes, &serde_json::to_vec(entry)?);
    Ok(bytes)
}

/// What exists after all of it, the last revision, and where the last complete entry ends.
fn replay(bytes: &[u8]) -> Result<(Objects, u64, u64), JournalError> {
    let (contents, end) = frame::read(bytes)?;
    let (mut objects, mut last) = (Objects::new(), 0);
    for content in contents {
        let entry = serde_json::from_slice(content).map_err(|error| JournalError::Unknown(error.to_string()))?;
        last = last.max(match entry {
            Entry::Is {
                group,
                resource,
                key,
                revision,
                object,
            } => {
                let id = StorageId { group, resource };
                objects.insert((id, key), (revision, Arc::new(object.into_owned())));
                revision
            }
            Entry::Gone {
                group,
                resource,
                key,
                revision,
            } => {
                objects.remove(&(StorageId { group, resource }, key));
                revision
            }
            Entry::At { revision } => revision,
        });
    }
    Ok((objects, last, end as u64))
}

#[cfg(test)]
mod tests;
