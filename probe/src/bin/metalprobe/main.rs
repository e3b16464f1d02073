//! `metalprobe`: the in-band agent of the metal operator. See the library for what it does; this is where the real
//! clock, network and signals come in.

mod transport;

use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context, bail};
use probe::command_line::{self, Command, LogEncoder, LogLevel, LogOptions};
use probe::host::linux::LinuxHost;
use probe::model::CleanupState;
use probe::wipe::WipeOptions;
use probe::{Clock, agent, wipe};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tracing::{error, info};
use tracing_subscriber::filter::LevelFilter;

fn main() -> ExitCode {
    let command = match command_line::parse(std::env::args_os().skip(1)) {
        Ok(command) => command,
        Err(error) => {
            // Nothing can be done about a closed terminal.
            let _ = error.print();
            // The Go agent ends with 1 when a flag is missing.
            return if error.use_stderr() {
                ExitCode::FAILURE
            } else {
                ExitCode::SUCCESS
            };
        }
    };
    start_logging(command.logging());
    match run(command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            error!(error = format!("{error:#}"), "metalprobe failed");
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("no async runtime")?;
    runtime.block_on(async {
        let stop = CancellationToken::new();
        let agent = execute(command, stop.clone());
        let mut agent = std::pin::pin!(agent);
        let mut terminate = signal(SignalKind::terminate()).context("cannot listen to SIGTERM")?;
        let mut interrupt = signal(SignalKind::interrupt()).context("cannot listen to SIGINT")?;
        tokio::select! {
            biased;
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
            ended = &mut agent => return ended,
        }
        info!("asked to stop");
        stop.cancel();
        agent.await
    })
}

async fn execute(command: Command, stop: CancellationToken) -> anyhow::Result<()> {
    let host = Arc::new(LinuxHost::this());
    let http = transport::http().context("no HTTP client")?;
    match command {
        Command::Probe(options) => Ok(agent::run(&options, host, http, system_clock(), stop).await?),
        Command::Wipe(options) => {
            require_consent(&options, std::process::id())?;
            // A wipe that failed was delivered all the same; repeating it is the operator's decision, not systemd's.
            match wipe::run_and_remind(&options, host, http, stop).await? {
                CleanupState::Failed => error!("the wipe failed; the operator was told which drives and why"),
                CleanupState::Succeeded | CleanupState::InProgress => info!("all drives are erased"),
            }
            Ok(())
        }
    }
}

/// A wipe is irreversible: a human has to say so. In the container of the discovery system the agent is process 1 and
/// nothing else was asked for.
fn require_consent(options: &WipeOptions, process_id: u32) -> anyhow::Result<()> {
    if options.yes_erase_all_drives || process_id == 1 {
        return Ok(());
    }
    bail!(
        "this would erase every drive of this machine; repeat it with --yes-erase-all-drives if that is what you want"
    )
}

#[expect(clippy::disallowed_methods, reason = "the one place where the real clock enters")]
fn system_clock() -> Clock {
    Arc::new(jiff::Timestamp::now)
}

fn start_logging(options: &LogOptions) {
    let level = match options.zap_log_level {
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Error => LevelFilter::ERROR,
    };
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(level)
        .with_writer(std::io::stderr);
    match options.zap_encoder {
        LogEncoder::Json => subscriber.json().flatten_event(true).init(),
        LogEncoder::Console => subscriber.init(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wipe_needs_consent() {
        let options = |more: &str| {
            let line = format!("wipe --registry-url=http://r --server-uuid=u {more}");
            match command_line::parse(line.split_whitespace()) {
                Ok(Command::Wipe(options)) => options,
                other => panic!("{other:?}"),
            }
        };
        let error = require_consent(&options(""), 4711).expect_err("not asked for");
        assert!(error.to_string().contains("--yes-erase-all-drives"));
        require_consent(&options("--yes-erase-all-drives"), 4711).expect("asked for");
        require_consent(&options(""), 1).expect("the only process of its container");
    }
}
