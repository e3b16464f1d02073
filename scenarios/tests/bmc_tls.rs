//! The operator's deployed transports (reqwest and rustls, russh) against BMCs of the emulator on real sockets.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bmc_emulator::serve::{ServeOptions, serve_fleet};
use bmc_emulator::{Boot, Edges, Fault, Fleet, FleetSpec, GuestExit, GuestOs};
use bytes::Bytes;
use futures::future::BoxFuture;
use http::{Request, Response};
use operator::bmc::{
    BmcAccess, BmcError, BmcPool, Credentials, PoolSettings, ProtocolName, ReportedPower, Scheme, Trust,
};
use operator::bmc_http;
use operator::edges::{BoxError, HttpService};
use operator::metrics::Metrics;
use operator::options::{CertificatePolicy, ConfigError};
use operator::ssh::client::Client;
use operator::ssh::{Host, Ssh, SshError};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

struct Nothing;

impl GuestOs for Nothing {
    fn boot(&self, _boot: Boot) -> BoxFuture<'static, GuestExit> {
        Box::pin(std::future::pending())
    }
}

fn fleet() -> Fleet {
    fleet_of("machines: [{name: node-1, bmc: {address: 127.8.77.1, port: 0, username: root, password: canary}}]")
}

fn fleet_of(yaml: &str) -> Fleet {
    let epoch: jiff::Timestamp = "2026-01-01T00:00:00Z".parse().expect("timestamp");
    let edges = Edges {
        clock: Arc::new(move || epoch),
        http: HttpService::new(tower::service_fn(async |_: Request<Bytes>| {
            Err::<Response<Bytes>, BoxError>("nobody is there".into())
        })),
        guest: Arc::new(Nothing),
        seed: 1,
        time_scale: 1000.0,
    };
    Fleet::new(&FleetSpec::from_yaml(yaml, "fleet.yaml").expect("fleet file"), edges).expect("fleet")
}

fn pool(policy: CertificatePolicy, ca_file: Option<&Path>) -> BmcPool {
    let http = bmc_http::service(policy, ca_file, Duration::from_secs(5)).expect("transport");
    let settings = PoolSettings {
        request_timeout: Duration::from_secs(10),
        read_timeout: Duration::from_secs(10),
        max_concurrent_requests: 2,
        session_idle_timeout: Duration::from_secs(600),
        auth_backoff: Duration::from_secs(60),
        auth_backoff_max: Duration::from_secs(900),
        outage_backoff: Duration::from_secs(5),
        outage_backoff_max: Duration::from_secs(60),
    };
    BmcPool::new(http, Metrics::new(), settings)
}

#[tokio::test]
async fn certificates_are_verified_as_the_options_say() {
    // The process-wide provider, as main installs it; another test of this process may have been first.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let (fleet, stop, mut tasks) = (fleet(), CancellationToken::new(), JoinSet::new());
    let served = serve_fleet(&fleet, ServeOptions::default(), &stop, &mut tasks, |_| {}).expect("sockets");
    let directory = tempfile::tempdir().expect("directory");
    let ca_file = directory.path().join("ca.pem");
    std::fs::write(&ca_file, &served.ca_pem).expect("CA file");
    let access = BmcAccess {
        protocol: ProtocolName::Redfish,
        scheme: Scheme::Https,
        host: served.bmcs[0].address.ip().to_string(),
        port: served.bmcs[0].address.port(),
        credentials: Credentials::new("root", "canary"),
        trust: Trust::default(),
    };
    let bmc = fleet.bmc("node-1").expect("machine");

    for pool in [
        pool(CertificatePolicy::Verify, Some(&ca_file)),
        pool(CertificatePolicy::AcceptAny, None),
    ] {
        let client = pool.client(&access).await.expect("client");
        let systems = client.systems().await.expect("systems");
        assert_eq!(systems[0].power_state, ReportedPower::Off);
        assert_eq!(bmc.inspect().sessions.len(), 1);
        pool.close_all().await;
        assert_eq!(bmc.inspect().sessions.len(), 0);
    }

    // A certificate that nobody vouches for: no credential is sent, nothing was done.
    let strict = pool(CertificatePolicy::Verify, None);
    let error = strict.client(&access).await.err().expect("an unknown authority");
    assert!(matches!(error, BmcError::Unreachable { sent: false, .. }), "{error:?}");
    assert_eq!(bmc.inspect().counters.logins_failed, 0);

    // The secret of a BMC has the last word, in both directions: also where the flags accept anything.
    let trust = |ca: Option<&str>, fingerprint: Option<&str>| Trust::parse(ca, fingerprint).expect("trust");
    let of_another = "00".repeat(32);
    let own = certificate_digest(&access.host, access.port).await;
    for (trust, accepted) in [
        (trust(Some(&served.ca_pem), None), true),
        (trust(None, Some(&own)), true),
        (trust(None, Some(&format!("{of_another},{own}"))), true),
        (trust(None, Some(&of_another)), false),
        (trust(Some(&unrelated_ca()), None), false),
    ] {
        for policy in [CertificatePolicy::Verify, CertificatePolicy::AcceptAny] {
            let pool = pool(policy, None);
            let access = BmcAccess {
                trust: trust.clone(),
                ..access.clone()
            };
            let client = pool.client(&access).await;
            assert_eq!(client.is_ok(), accepted, "{trust:?} {policy:?} {:?}", client.err());
            pool.close_all().await;
        }
    }
    // Who stands in between shows the right certificate without having its key: the handshake fails by its signature, which is rustls' part.

    // The connection breaks, or is refused: told apart from an answer, without secrets.
    let lenient = pool(CertificatePolicy::AcceptAny, None);
    let client = lenient.client(&access).await.expect("client");
    bmc.inject(Fault::BmcUnreachable { duration: None }).expect("fault");
    let error = client.systems().await.expect_err("unreachable");
    assert!(matches!(error, BmcError::Unreachable { .. }), "{error:?}");
    assert!(!format!("{error} {error:?}").contains("canary"));
    bmc.clear_faults();
    assert_eq!(client.systems().await.expect("systems").len(), 1);
    lenient.close_all().await;

    stop.cancel();
    while tasks.join_next().await.is_some() {}
    let refused = lenient.client(&access).await.err().expect("nobody listens");
    assert!(
        matches!(refused, BmcError::Unreachable { sent: false, .. }),
        "{refused:?}"
    );
}

/// As `openssl s_client … | openssl x509 -fingerprint -sha256` would show it.
async fn certificate_digest(host: &str, port: u16) -> String {
    use sha2::Digest;
    let seen = reqwest::Client::builder()
        .tls_danger_accept_invalid_certs(true)
        .tls_info(true)
        .no_proxy()
        .build()
        .expect("a client")
        .get(format!("https://{host}:{port}/redfish/v1/"))
        .send()
        .await
        .expect("an answer");
    let info = seen.extensions().get::<reqwest::tls::TlsInfo>().expect("TLS");
    hex::encode(sha2::Sha256::digest(info.peer_certificate().expect("a certificate")))
}

fn unrelated_ca() -> String {
    let key = rcgen::KeyPair::generate().expect("a key");
    let certificate = rcgen::CertificateParams::new(Vec::new())
        .expect("parameters")
        .self_signed(&key);
    certificate.expect("a certificate").pem()
}

#[tokio::test]
async fn a_bmc_is_restarted_in_its_shell() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let fleet = fleet_of(
        "machines: [{name: node-1, personality: dell, bmc: {address: 127.8.77.2, port: 0, sshPort: 2222, username: root, password: canary}}]",
    );
    let (stop, mut tasks) = (CancellationToken::new(), JoinSet::new());
    serve_fleet(&fleet, ServeOptions::default(), &stop, &mut tasks, |_| {}).expect("sockets");
    let bmc = fleet.bmc("node-1").expect("machine");
    let client = Client::new(Duration::from_secs(10));
    let host = || Host {
        address: "127.8.77.2".to_owned(),
        port: 2222,
    };
    let key = client.host_key(host()).await.expect("a key");
    assert_eq!(key, bmc.ssh_host_key());
    let run = |key: &str, password: &str, command| {
        client.run(host(), key.to_owned(), Credentials::new("root", password), command)
    };

    // Another key: the password is not sent.
    let other = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    let error = run(other, "wrong", "racreset").await.expect_err("not that host");
    assert_eq!(error, SshError::OtherKey { shown: key.clone() });
    assert_eq!(bmc.inspect().counters.logins_failed, 0);

    assert_eq!(run(&key, "wrong", "racreset").await, Err(SshError::Denied));
    assert_eq!(bmc.inspect().counters.logins_failed, 1);
    let error = run(&key, "canary", "resetsp")
        .await
        .expect_err("that is another vendor's");
    assert!(matches!(error, SshError::Failed { status: 127, .. }), "{error:?}");
    assert_eq!(bmc.inspect().counters.bmc_resets, 0);
    run(&key, "canary", "racreset").await.expect("a reset");
    assert_eq!(bmc.inspect().counters.bmc_resets, 1);
    // It restarts.
    let error = run(&key, "canary", "racreset").await.expect_err("nobody is there");
    assert!(matches!(error, SshError::Unreachable { .. }), "{error:?}");

    stop.cancel();
    while tasks.join_next().await.is_some() {}
}

#[test]
fn a_ca_file_must_hold_a_certificate() {
    let directory = tempfile::tempdir().expect("directory");
    let empty = directory.path().join("empty.pem");
    std::fs::write(&empty, "").expect("file");
    for path in [empty.as_path(), Path::new("/nonexistent/ca.pem")] {
        let error = bmc_http::service(CertificatePolicy::Verify, Some(path), Duration::from_secs(1)).err();
        assert!(
            matches!(
                error,
                Some(ConfigError::File {
                    flag: "bmc-ca-file",
                    ..
                })
            ),
            "{error:?}"
        );
    }
}
