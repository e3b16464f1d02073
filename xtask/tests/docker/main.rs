//! The images of `cargo xtask images --load`, run as they are deployed: not root where they need not be, on a file system that cannot be
//! written. Each starts, answers, and stops within five seconds of SIGTERM. `cargo xtask docker` builds and loads them before.
//!
//! | module | subject |
//! |---|---|
//! | [`emulated_bmc`] | a walk through a Redfish tree, and a power cycle |
//! | [`cluster`] | an API server for those who need one |

mod cluster;
mod emulated_bmc;

use axum::http::StatusCode;
use axum::{Router, routing};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;
use testcontainers::core::{Mount, WaitFor};
use testcontainers::runners::AsyncRunner as _;
use testcontainers::{ContainerAsync, ContainerRequest, GenericImage, ImageExt as _};
use tokio::sync::Notify;
use tokio::time::{Instant, timeout};

/// From SIGTERM to the end.
const STOP: Duration = Duration::from_secs(5);
/// Longer than that, so that a program that is too slow is not killed just in time.
const KILL_SECONDS: i32 = 15;
const PATIENCE: Duration = Duration::from_secs(60);
const LOOK_AGAIN: Duration = Duration::from_millis(200);

/// A container of one of our images, on the network of the host and with nothing to write to.
fn container(image: &str, ready: WaitFor, arguments: &[&str]) -> ContainerRequest<GenericImage> {
    GenericImage::new(image, "latest")
        .with_wait_for(ready)
        .with_cmd(arguments.iter().copied())
        .with_network("host")
        .with_readonly_rootfs(true)
        .with_cap_drop("ALL")
}

async fn start(request: ContainerRequest<GenericImage>) -> ContainerAsync<GenericImage> {
    request
        .start()
        .await
        .expect("Docker runs, and has the image: `cargo xtask images --load`")
}

/// SIGTERM ends it, in time and in an orderly way.
async fn stops(container: ContainerAsync<GenericImage>) {
    let began = Instant::now();
    container
        .stop_with_timeout(Some(KILL_SECONDS))
        .await
        .expect("it can be stopped");
    let took = began.elapsed();
    let code = container.exit_code().await.expect("it is known to Docker");
    assert_eq!(code, Some(0), "ended in an orderly way");
    assert!(took < STOP, "it took {took:?}");
}

/// Asks until the answer is a good one.
async fn answers(url: &str) -> String {
    let asked = async {
        loop {
            if let Ok(answer) = reqwest::get(url).await
                && answer.status().is_success()
            {
                return answer.text().await.unwrap_or_default();
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    };
    timeout(PATIENCE, asked)
        .await
        .unwrap_or_else(|_| panic!("{url} does not answer"))
}

fn free_address() -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    listener.local_addr().expect("an address")
}

#[tokio::test]
async fn the_operator() {
    let cluster = cluster::Cluster::start().await;
    let [health, registry, metrics] = [free_address(), free_address(), free_address()];
    let arguments = [
        "--kubeconfig=/cluster/kubeconfig".to_owned(),
        "--leader-elect".to_owned(),
        "--manager-namespace=default".to_owned(),
        "--probe-image=registry.example/probe:v1".to_owned(),
        "--probe-os-image=registry.example/os:v1".to_owned(),
        format!("--registry-url=http://{registry}"),
        format!("--registry-port={}", registry.port()),
        format!("--metrics-bind-address={metrics}"),
        format!("--health-probe-bind-address={health}"),
    ];
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let request = container("metal-operator", WaitFor::Nothing, &arguments);
    let operator = start(request.with_mount(cluster.mount())).await;
    answers(&format!("http://{health}/readyz")).await;
    // They are for those who may read them, behind a certificate that the operator has made itself.
    let client = reqwest::Client::builder().tls_danger_accept_invalid_certs(true).build();
    let request = client.expect("a client").get(format!("https://{metrics}/metrics"));
    let answer = request.send().await.expect("an answer");
    assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
    stops(operator).await;
}

#[tokio::test]
async fn the_metadata_service() {
    let cluster = cluster::Cluster::start().await;
    let [health, service] = [free_address(), free_address()];
    let arguments = [
        "--kubeconfig=/cluster/kubeconfig".to_owned(),
        format!("--metaldata-port={}", service.port()),
        format!("--health-probe-bind-address={health}"),
        "--metrics-bind-address=0".to_owned(),
    ];
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let request = container("metaldata", WaitFor::Nothing, &arguments);
    let metaldata = start(request.with_mount(cluster.mount())).await;
    answers(&format!("http://{health}/readyz")).await;
    let answer = reqwest::get(format!("http://{service}/")).await.expect("an answer");
    assert!(
        answer.status().is_success() || answer.status().is_client_error(),
        "{answer:?}"
    );
    stops(metaldata).await;
}

#[tokio::test]
async fn the_probe() {
    // A registry that refuses: whoever has no token asks again and again.
    let asked = Arc::new(Notify::new());
    let (address, heard) = (free_address(), asked.clone());
    let refuse = move || {
        heard.notify_one();
        async { StatusCode::UNAUTHORIZED }
    };
    let router = Router::new().fallback(routing::any(refuse));
    let listener = tokio::net::TcpListener::bind(address).await.expect("it was free");
    let mut registry = tokio::task::JoinSet::new();
    registry.spawn(async move { axum::serve(listener, router).await });
    let url = format!("--registry-url=http://{address}");
    let uuid = "--server-uuid=7c1dcd0f-1bd6-4c4c-a4b6-0b3f8f6c9d11";
    let probe = start(container("metalprobe", WaitFor::Nothing, &[&url, uuid])).await;
    timeout(PATIENCE, asked.notified())
        .await
        .expect("it reports to the registry");
    stops(probe).await;
}

#[tokio::test]
async fn the_emulator() {
    let folder = cluster::folder();
    let (bmc, admin) = (free_address(), free_address());
    let fleet = "machines: [{ name: node, bmc: { username: admin, password: not-a-secret } }]\n";
    cluster::write(&folder.path().join("fleet.yaml"), fleet);
    let (listen, on) = (format!("--listen={bmc}+"), format!("--admin={admin}"));
    let arguments = [
        "serve",
        "--fleet=/emulator/fleet.yaml",
        "--ca-file=/emulator/ca.pem",
        "--admin-token=not-a-secret-either",
        "--time-scale=60",
        &listen,
        &on,
    ];
    let request = container("bmc-emulator", WaitFor::message_on_stdout("admin API"), &arguments);
    let mount = Mount::bind_mount(folder.path().display().to_string(), "/emulator");
    let emulator = start(request.with_mount(mount)).await;
    let authority = std::fs::read(folder.path().join("ca.pem")).expect("its authority");
    let client = emulated_bmc::Client::new(bmc, admin, &authority);
    client.walk().await;
    client.power_cycle().await;
    stops(emulator).await;
}
