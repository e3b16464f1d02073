//! The operator's BMC driver against the BMC emulator: every operation, on every personality, over the wire format only.

mod accounts;
mod firmware;

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use bmc_emulator::{
    AdminAction, Bmc, Boot, ConnectionDropped, DriveName, Edges, Fault, Fleet, FleetSpec, GuestExit, GuestOs,
    HttpAction, PowerState, When,
};
use bytes::Bytes;
use futures::future::BoxFuture;
use http::{Request, Response};
use http_body_util::BodyExt;
use operator::bmc::{
    BmcAccess, BmcClient, BmcError, BmcPool, BootTarget, Credentials, Drive, Lasting, PoolSettings, ProtocolName,
    ReportedPower, ResetType, Scheme, System, TaskState, Trust,
};
use operator::edges::{BoxError, HttpService};
use operator::identity::{SystemUri, SystemUuid};
use operator::metrics::Metrics;
use tokio::task::JoinSet;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

const PASSWORD: &str = "canary-password";
const PERSONALITIES: [&str; 5] = ["generic", "dell", "hpe", "lenovo", "supermicro"];

/// A tenant that never ends by itself.
struct Idle;

impl GuestOs for Idle {
    fn boot(&self, _boot: Boot) -> BoxFuture<'static, GuestExit> {
        Box::pin(std::future::pending())
    }
}

struct Rack {
    bmc: Bmc,
    pool: BmcPool,
    stop: CancellationToken,
    tasks: JoinSet<()>,
}

impl Rack {
    /// One running machine of this personality, and the driver's pool in front of its BMC.
    fn new(personality: &str) -> Self {
        let nobody = HttpService::new(tower::service_fn(async |_: Request<Bytes>| {
            Err::<Response<Bytes>, BoxError>(std::io::Error::from(std::io::ErrorKind::ConnectionRefused).into())
        }));
        Self::beside(personality, nobody)
    }

    /// As [`Self::new`], with what the machine reaches over HTTP.
    fn beside(personality: &str, http: HttpService) -> Self {
        let yaml = format!(
            r"
machines:
  - name: node-1
    personality: {personality}
    drives:
      - name: nvme0n1
      - name: nvme1n1
    bmc:
      address: 127.8.0.1
      username: root
      password: {PASSWORD}
"
        );
        let spec = FleetSpec::from_yaml(&yaml, "fleet.yaml").expect("fleet file");
        let start = tokio::time::Instant::now();
        let epoch: jiff::Timestamp = "2026-01-01T00:00:00Z".parse().expect("timestamp");
        let edges = Edges {
            clock: Arc::new(move || epoch + start.elapsed()),
            http,
            guest: Arc::new(Idle),
            seed: 1,
            time_scale: 1.0,
        };
        let fleet = Fleet::new(&spec, edges).expect("fleet");
        let bmc = fleet.bmc("node-1").expect("machine");
        let (stop, mut tasks) = (CancellationToken::new(), JoinSet::new());
        tasks.spawn({
            let stop = stop.clone();
            async move { fleet.run(stop).await }
        });
        let settings = PoolSettings {
            request_timeout: Duration::from_secs(10),
            read_timeout: Duration::from_secs(30),
            max_concurrent_requests: 2,
            session_idle_timeout: Duration::from_secs(600),
            auth_backoff: Duration::from_secs(60),
            auth_backoff_max: Duration::from_secs(900),
            outage_backoff: Duration::from_secs(5),
            outage_backoff_max: Duration::from_secs(60),
        };
        let pool = BmcPool::new(wire(&bmc), Metrics::new(), settings);
        Self { bmc, pool, stop, tasks }
    }

    fn access(&self, password: &str) -> BmcAccess {
        let endpoint = self.bmc.endpoint();
        BmcAccess {
            protocol: ProtocolName::Redfish,
            scheme: Scheme::Https,
            host: endpoint.address.to_string(),
            port: endpoint.port,
            credentials: Credentials::new("root", password),
            trust: Trust::default(),
        }
    }

    async fn client(&self) -> BmcClient {
        self.pool.client(&self.access(PASSWORD)).await.expect("client")
    }

    /// Ends everything; no session may be left.
    async fn close(mut self) {
        self.pool.close_all().await;
        assert_eq!(
            self.bmc.inspect().sessions,
            Vec::<String>::new(),
            "sessions are left open"
        );
        self.stop.cancel();
        while self.tasks.join_next().await.is_some() {}
    }
}

/// The BMC's router as the operator's HTTP edge.
fn wire(bmc: &Bmc) -> HttpService {
    let router = bmc.router();
    HttpService::new(tower::service_fn(move |request: Request<Bytes>| {
        let router = router.clone();
        async move {
            let response = router.oneshot(request.map(Body::from)).await?;
            if response.extensions().get::<ConnectionDropped>().is_some() {
                return Err(std::io::Error::from(std::io::ErrorKind::ConnectionReset).into());
            }
            let (parts, body) = response.into_parts();
            Ok::<_, BoxError>(Response::from_parts(parts, body.collect().await?.to_bytes()))
        }
    }))
}

async fn only_system(client: &BmcClient) -> System {
    let mut systems = client.systems().await.expect("systems");
    assert_eq!(systems.len(), 1);
    systems.remove(0)
}

/// Reads until the power state is as wanted; a machine in time takes minutes at most.
async fn until_power(client: &BmcClient, uri: &SystemUri, wanted: ReportedPower) -> System {
    for _ in 0..600 {
        let system = client.system(uri).await.expect("system");
        if system.power_state == wanted {
            return system;
        }
        sleep(Duration::from_secs(1)).await;
    }
    panic!("the machine never became {wanted:?}");
}

#[tokio::test(start_paused = true)]
async fn a_machine_is_described_as_it_is() {
    for personality in PERSONALITIES {
        let rack = Rack::new(personality);
        let client = rack.client().await;
        let system = only_system(&client).await;
        assert_eq!(
            system.uuid,
            SystemUuid::new(&rack.bmc.system_uuid().to_string()),
            "{personality}"
        );
        assert_eq!(system.power_state, ReportedPower::Off);
        assert!(system.has_override_target && system.boot.boot_order.as_ref().is_some_and(|order| !order.is_empty()));
        assert!(
            system.manufacturer.is_some()
                && system.model.is_some()
                && system.serial_number.is_some()
                && system.bios_version.is_some()
        );
        assert_eq!(system.total_memory_gib, Some(64.0));
        let inventory = client.inventory(&system.uri).await.expect("inventory");
        assert_eq!(inventory.processors.len(), 1);
        assert!(inventory.processors[0].total_cores.is_some_and(|cores| cores > 0));
        let drives: usize = inventory.storages.iter().map(|storage| storage.drives.len()).sum();
        assert_eq!(drives, 2, "{inventory:?}");
        let managers = client.managers().await.expect("managers");
        assert_eq!(managers.len(), 1);
        assert!(
            managers[0].uuid.is_some() && managers[0].firmware_version.is_some() && managers[0].has_graphical_console
        );
        rack.close().await;
    }
}

#[tokio::test(start_paused = true)]
async fn power_goes_on_and_off_and_the_boot_override_is_consumed() {
    for personality in PERSONALITIES {
        let rack = Rack::new(personality);
        let client = rack.client().await;
        let uri = only_system(&client).await.uri;
        assert_eq!(
            client.set_boot_override(&uri, BootTarget::Pxe, Lasting::Once).await,
            Ok(true),
            "{personality}"
        );
        assert_eq!(
            client.set_boot_override(&uri, BootTarget::Pxe, Lasting::Once).await,
            Ok(false),
            "what is set is not written again"
        );
        let boot = client.system(&uri).await.expect("system").boot;
        assert_eq!(
            (boot.override_enabled.as_deref(), boot.override_target.as_deref()),
            (Some("Once"), Some("Pxe"))
        );

        client.reset_system(&uri, ResetType::On).await.expect("power on");
        until_power(&client, &uri, ReportedPower::On).await;
        sleep(Duration::from_secs(600)).await;
        let boot = client.system(&uri).await.expect("system").boot;
        assert_ne!(
            boot.override_enabled.as_deref(),
            Some("Once"),
            "{personality}: the boot consumes the override"
        );

        client.reset_system(&uri, ResetType::ForceOff).await.expect("power off");
        until_power(&client, &uri, ReportedPower::Off).await;
        assert_eq!(rack.bmc.inspect().power_state, PowerState::Off);
        rack.close().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_boot_override_can_be_taken_back() {
    for personality in PERSONALITIES {
        let rack = Rack::new(personality);
        let client = rack.client().await;
        let uri = only_system(&client).await.uri;
        client
            .set_boot_override(&uri, BootTarget::Pxe, Lasting::Once)
            .await
            .expect("override");
        assert_eq!(client.clear_boot_override(&uri).await, Ok(true), "{personality}");
        assert_eq!(client.clear_boot_override(&uri).await, Ok(false), "{personality}");
        rack.close().await;
    }
}

#[tokio::test(start_paused = true)]
async fn the_boot_order_is_written_once_and_arrives() {
    for personality in PERSONALITIES {
        let rack = Rack::new(personality);
        let client = rack.client().await;
        let system = only_system(&client).await;
        let mut order = system.boot.boot_order.expect("boot order");
        order.reverse();
        assert_eq!(
            client.set_boot_order(&system.uri, &order).await,
            Ok(true),
            "{personality}"
        );
        assert_eq!(
            client.set_boot_order(&system.uri, &order).await,
            Ok(false),
            "{personality}: pending or done, not written twice"
        );
        client.reset_system(&system.uri, ResetType::On).await.expect("power on");
        sleep(Duration::from_secs(900)).await;
        let now = client.system(&system.uri).await.expect("system").boot.boot_order;
        assert_eq!(now.as_ref(), Some(&order), "{personality}");
        rack.close().await;
    }
}

#[tokio::test(start_paused = true)]
async fn drives_are_erased_for_real() {
    for personality in PERSONALITIES {
        let rack = Rack::new(personality);
        let client = rack.client().await;
        let uri = only_system(&client).await.uri;
        for drive in ["nvme0n1", "nvme1n1"] {
            let records = [("tenant".to_owned(), "secret data".to_owned())].into();
            rack.bmc
                .apply(AdminAction::WriteDrive {
                    drive: DriveName(drive.to_owned()),
                    records,
                })
                .expect("drive");
        }
        let drives = client.drives(&uri).await.expect("drives");
        assert_eq!(drives.len(), 2, "{personality}");
        for drive in &drives {
            assert!(drive.secure_erase, "{personality}: {drive:?}");
            assert_eq!(erase(&client, drive).await, TaskState::Succeeded, "{personality}");
        }
        let truth = rack.bmc.inspect();
        assert!(
            truth.drives.iter().all(|drive| drive.records.is_empty()),
            "{personality}: {:?}",
            truth.drives
        );
        rack.close().await;
    }
}

#[tokio::test(start_paused = true)]
async fn an_erase_that_fails_says_so() {
    for personality in PERSONALITIES {
        let rack = Rack::new(personality);
        let client = rack.client().await;
        let uri = only_system(&client).await.uri;
        let fault = Fault::DriveEraseFails {
            drive: DriveName("nvme0n1".to_owned()),
            message: "media error".to_owned(),
            remaining: None,
        };
        rack.bmc.inject(fault).expect("fault");
        let mut verdicts = Vec::new();
        for drive in &client.drives(&uri).await.expect("drives") {
            verdicts.push(erase(&client, drive).await);
        }
        verdicts.sort_by_key(|state| format!("{state:?}"));
        assert_eq!(verdicts, [TaskState::Failed, TaskState::Succeeded], "{personality}");
        rack.close().await;
    }
}

async fn erase(client: &BmcClient, drive: &Drive) -> TaskState {
    let Some(task) = client.secure_erase(&drive.uri).await.expect("erase starts") else {
        return TaskState::Succeeded;
    };
    for _ in 0..10_000 {
        let report = client.task(&task).await.expect("task");
        if report.state != TaskState::Active {
            return report.state;
        }
        sleep(Duration::from_secs(5)).await;
    }
    panic!("{task} never ended");
}

#[tokio::test(start_paused = true)]
async fn bios_is_reset_at_the_next_boot() {
    for personality in PERSONALITIES {
        let rack = Rack::new(personality);
        let client = rack.client().await;
        let uri = only_system(&client).await.uri;
        let bios = client.bios(&uri).await.expect("bios").expect("a Bios resource");
        assert!(bios.supports_reset && !bios.attributes.is_empty(), "{personality}");
        client.reset_bios(&uri).await.expect("reset");
        assert!(rack.bmc.inspect().bios_reset_pending, "{personality}");
        client.reset_system(&uri, ResetType::On).await.expect("power on");
        sleep(Duration::from_secs(900)).await;
        assert!(!rack.bmc.inspect().bios_reset_pending, "{personality}");
        rack.close().await;
    }
}

#[tokio::test(start_paused = true)]
async fn sessions_survive_the_reboot_of_the_bmc() {
    for personality in PERSONALITIES {
        let rack = Rack::new(personality);
        let client = rack.client().await;
        let system = only_system(&client).await;
        let manager = client.managers().await.expect("managers").remove(0);
        client
            .reset_manager(&manager.uri, ResetType::GracefulRestart)
            .await
            .expect("reset");
        sleep(Duration::from_secs(900)).await;
        assert_eq!(
            client.system(&system.uri).await.expect("system").uuid,
            system.uuid,
            "{personality}"
        );
        assert_eq!(rack.bmc.inspect().sessions.len(), 1, "{personality}");
        rack.close().await;
    }
}

#[tokio::test(start_paused = true)]
async fn wrong_credentials_cost_one_login() {
    for personality in PERSONALITIES {
        let rack = Rack::new(personality);
        for _ in 0..5 {
            let client = rack
                .pool
                .client(&rack.access("wrong"))
                .await
                .expect("the service root is open");
            assert!(
                matches!(client.systems().await, Err(BmcError::Unauthorized { .. })),
                "{personality}"
            );
        }
        assert_eq!(rack.bmc.inspect().counters.logins_failed, 1, "{personality}");
        rack.close().await;
    }
}

#[tokio::test(start_paused = true)]
async fn faults_of_the_wire_are_told_apart() {
    for personality in PERSONALITIES {
        let rack = Rack::new(personality);
        let client = rack.client().await;
        let uri = only_system(&client).await.uri;
        let reset = |action| Fault::Http {
            method: Some("POST".to_owned()),
            path: "**/ComputerSystem.Reset".to_owned(),
            action,
            remaining: Some(1),
            when: When::default(),
        };
        for (action, executed) in [
            (
                HttpAction::Status {
                    status: 409,
                    body: None,
                },
                false,
            ),
            (
                HttpAction::Status {
                    status: 503,
                    body: None,
                },
                true,
            ),
            (HttpAction::Drop { processed: false }, true),
            (HttpAction::Hang, true),
        ] {
            rack.bmc.inject(reset(action.clone())).expect("fault");
            let error = client
                .reset_system(&uri, ResetType::On)
                .await
                .expect_err("the fault fires");
            assert_eq!(
                error.may_have_been_executed(),
                executed,
                "{personality}: {action:?}: {error}"
            );
            assert!(!error.to_string().contains(PASSWORD));
            assert_eq!(rack.bmc.inspect().counters.resets, 0, "{personality}: {action:?}");
        }
        rack.bmc
            .inject(reset(HttpAction::Drop { processed: true }))
            .expect("fault");
        let error = client
            .reset_system(&uri, ResetType::On)
            .await
            .expect_err("the fault fires");
        assert!(error.may_have_been_executed());
        assert_eq!(
            rack.bmc.inspect().counters.resets,
            1,
            "{personality}: executed once, not repeated"
        );
        rack.bmc.clear_faults();
        rack.close().await;
    }
}
