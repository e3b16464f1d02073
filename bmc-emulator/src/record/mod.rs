//! Records the Redfish tree of a BMC, for [`Mockup`](crate::Mockup) and for everything else that reads the layout of the
//! DMTF's mockups.
//!
//! | module | subject |
//! |---|---|
//! | [`client`] | one BMC: a session, one request at a time, patience |
//! | [`references`] | where to go from a resource |
//! | [`crawl`] | everything that can be reached, once |
//! | [`store`] | files, and what an interrupted recording leaves behind |
//! | [`scrub`] | what of a recording is nobody else's business |
//!
//! BMCs are weak and busy. The recorder has one request under way at any time, pauses between two, waits as long as it is
//! asked to by `Retry-After`, and gives its session back when it ends, also when it is interrupted.

mod client;
mod crawl;
mod references;
mod scrub;
mod store;

use std::path::PathBuf;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::edges::HttpService;
use crate::secret::Secret;

/// What to record, and how.
#[derive(Clone, Debug)]
pub struct RecordOptions {
    /// `https://` and the host, without a path.
    pub url: String,
    pub username: String,
    pub password: Secret,
    /// A folder that does not exist yet; with `.tar.gz` or `.tgz` at its end, an archive.
    pub output: PathBuf,
    /// Between the beginnings of two requests.
    pub pause: Duration,
    /// Of a log with more entries than this, only so many are recorded.
    pub log_entries: usize,
    /// Leave serial numbers, addresses and names as they are. Secrets never are.
    pub keep_identities: bool,
    /// Nobody who does not know it finds a serial number by trying them all.
    pub salt: [u8; 32],
}

/// How far a recording is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordProgress<'a> {
    pub done: usize,
    /// Resources that are known to exist, the ones that are done included.
    pub known: usize,
    /// What is read now.
    pub path: &'a str,
}

/// A finished recording.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recording {
    pub resources: usize,
    /// What a BMC links to and does not answer properly, and how it answered.
    pub skipped: Vec<(String, String)>,
}

/// Why there is no recording.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    #[error("{0:?} is not the address of a BMC: give https:// and its host, without a path")]
    BadUrl(String),
    #[error("{} is there already: remove it, or give another name by --output", .0.display())]
    OutputExists(PathBuf),
    #[error("{url} cannot be logged in to as {user:?}: {reason}")]
    LoginFailed { url: String, user: String, reason: String },
    #[error("{path} is not answered ({reason}); what was recorded so far is in {}: give the same command again to go on", partial.display())]
    NoAnswer {
        path: String,
        reason: String,
        partial: PathBuf,
    },
    #[error("interrupted after {done} resources, which are in {}: give the same command again to go on", partial.display())]
    Interrupted { done: usize, partial: PathBuf },
    #[error("{} cannot be written: {source}", path.display())]
    Write { path: PathBuf, source: std::io::Error },
    #[error("{} cannot be read again ({reason}): remove it, and begin anew", path.display())]
    DamagedPartial { path: PathBuf, reason: String },
}

/// Records everything that can be reached from the service root.
///
/// # Errors
/// See [`RecordError`]. Unless the output cannot be written, calling it again goes on where it has ended.
pub async fn record(
    options: &RecordOptions,
    http: HttpService,
    stop: &CancellationToken,
    progress: impl FnMut(&RecordProgress<'_>),
) -> Result<Recording, RecordError> {
    if options.output.exists() {
        return Err(RecordError::OutputExists(options.output.clone()));
    }
    let partial = store::Partial::open(&options.output)?;
    let mut client = client::Client::log_in(options, http).await?;
    let crawled = tokio::select! {
        biased;
        () = stop.cancelled() => None,
        crawled = crawl::crawl(options, &mut client, &partial, progress) => Some(crawled),
    };
    client.log_out().await;
    let skipped = crawled.unwrap_or_else(|| {
        Err(RecordError::Interrupted {
            done: partial.count(),
            partial: partial.folder.clone(),
        })
    })?;
    let resources = partial.finish(options, &skipped)?;
    Ok(Recording { resources, skipped })
}
