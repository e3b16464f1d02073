//! The wipe agent: erases every drive of a machine between two tenants, verifies each, and reports to the operator.
//!
//! What it promises (invariant S4 of the project): a wipe counts only if it enumerated all drives, erased each, and read
//! each back. A drive that is skipped, unsupported, in use or vanished makes the wipe *Failed*; so does a machine that
//! shows no drive at all, since a wipe of nothing proves nothing. And nothing is erased before the registry has accepted
//! the token: an agent that comes too late, when the machine already belongs to the next tenant, must not touch it.

mod ledger;

use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use crate::backoff::Backoff;
use crate::command_line::{LogOptions, RegistryOptions};
use crate::edges::HttpService;
use crate::go_duration;
use crate::host::{Drive, Host, HostError};
use crate::model::{CleanupReport, CleanupState};
use crate::registry::{RegistryClient, RegistryError};
use ledger::Ledger;

/// Longest delay between two attempts to deliver a report.
const RETRY_CEILING: Duration = Duration::from_secs(60);
/// Rejections in a row after which the agent believes that its token is out of date.
const REJECTIONS_UNTIL_FINAL: u32 = 5;
/// How often drives that appeared meanwhile are looked for after all known ones are done.
const ENUMERATIONS: u32 = 3;

/// Flags of the wipe agent.
#[derive(Args, Clone, Debug)]
pub struct WipeOptions {
    #[command(flatten)]
    pub registry: RegistryOptions,
    /// How often progress is reported while drives are being erased.
    #[arg(long, value_name = "DURATION", default_value = "30s", value_parser = go_duration::parse)]
    pub progress_interval: Duration,
    /// Confirms that all data on this machine shall be destroyed. Needed wherever metalprobe is not the only process of
    /// its container.
    #[arg(long)]
    pub yes_erase_all_drives: bool,
    #[command(flatten)]
    pub logging: LogOptions,
}

/// Why a wipe ended without a report that the operator has acknowledged.
#[derive(Debug, thiserror::Error)]
pub enum WipeError {
    #[error(
        "the registry rejected the wipe {rejections} times in a row, the last time because {last}; \
         {}", if *.touched { "erasing was stopped half way" } else { "no drive was touched" }
    )]
    Rejected {
        rejections: u32,
        touched: bool,
        #[source]
        last: RegistryError,
    },
    #[error("the wipe was stopped before its result was acknowledged; it has to be run again")]
    Stopped,
}

/// Wipes the machine and returns the result that the operator acknowledged: `Succeeded` or `Failed`.
///
/// # Errors
/// When no result was acknowledged: the registry keeps rejecting this agent, or `stop` came first.
pub async fn run(
    options: &WipeOptions,
    host: Arc<dyn Host>,
    http: HttpService,
    stop: CancellationToken,
) -> Result<CleanupState, WipeError> {
    let (reporter, ledger) = (Reporter::new(options, http), Ledger::default());
    tokio::select! {
        biased;
        () = stop.cancelled() => Err(WipeError::Stopped),
        ended = wipe(&reporter, host.as_ref(), options.progress_interval, &ledger) => ended,
    }
}

/// As [`run`], and then reminds the operator of the result until this machine is switched off: an operator that has acknowledged it
/// may die before it has stored it (bugs.md #91, #145).
///
/// # Errors
/// As [`run`].
pub async fn run_and_remind(
    options: &WipeOptions,
    host: Arc<dyn Host>,
    http: HttpService,
    stop: CancellationToken,
) -> Result<CleanupState, WipeError> {
    let (reporter, ledger) = (Reporter::new(options, http), Ledger::default());
    let state = tokio::select! {
        biased;
        () = stop.cancelled() => return Err(WipeError::Stopped),
        ended = wipe(&reporter, host.as_ref(), options.progress_interval, &ledger) => ended?,
    };
    tokio::select! {
        biased;
        () = stop.cancelled() => {}
        () = reporter.remind(&ledger, state, options.progress_interval) => {}
    }
    Ok(state)
}

async fn wipe(
    reporter: &Reporter,
    host: &dyn Host,
    progress_interval: Duration,
    ledger: &Ledger,
) -> Result<CleanupState, WipeError> {
    let first = host.drives().await;
    if let Ok(drives) = &first {
        ledger.add(drives);
    }
    reporter
        .deliver(false, || ledger.report(&reporter.system_uuid, CleanupState::InProgress))
        .await?;
    let outcome = match first {
        Ok(drives) => {
            tokio::select! {
                biased;
                outcome = erase_all(host, ledger, drives) => outcome,
                rejected = reporter.follow(ledger, progress_interval) => return Err(rejected),
            }
        }
        Err(error) => Err(error),
    };
    let state = ledger.conclude(outcome);
    reporter
        .deliver(true, || ledger.report(&reporter.system_uuid, state))
        .await?;
    info!(?state, "the operator acknowledged the result of the wipe");
    Ok(state)
}

/// Erases the drives at the same time, then looks for drives that came late.
async fn erase_all(host: &dyn Host, ledger: &Ledger, mut pending: Vec<Drive>) -> Result<(), HostError> {
    for _ in 0..ENUMERATIONS {
        let mut running: FuturesUnordered<_> = pending.iter().map(|drive| erase_one(host, ledger, drive)).collect();
        while running.next().await.is_some() {}
        drop(running);
        let present = host.drives().await?;
        ledger.fail_vanished(&present);
        pending = ledger.add(&present);
        if pending.is_empty() {
            return Ok(());
        }
        warn!(drives = pending.len(), "drives appeared during the wipe");
    }
    Ok(())
}

async fn erase_one(host: &dyn Host, ledger: &Ledger, drive: &Drive) {
    info!(
        drive = drive.name,
        serial = drive.serial_number,
        size_bytes = drive.size_bytes,
        "erasing"
    );
    ledger.erasing(drive);
    let result = match host.erase(drive).await {
        Ok(method) => host.verify_erased(drive).await.map(|()| method),
        Err(error) => Err(error),
    };
    match &result {
        Ok(method) => info!(drive = drive.name, ?method, "erased and verified"),
        Err(error) => error!(drive = drive.name, %error, "not erased"),
    }
    ledger.finished(drive, result);
}

/// Talks to the registry.
struct Reporter {
    system_uuid: String,
    registry: RegistryClient,
    backoff: Backoff,
}

impl Reporter {
    fn new(options: &WipeOptions, http: HttpService) -> Self {
        Self {
            system_uuid: options.registry.server_uuid.as_str().to_owned(),
            registry: options.registry.client(http),
            backoff: options.registry.backoff(RETRY_CEILING),
        }
    }

    /// Says the result again and again. Ends when the registry does not want to hear it any more.
    async fn remind(&self, ledger: &Ledger, state: CleanupState, interval: Duration) {
        loop {
            sleep(interval).await;
            match self.registry.cleanup(&ledger.report(&self.system_uuid, state)).await {
                Err(error) if error.is_rejection() => return,
                Ok(()) | Err(_) => {}
            }
        }
    }

    /// Repeats a report until it is acknowledged. An operator may be down for hours; the machine has nothing better to
    /// do than to wait for it.
    async fn deliver(&self, touched: bool, report: impl Fn() -> CleanupReport) -> Result<(), WipeError> {
        let mut failures = 0;
        let mut rejections = Rejections { touched, in_a_row: 0 };
        loop {
            let Err(error) = self.registry.cleanup(&report()).await else {
                return Ok(());
            };
            failures += 1;
            let delay = self.backoff.after(failures);
            warn!(%error, failures, delay_seconds = delay.as_secs_f64(), "report not acknowledged, trying again");
            rejections.count(error)?;
            sleep(delay).await;
        }
    }

    /// Reports every change, and at least one sign of life per interval. Lost reports do not matter, the next one says
    /// the same and more. Returns only when the registry keeps rejecting them.
    async fn follow(&self, ledger: &Ledger, interval: Duration) -> WipeError {
        let mut rejections = Rejections {
            touched: true,
            in_a_row: 0,
        };
        loop {
            // A rejection is followed up at once: if it is final, every further second destroys the data of somebody else.
            if rejections.in_a_row == 0 {
                // Both a change and the end of the interval are reasons to report.
                let _ = timeout(interval, ledger.changed()).await;
            }
            match self
                .registry
                .cleanup(&ledger.report(&self.system_uuid, CleanupState::InProgress))
                .await
            {
                Ok(()) => rejections.in_a_row = 0,
                Err(error) => {
                    warn!(%error, "progress not reported");
                    if let Err(rejected) = rejections.count(error) {
                        return rejected;
                    }
                    sleep(self.backoff.after(1)).await;
                }
            }
        }
    }
}

/// Counts answers that mean: you have no business here.
struct Rejections {
    touched: bool,
    in_a_row: u32,
}

impl Rejections {
    fn count(&mut self, error: RegistryError) -> Result<(), WipeError> {
        if !error.is_rejection() {
            self.in_a_row = 0;
            return Ok(());
        }
        self.in_a_row += 1;
        if self.in_a_row < REJECTIONS_UNTIL_FINAL {
            return Ok(());
        }
        Err(WipeError::Rejected {
            rejections: self.in_a_row,
            touched: self.touched,
            last: error,
        })
    }
}
