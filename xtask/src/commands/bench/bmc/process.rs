//! A program under measurement.

use miette::{Context, IntoDiagnostic};
use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

/// Nothing takes longer to start.
const START: Duration = Duration::from_secs(120);

/// Runs until it is dropped.
pub(super) struct Process {
    child: Child,
    started: Instant,
    /// Kept open: it would end if nobody could read what it prints.
    output: Option<BufReader<ChildStdout>>,
}

impl Drop for Process {
    fn drop(&mut self) {
        // One that has ended by itself cannot be killed, and need not be.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

#[expect(clippy::disallowed_methods, reason = "a benchmark measures real time")]
fn now() -> Instant {
    Instant::now()
}

impl Process {
    /// What it says on standard error goes to `log`; its output is read by [`Process::line_with`], or not at all.
    pub(super) fn start(command: &mut Command, log: &Path, reads: bool) -> miette::Result<Self> {
        let file = std::fs::File::create(log)
            .into_diagnostic()
            .wrap_err_with(|| format!("cannot write {}", log.display()))?;
        let copy = file.try_clone().into_diagnostic()?;
        let started = now();
        let mut child = command
            .stdin(Stdio::null())
            .stdout(if reads { Stdio::piped() } else { copy.into() })
            .stderr(file)
            .spawn()
            .into_diagnostic()
            .wrap_err_with(|| format!("{} cannot be started", command.get_program().display()))?;
        Ok(Self {
            output: child.stdout.take().map(BufReader::new),
            child,
            started,
        })
    }

    /// The next line it prints that contains `text`, and when it came. Lines before are handed to `before`.
    pub(super) fn line_with(&mut self, text: &str, mut before: impl FnMut(&str)) -> miette::Result<Duration> {
        let mut line = String::new();
        while let Some(output) = &mut self.output {
            line.clear();
            if output.read_line(&mut line).into_diagnostic()? == 0 {
                break;
            }
            if line.contains(text) {
                return Ok(self.started.elapsed());
            }
            before(&line);
        }
        miette::bail!(
            help = "its log is in target/bench",
            "a program has ended before it served anything"
        )
    }

    /// How long it took to listen.
    pub(super) fn listens(&mut self, address: SocketAddr) -> miette::Result<Duration> {
        while self.started.elapsed() < START {
            if TcpStream::connect(address).is_ok() {
                return Ok(self.started.elapsed());
            }
            if self.child.try_wait().into_diagnostic()?.is_some() {
                break;
            }
            #[expect(clippy::disallowed_methods, reason = "nothing else runs in this thread")]
            std::thread::sleep(Duration::from_millis(5));
        }
        miette::bail!(
            help = "its log is in target/bench",
            "a program does not listen on {address}"
        )
    }

    /// Bytes of physical memory it has, where the operating system tells (`/proc`).
    pub(super) fn memory(&self) -> Option<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).ok()?;
        resident(&status)
    }
}

/// Linux counts the time of processes in hundredths of a second, on every machine (`USER_HZ`).
const TICK: Duration = Duration::from_millis(10);

impl Process {
    /// How long processors have worked for it, where the operating system tells (`/proc`).
    pub(super) fn processor_time(&self) -> Option<Duration> {
        worked(&std::fs::read_to_string(format!("/proc/{}/stat", self.child.id())).ok()?)
    }
}

/// `utime` and `stime` (proc_pid_stat(5)). The name of a program may have spaces in it.
fn worked(stat: &str) -> Option<Duration> {
    let (_, rest) = stat.rsplit_once(')')?;
    let mut fields = rest.split_whitespace().skip(11);
    let (user, system): (u32, u32) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
    Some(TICK * (user + system))
}

fn resident(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1024)
}

/// A port that nobody listens on.
pub(super) fn free_address() -> miette::Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).into_diagnostic()?;
    listener.local_addr().into_diagnostic()
}

#[cfg(test)]
mod tests {
    #[test]
    fn processor_time_is_read_from_the_statistics_of_a_process() {
        let stat = "42 (a b) c) S 1 42 42 0 -1 4194560 100 0 0 0 250 50 0 0 20 0 1 0 7 1 1";
        assert_eq!(super::worked(stat), Some(std::time::Duration::from_secs(3)));
    }

    #[test]
    fn memory_is_read_from_the_status_of_a_process() {
        assert_eq!(
            super::resident("VmHWM:\t  900 kB\nVmRSS:\t   203 kB\n"),
            Some(203 * 1024)
        );
        assert_eq!(super::resident("Name: init\n"), None);
    }
}
