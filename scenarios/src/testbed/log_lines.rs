//! Log lines of a world as its events: formatted as an administrator would read them, with the world's clock.

use super::WorldEvent;
use super::hub::Hub;
use crate::edges::Clock;
use std::fmt;
use std::io;
use std::sync::{Arc, PoisonError, RwLock};
use tracing::Subscriber;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::FormatTime;
use tracing_subscriber::layer::SubscriberExt as _;

/// What becomes of log lines besides being events.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Logs {
    /// Nothing.
    #[default]
    Quiet,
    /// They are printed on standard error, too.
    Stderr,
}

/// A filter that cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("`{filter}` is no log filter: {source}; write for example `info,operator=debug`")]
pub struct FilterError {
    filter: String,
    source: tracing_subscriber::filter::ParseError,
}

/// Checks a log filter.
///
/// # Errors
/// What is wrong with it.
pub fn check_filter(filter: &str) -> Result<(), FilterError> {
    parse(filter).map(|_| ())
}

fn parse(filter: &str) -> Result<EnvFilter, FilterError> {
    EnvFilter::builder().parse(filter).map_err(|source| FilterError {
        filter: filter.to_owned(),
        source,
    })
}

/// Carries log lines to the hub of a world, which exists later than the first line.
#[derive(Clone)]
pub(crate) struct LogLines {
    hub: Arc<RwLock<Option<Arc<Hub>>>>,
    logs: Logs,
}

impl LogLines {
    pub(crate) fn new(logs: Logs) -> Self {
        Self {
            hub: Arc::default(),
            logs,
        }
    }

    pub(super) fn connect(&self, hub: &Arc<Hub>) {
        *self.hub.write().unwrap_or_else(PoisonError::into_inner) = Some(hub.clone());
    }

    /// The subscriber of the thread a world runs in.
    pub(crate) fn subscriber(&self, filter: &str, clock: Clock) -> Result<impl Subscriber + Send + Sync, FilterError> {
        let layer = tracing_subscriber::fmt::layer()
            .with_ansi(false)
            .with_timer(WorldTime(clock))
            .with_writer(self.clone());
        Ok(tracing_subscriber::registry().with(parse(filter)?).with(layer))
    }
}

impl<'a> MakeWriter<'a> for LogLines {
    type Writer = Line<'a>;

    fn make_writer(&'a self) -> Line<'a> {
        Line {
            lines: self,
            text: Vec::new(),
        }
    }
}

/// One line while it is written.
pub(crate) struct Line<'a> {
    lines: &'a LogLines,
    text: Vec<u8>,
}

impl io::Write for Line<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.text.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Line<'_> {
    fn drop(&mut self) {
        let text = String::from_utf8_lossy(&self.text);
        let line = text.trim_end();
        if self.lines.logs == Logs::Stderr {
            eprintln!("{line}");
        }
        let hub = self.lines.hub.read().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(hub) = hub {
            hub.tell(WorldEvent::Log { line: line.to_owned() });
        }
    }
}

struct WorldTime(Clock);

impl FormatTime for WorldTime {
    fn format_time(&self, writer: &mut Writer<'_>) -> fmt::Result {
        write!(writer, "{:.3}", (self.0)())
    }
}
