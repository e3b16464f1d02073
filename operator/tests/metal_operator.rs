//! The binary as a process: what it says when it cannot start, and how it ends when it is told to.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Command;
use tokio::time::timeout;

/// Longest a start or stop may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);
const REQUIRED: [&str; 3] = ["--probe-image=p", "--probe-os-image=o", "--registry-url=http://r"];
/// Ports that are free, so that tests do not meet.
const ANY_PORT: [&str; 3] = [
    "--registry-port=0",
    "--metrics-bind-address=0",
    "--health-probe-bind-address=127.0.0.1:0",
];

fn metal_operator() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_metal-operator"));
    // Without the cluster, proxies and log filters of whoever runs the tests.
    command.env_clear().stdin(Stdio::null()).kill_on_drop(true);
    command
}

/// Exit code, standard output and standard error of a run that ends by itself.
async fn ended(command: &mut Command) -> (Option<i32>, String, String) {
    let output = timeout(PATIENCE, command.output())
        .await
        .expect("ends by itself")
        .expect("started");
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

fn kubeconfig(folder: &Path, server: &str) -> String {
    let path = folder.join("kubeconfig");
    let content = format!(
        "apiVersion: v1\nkind: Config\ncurrent-context: c\ncontexts: [{{name: c, context: {{cluster: c, user: u}}}}]\n\
         clusters: [{{name: c, cluster: {{server: '{server}'}}}}]\nusers: [{{name: u, user: {{token: hunter2}}}}]\n"
    );
    std::fs::write(&path, content).expect("written");
    path.display().to_string()
}

#[tokio::test]
async fn help_and_version_are_no_failures() {
    let (code, out, err) = ended(metal_operator().arg("--help")).await;
    assert_eq!((code, err.as_str()), (Some(0), ""));
    assert!(out.contains("--probe-image <IMAGE>"), "{out}");
    let (code, out, _) = ended(metal_operator().arg("--version")).await;
    assert_eq!(code, Some(0));
    assert!(out.starts_with("metal-operator "), "{out}");
}

#[tokio::test]
async fn what_cannot_work_is_said_with_its_flag() {
    let folder = tempfile::tempdir().expect("a folder");
    let broken = folder.path().join("broken");
    std::fs::write(
        &broken,
        "apiVersion: v1\nusers:\n- name: u\n  user: {token: [hunter2]}\n",
    )
    .expect("written");
    let broken = format!("--kubeconfig={}", broken.display());
    let good = format!("--kubeconfig={}", kubeconfig(folder.path(), "http://127.0.0.1:1"));
    for (arguments, wanted) in [
        (vec!["--no-such-flag"], "--no-such-flag"),
        (vec!["--probe-image=p"], "--probe-os-image"),
        ([&REQUIRED[..], &["--log-level=a=b=c"]].concat(), "--log-level"),
        (
            [&REQUIRED[..], &["--metrics-bind-address=nowhere"]].concat(),
            "--metrics-bind-address",
        ),
        (
            REQUIRED.to_vec(),
            "neither --kubeconfig (environment KUBECONFIG) is given nor is this a pod",
        ),
        (
            [&REQUIRED[..], &["--kubeconfig=/missing"]].concat(),
            "--kubeconfig (environment KUBECONFIG) cannot be used: /missing: No such file",
        ),
        ([&REQUIRED[..], &[&broken]].concat(), "line 4, column"),
        (
            [&REQUIRED[..], &[&good, "--bmc-ca-file=/missing"]].concat(),
            "--bmc-ca-file: /missing",
        ),
        (
            [&REQUIRED[..], &[&good, "--discovery-ignition-path=/missing"]].concat(),
            "--discovery-ignition-path: /missing",
        ),
        (
            [&REQUIRED[..], &[&good, "--webhook-cert-path=/missing"]].concat(),
            "--webhook-cert-path (/missing): /missing/tls.crt: No such file",
        ),
        (
            [&REQUIRED[..], &[&good, "--metrics-cert-path=/missing"]].concat(),
            "--metrics-cert-path (/missing): /missing/tls.crt: No such file",
        ),
        (vec!["--config=/missing"], "--config: /missing: No such file"),
        (
            [&REQUIRED[..], &[&good, "--bind-address=192.0.2.1"]].concat(),
            "registry cannot listen on 192.0.2.1:10000",
        ),
    ] {
        let (code, _, err) = ended(metal_operator().args(&arguments)).await;
        assert_eq!(code, Some(1), "{arguments:?}: {err}");
        assert!(err.contains(wanted), "{arguments:?}: {err}");
        assert!(!err.contains("hunter2"), "{arguments:?}: {err}");
    }
}

#[tokio::test]
async fn a_service_account_is_missed_by_name() {
    let (code, _, err) = ended(
        metal_operator()
            .args(REQUIRED)
            .env("KUBECONFIG", "")
            .env("KUBERNETES_SERVICE_HOST", "127.0.0.1")
            .env("KUBERNETES_SERVICE_PORT", "1"),
    )
    .await;
    assert_eq!(code, Some(1));
    assert!(err.contains("give --kubeconfig"), "{err}");
}

#[tokio::test]
async fn a_signal_ends_it_orderly() {
    let folder = tempfile::tempdir().expect("a folder");
    // Nobody answers there: the operator serves, and waits for the lease.
    let kubeconfig = kubeconfig(folder.path(), "http://127.0.0.1:1");
    for signal in [Signal::SIGTERM, Signal::SIGINT] {
        let mut process = metal_operator()
            .args(REQUIRED)
            .args(ANY_PORT)
            .args(["--leader-elect", "-kubeconfig", &kubeconfig])
            .stderr(Stdio::piped())
            .spawn()
            .expect("started");
        let mut log = BufReader::new(process.stderr.take().expect("piped")).lines();
        let mut told = false;
        let mut lines = Vec::new();
        let follow = async {
            while let Some(line) = log.next_line().await.expect("readable") {
                if !told && line.contains("the lease could not be acquired") {
                    let id = process.id().and_then(|id| i32::try_from(id).ok()).expect("running");
                    kill(Pid::from_raw(id), signal).expect("told");
                    told = true;
                }
                lines.push(line);
            }
            process.wait().await.expect("ended")
        };
        let status = timeout(PATIENCE, follow).await.expect("stops when told");
        let log = lines.join("\n");
        assert_eq!(status.code(), Some(0), "{log}");
        assert!(
            told && log.contains(signal.as_str()) && log.contains("stopped: "),
            "{log}"
        );
        assert!(!log.contains("hunter2"), "{log}");
    }
}
