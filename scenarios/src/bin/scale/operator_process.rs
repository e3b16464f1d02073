//! The operator, as a process that is watched.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use scenarios::testbed::TestbedError;
use tokio::process::{Child, Command};

use crate::world::{World, free_port};

/// Clock ticks in a second of `/proc`, on every Linux there is.
const TICKS: f64 = 100.0;

pub(crate) struct OperatorProcess {
    child: Child,
    pid: u32,
    metrics: String,
    log: PathBuf,
}

/// What it has used so far.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Usage {
    pub(crate) cpu_seconds: f64,
    pub(crate) peak_mebibytes: f64,
    pub(crate) api_requests: u64,
}

impl OperatorProcess {
    pub(crate) fn start(program: &Path, world: &World, events: bool, flags: &[String]) -> Result<Self, TestbedError> {
        let failed = |error: std::io::Error| TestbedError::failed("the operator cannot be started", error);
        let folder = world.plane.folder();
        let kubeconfig = folder.join("operator.kubeconfig");
        std::fs::write(&kubeconfig, world.plane.admin_kubeconfig()).map_err(failed)?;
        let [registry, event, metrics] = [free_port()?, free_port()?, free_port()?];
        let log = folder.join("operator.log");
        let output = File::create(&log).map_err(failed)?;
        let mut command = Command::new(program);
        command
            .args(world.flags())
            .arg(format!("--kubeconfig={}", kubeconfig.display()))
            .arg(format!("--registry-url=http://127.0.0.1:{registry}"))
            .arg(format!("--registry-port={registry}"))
            .arg(format!("--metrics-bind-address=127.0.0.1:{metrics}"))
            .arg("--metrics-secure=false")
            .arg("--health-probe-bind-address=0")
            .arg("--log-level=warn");
        if events {
            command
                .arg(format!("--event-url=http://127.0.0.1:{event}"))
                .arg(format!("--event-port={event}"));
        }
        let child = command
            .args(flags)
            .env("ENABLE_WEBHOOKS", "false")
            .stdin(Stdio::null())
            .stdout(output.try_clone().map_err(failed)?)
            .stderr(output)
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .map_err(failed)?;
        let pid = child.id().unwrap_or_default();
        let metrics = format!("http://127.0.0.1:{metrics}/metrics");
        Ok(Self {
            child,
            pid,
            metrics,
            log,
        })
    }

    /// Whether it is still there; its last words if not.
    pub(crate) fn still_runs(&mut self) -> Result<(), TestbedError> {
        match self.child.try_wait() {
            Ok(None) => Ok(()),
            _ => Err(TestbedError::failed("the operator has ended", self.last_words())),
        }
    }

    pub(crate) fn last_words(&self) -> String {
        let log = std::fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(15)..].join("\n")
    }

    pub(crate) async fn usage(&self) -> Usage {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.pid)).unwrap_or_default();
        // After the name, which may contain anything, `)` and eleven fields come utime and stime.
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
        let ticks: f64 = [11, 12]
            .iter()
            .filter_map(|index| fields.get(*index)?.parse::<f64>().ok())
            .sum();
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid)).unwrap_or_default();
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kibibytes: f64 = peak
            .and_then(|peak| peak.trim().trim_end_matches("kB").trim().parse().ok())
            .unwrap_or_default();
        Usage {
            cpu_seconds: ticks / TICKS,
            peak_mebibytes: kibibytes / 1024.0,
            api_requests: self.api_requests().await,
        }
    }

    async fn api_requests(&self) -> u64 {
        let answer = match reqwest::get(&self.metrics).await {
            Ok(answer) => answer.text().await.unwrap_or_default(),
            Err(_) => return 0,
        };
        let counters = answer
            .lines()
            .filter(|line| line.starts_with("rest_client_requests_total"));
        counters
            .filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok())
            .sum()
    }
}
