//! `bmc-emulator record`.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context;
use bmc_emulator::{RecordOptions, RecordProgress, Secret, record};
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use tokio_util::sync::CancellationToken;

use crate::edges::{self, Trust};

/// Of what a BMC does not answer, so many are named.
const SKIPPED_SHOWN: usize = 10;

#[derive(Args)]
pub(crate) struct RecordArguments {
    /// The BMC: https:// and its host.
    url: String,
    /// A folder that does not exist yet, or an archive (.tar.gz). Default: the host's name.
    #[arg(long, short, value_name = "DIR|ARCHIVE")]
    output: Option<PathBuf>,
    #[arg(long, short, value_name = "NAME", env = "BMC_USERNAME")]
    user: String,
    /// Read the password from this file instead of the environment variable BMC_PASSWORD.
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
    /// Trust certificates that are signed by this authority (PEM) only.
    #[arg(long, value_name = "FILE", conflicts_with = "insecure")]
    ca_file: Option<PathBuf>,
    /// Do not check the certificate of the BMC. Whoever is in between learns the password.
    #[arg(long)]
    insecure: bool,
    /// Requests a second at most.
    #[arg(long, value_name = "N", default_value_t = 5.0, value_parser = rate)]
    rate: f64,
    /// Of a longer log, record so many entries.
    #[arg(long, value_name = "N", default_value_t = 50)]
    log_entries: usize,
    /// Leave serial numbers, addresses and names as they are.
    #[arg(long)]
    keep_identities: bool,
}

impl std::fmt::Debug for RecordArguments {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RecordArguments")
            .field("url", &self.url)
            .finish_non_exhaustive()
    }
}

fn rate(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(rate) if (0.01..=1000.0).contains(&rate) => Ok(rate),
        _ => Err("a number from 0.01 to 1000 is needed".to_owned()),
    }
}

pub(crate) async fn run(arguments: RecordArguments) -> anyhow::Result<()> {
    let trust = match &arguments.ca_file {
        Some(file) => {
            Trust::Only(std::fs::read(file).with_context(|| format!("cannot read the certificate {}", file.display()))?)
        }
        None if arguments.insecure => Trust::Everybody,
        None => Trust::Host,
    };
    let options = RecordOptions {
        output: arguments.output.clone().unwrap_or_else(|| output(&arguments.url)),
        password: password(&arguments)?,
        username: arguments.user,
        url: arguments.url,
        pause: Duration::from_secs_f64(1.0 / arguments.rate),
        log_entries: arguments.log_entries,
        keep_identities: arguments.keep_identities,
        salt: edges::random()?,
    };
    let stop = CancellationToken::new();
    let bar = ProgressBar::new(0)
        .with_style(ProgressStyle::with_template("{bar:30} {pos}/{len} {elapsed} {wide_msg}").context("progress bar")?);
    bar.enable_steady_tick(Duration::from_millis(200));
    let progress = |now: &RecordProgress<'_>| {
        bar.set_length(now.known as u64);
        bar.set_position(now.done as u64);
        bar.set_message(now.path.to_owned());
    };
    let http = edges::bmc_http(trust)?;
    let recording = {
        let recording = record(&options, http, &stop, progress);
        tokio::pin!(recording);
        tokio::select! {
            biased;
            finished = &mut recording => finished,
            interrupted = tokio::signal::ctrl_c() => {
                interrupted.context("cannot wait for an interrupt")?;
                stop.cancel();
                recording.await
            }
        }
    };
    bar.finish_and_clear();
    let recording = recording?;
    println!("{} resources are in {}", recording.resources, options.output.display());
    if !recording.skipped.is_empty() {
        println!("{} are linked to, and not there:", recording.skipped.len());
        for (path, reason) in recording.skipped.iter().take(SKIPPED_SHOWN) {
            println!("  {path}: {reason}");
        }
        if recording.skipped.len() > SKIPPED_SHOWN {
            println!("  … and more, all in its recording.json");
        }
    }
    println!("try: bmc-emulator serve --mockup {}", options.output.display());
    Ok(())
}

fn output(url: &str) -> PathBuf {
    let host = url.split("://").nth(1).unwrap_or(url).trim_end_matches('/');
    PathBuf::from(host.replace(|c: char| !c.is_ascii_alphanumeric() && c != '.' && c != '-', "_"))
}

fn password(arguments: &RecordArguments) -> anyhow::Result<Secret> {
    let text = match &arguments.password_file {
        Some(file) => std::fs::read_to_string(file)
            .with_context(|| format!("cannot read the password file {}", file.display()))?,
        None => std::env::var("BMC_PASSWORD")
            .context("no password: set BMC_PASSWORD, or name a file with --password-file")?,
    };
    Ok(Secret::new(text.trim_end_matches(['\r', '\n'])))
}
