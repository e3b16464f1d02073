//! The binary on the machine that runs this test, against a registry on a real socket.

use std::collections::BTreeSet;
use std::process::Stdio;
use std::time::Duration;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use axum::{Json, Router};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::process::Command;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::timeout;

/// Longest the agent may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

type Posts = mpsc::UnboundedSender<(HeaderMap, Value)>;

async fn register(State(posts): State<Posts>, headers: HeaderMap, Json(body): Json<Value>) -> StatusCode {
    posts.send((headers, body)).expect("the test listens");
    StatusCode::CREATED
}

fn metalprobe() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_metalprobe"));
    // Without the proxy settings of whoever runs the tests.
    command.env_clear().stdin(Stdio::null()).kill_on_drop(true);
    command
}

fn names(list: &Value) -> BTreeSet<String> {
    let members = list.as_array().map(Vec::as_slice).unwrap_or_default();
    members
        .iter()
        .filter_map(|member| member["name"].as_str())
        .map(str::to_owned)
        .collect()
}

#[tokio::test]
async fn registers_the_real_hardware_of_this_machine() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    let (posts, mut received) = mpsc::unbounded_channel();
    let router = Router::new().route("/register", post(register)).with_state(posts);
    let mut server = JoinSet::new();
    server.spawn(async move { axum::serve(listener, router).await });

    let mut agent = metalprobe()
        .args([
            &format!("--registry-url={url}"),
            "--server-uuid=this-machine",
            "-registry-token",
            "tok",
        ])
        .spawn()
        .expect("started");
    let (headers, body) = timeout(PATIENCE, received.recv())
        .await
        .expect("in time")
        .expect("a registration");
    agent.kill().await.expect("stopped");

    assert_eq!(headers["authorization"], "Bearer tok");
    assert_eq!(body["systemUUID"], "this-machine");
    let data = &body["data"];
    println!("{data:#}");
    assert!(
        data["timestamp"]
            .as_str()
            .is_some_and(|time| time.parse::<jiff::Timestamp>().is_ok()),
        "{data}"
    );
    // What this machine has is asked of the kernel by another way than the agent's.
    let kernel: BTreeSet<String> = nix::net::if_::if_nameindex()
        .expect("readable")
        .into_iter()
        .map(|interface| interface.name().to_string_lossy().into_owned())
        .filter(|name| name != "lo" && !name.starts_with("tun") && !name.starts_with("docker0"))
        .collect();
    assert_eq!(names(&data["networkInterfaces"]), kernel);
    let threads: u64 = data["cpu"]
        .as_array()
        .expect("processors")
        .iter()
        .filter_map(|cpu| cpu["totalHardwareThreads"].as_u64())
        .sum();
    assert!(
        threads >= std::thread::available_parallelism().map_or(1, |threads| threads.get() as u64),
        "{data}"
    );
    let memory: u64 = data["memory"]
        .as_array()
        .expect("memory")
        .iter()
        .filter_map(|module| module["size"].as_u64())
        .sum();
    assert!(memory > 64 << 20, "{memory}");
    // A container may hide its disks; whatever is listed has a size.
    let disks = data["storage"].as_array().map(Vec::as_slice).unwrap_or_default();
    assert!(disks.iter().all(|disk| disk["sizeBytes"].as_u64() > Some(0)), "{data}");
}

#[tokio::test]
async fn a_missing_flag_ends_with_1_and_says_which() {
    let output = metalprobe()
        .arg("--registry-url=http://127.0.0.1:1")
        .output()
        .await
        .expect("started");
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("--server-uuid"));
    let help = metalprobe().arg("--help").output().await.expect("started");
    assert_eq!(help.status.code(), Some(0));
    let text = String::from_utf8_lossy(&help.stdout).into_owned();
    assert!(text.contains("--registry-token") && text.contains("wipe"), "{text}");
}

#[tokio::test]
async fn refuses_to_wipe_without_consent() {
    // No registry listens there, so that nothing is erased even if the refusal were broken.
    let wipe = metalprobe()
        .args(["wipe", "--registry-url=http://127.0.0.1:1", "--server-uuid=u"])
        .output();
    let output = timeout(PATIENCE, wipe).await.expect("ends by itself").expect("started");
    assert_eq!(output.status.code(), Some(1));
    let log = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(log.contains("--yes-erase-all-drives"), "{log}");
}
