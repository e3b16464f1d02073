//! Emulated machines boot over an in-memory network, and what their ignition says is what runs. Virtual time.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bmc_emulator::{
    AdminAction, BoxError, Clock, DriveName, Edges, Fault, Fleet, FleetSpec, HttpService, MachineEventKind, PowerState,
};
use bytes::Bytes;
use http::{Request, Response};
use scenarios::guest::Guests;
use scenarios::guest::identity::GuestKind;
use scenarios::guest::tenant::TenantLabel;
use serde_json::{Value, json};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

const TENANT_SCRIPT: &str = "#!ipxe\n\nset kernel-url http://boot/image?imageName=ghcr%2Eio%2Fos&layer=kernel&version=1\n\
    kernel ${kernel-url} ip=any ignition.config.url=http://boot/ignition/${uuid}\nboot\n";

const FLEET: &str = "
machines:
  - name: m1
    boot: { serverURL: http://boot }
    drives:
      - { name: nvme0n1 }
      - { name: sda, protocol: SATA, mediaType: HDD }
    nics:
      - name: eno1
        ips: [10.0.0.5]
        neighbor: { chassisID: 00:00:5e:00:53:ff, portID: Ethernet7, systemName: leaf1 }
";

/// One machine, the network it is plugged into, and what it posted there.
struct World {
    fleet: Fleet,
    ignition: Arc<Mutex<Value>>,
    posts: Arc<Mutex<Vec<(String, Value)>>>,
    answer: Arc<Mutex<u16>>,
    identities: Arc<Mutex<Vec<(String, String, String)>>>,
}

impl World {
    fn new(ignition: Value) -> Self {
        let ignition = Arc::new(Mutex::new(ignition));
        let posts: Arc<Mutex<Vec<(String, Value)>>> = Arc::default();
        let answer = Arc::new(Mutex::new(200));
        let http = {
            let (ignition, posts, answer) = (ignition.clone(), posts.clone(), answer.clone());
            HttpService::new(tower::service_fn(move |request: Request<Bytes>| {
                let path = request.uri().path().to_owned();
                let (status, body) = if path.starts_with("/ipxe/") {
                    (200, TENANT_SCRIPT.to_owned())
                } else if path.starts_with("/ignition/") {
                    (200, ignition.lock().expect("not poisoned").to_string())
                } else {
                    let body = serde_json::from_slice(request.body()).expect("JSON");
                    posts.lock().expect("not poisoned").push((path, body));
                    (*answer.lock().expect("not poisoned"), String::new())
                };
                async move {
                    Response::builder()
                        .status(status)
                        .body(Bytes::from(body))
                        .map_err(BoxError::from)
                }
            }))
        };
        let start = Instant::now();
        let clock: Clock = Arc::new(move || {
            let elapsed = jiff::SignedDuration::try_from(start.elapsed()).expect("a short test");
            "2030-01-01T00:00:00Z".parse::<jiff::Timestamp>().expect("a timestamp") + elapsed
        });
        let guest = Arc::new(Guests::new(http.clone()));
        let spec = FleetSpec::from_yaml(FLEET, "fleet.yaml").expect("a fleet");
        let edges = Edges {
            clock,
            http,
            guest,
            seed: 1,
            time_scale: 1.0,
        };
        let fleet = Fleet::new(&spec, edges).expect("a fleet");
        let identities: Arc<Mutex<Vec<_>>> = Arc::default();
        let log = identities.clone();
        fleet.observe(Arc::new(move |event| {
            if let MachineEventKind::GuestIdentified { source, kind, label } = &event.kind {
                let identity = (source.clone(), kind.clone(), label.clone());
                log.lock().expect("not poisoned").push(identity);
            }
        }));
        Self {
            fleet,
            ignition,
            posts,
            answer,
            identities,
        }
    }

    /// Lets an hour pass with the power on, then switches off.
    async fn run_for_an_hour(&self) {
        let bmc = self.fleet.bmc("m1").expect("the machine");
        let stop = CancellationToken::new();
        let hour = async {
            bmc.apply(AdminAction::PowerOn).expect("switched on");
            tokio::time::sleep(Duration::from_secs(3600)).await;
            bmc.apply(AdminAction::PowerOff).expect("switched off");
            tokio::time::sleep(Duration::from_secs(60)).await;
            stop.cancel();
        };
        tokio::join!(self.fleet.run(stop.clone()), hour);
        assert_eq!(bmc.inspect().power_state, PowerState::Off);
    }

    fn posts_to(&self, path: &str) -> Vec<Value> {
        let posts = self.posts.lock().expect("not poisoned");
        posts
            .iter()
            .filter(|(to, _)| to == path)
            .map(|(_, body)| body.clone())
            .collect()
    }

    fn inject(&self, fault: Value) {
        let fault: Fault = serde_json::from_value(fault).expect("a fault");
        self.fleet.bmc("m1").expect("the machine").inject(fault).expect("valid");
    }

    /// What ran, from where, since the last call.
    fn take_identities(&self) -> Vec<(String, String, String)> {
        std::mem::take(&mut *self.identities.lock().expect("not poisoned"))
    }

    fn records(&self, drive: &str) -> Vec<String> {
        let truth = self.fleet.bmc("m1").expect("the machine").inspect();
        let drive = truth
            .drives
            .iter()
            .find(|found| found.name == drive)
            .expect("the drive");
        drive.records.keys().cloned().collect()
    }
}

fn agent_ignition(arguments: &str) -> Value {
    let unit = format!(
        "[Service]\nRestart=on-failure\nRestartSec=20\n\
         ExecStart=/usr/bin/ctr run --rm ghcr.io/probe:1 metalprobe ./launch.sh {arguments}\n"
    );
    json!({
        "ignition": { "version": "3.2.0" },
        "systemd": { "units": [ { "name": "metalprobe.service", "enabled": true, "contents": unit } ] },
    })
}

fn tenant_ignition(hostname: &str) -> Value {
    json!({
        "ignition": { "version": "3.4.0" },
        "storage": { "files": [ { "path": "/etc/hostname", "contents": { "source": format!("data:,{hostname}") } } ] },
    })
}

fn identity(source: &str, kind: GuestKind, label: impl ToString) -> (String, String, String) {
    (source.to_owned(), kind.as_str().to_owned(), label.to_string())
}

fn data_record(ignition: &Value) -> String {
    format!("tenant-data/{}", TenantLabel::new("ghcr.io/os:1", Some(ignition)))
}

#[tokio::test(start_paused = true)]
async fn the_probe_agent_registers_with_the_flags_of_the_ignition() {
    let world = World::new(agent_ignition(
        "--registry-url=http://registry --server-uuid=UUID-1 --registry-token=tok",
    ));
    world.run_for_an_hour().await;
    let registrations = world.posts_to("/register");
    assert!(
        registrations.len() > 100,
        "one every 30 seconds while the machine was on: {}",
        registrations.len()
    );
    let body = &registrations[0];
    assert_eq!(body["systemUUID"], "UUID-1");
    assert_eq!(body["data"]["networkInterfaces"][0]["ipAddresses"][0], "10.0.0.5");
    assert_eq!(body["data"]["lldp"][0]["neighbors"][0]["systemName"], "leaf1");
    assert_eq!(body["data"]["storage"].as_array().map(Vec::len), Some(2));
    assert_eq!(
        (world.records("nvme0n1"), world.records("sda")),
        (vec![], vec![]),
        "a probe leaves no traces"
    );
    assert_eq!(
        world.take_identities(),
        [identity("network:eno1", GuestKind::ProbeAgent, "UUID-1")]
    );
}

#[tokio::test(start_paused = true)]
async fn without_lldp_the_probe_agent_knows_no_neighbours() {
    let world = World::new(agent_ignition(
        "--registry-url=http://registry --server-uuid=u --registry-token=tok",
    ));
    world.inject(json!({ "type": "NoLldp" }));
    world.run_for_an_hour().await;
    let registrations = world.posts_to("/register");
    let last = &registrations.last().expect("a registration")["data"];
    assert!(last["lldp"].as_array().is_none_or(Vec::is_empty), "{}", last["lldp"]);
    assert_eq!(last["networkInterfaces"][0]["carrierStatus"], "up");
}

#[tokio::test(start_paused = true)]
async fn an_agent_that_gives_up_is_started_again_by_its_unit() {
    let flags = "--registry-url=http://registry --server-uuid=u --registration-attempts=1";
    let world = World::new(agent_ignition(flags));
    *world.answer.lock().expect("not poisoned") = 503;
    world.run_for_an_hour().await;
    let attempts = world.posts_to("/register").len();
    assert!((150..=180).contains(&attempts), "one every 20 seconds: {attempts}");
}

#[tokio::test(start_paused = true)]
async fn a_tenant_installs_itself_and_survives_a_reboot_until_it_is_wiped() {
    let first = tenant_ignition("node-1");
    let world = World::new(first.clone());
    world.run_for_an_hour().await;
    assert_eq!(
        world.records("nvme0n1"),
        ["/etc/hostname".to_owned(), "boot-image".to_owned(), data_record(&first)]
    );
    assert_eq!(world.records("sda"), [data_record(&first)]);
    let label = TenantLabel::new("ghcr.io/os:1", Some(&first));
    assert_eq!(
        world.take_identities(),
        [identity("network:eno1", GuestKind::DeliveredTenant, &label)]
    );

    // The drive comes first in the boot order: the installed tenant runs, whatever the network offers by now. It
    // writes to a drive that was exchanged meanwhile.
    let second = tenant_ignition("node-2");
    *world.ignition.lock().expect("not poisoned") = second.clone();
    let blank = AdminAction::WriteDrive {
        drive: DriveName("sda".to_owned()),
        records: [].into(),
    };
    world.fleet.bmc("m1").expect("the machine").apply(blank).expect("blank");
    world.run_for_an_hour().await;
    assert_eq!(world.records("sda"), [data_record(&first)]);
    assert_eq!(
        world.take_identities(),
        [identity("drive:nvme0n1", GuestKind::InstalledTenant, &label)]
    );

    // Without a wipe, the next tenant finds the data of the first.
    let no_boot = [(
        "tenant-data/".to_owned() + &TenantLabel::new("ghcr.io/os:1", Some(&first)).to_string(),
        "x".to_owned(),
    )];
    let unbootable = AdminAction::WriteDrive {
        drive: DriveName("nvme0n1".to_owned()),
        records: no_boot.into(),
    };
    world
        .fleet
        .bmc("m1")
        .expect("the machine")
        .apply(unbootable)
        .expect("written");
    world.run_for_an_hour().await;
    for drive in ["nvme0n1", "sda"] {
        let records = world.records(drive);
        assert!(
            records.contains(&data_record(&first)) && records.contains(&data_record(&second)),
            "{records:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn the_wipe_agent_erases_every_drive_and_reports() {
    let world = World::new(agent_ignition(
        "wipe --registry-url=http://registry --server-uuid=u --registry-token=tok",
    ));
    for drive in ["nvme0n1", "sda"] {
        let records = [("old".to_owned(), "data".to_owned())];
        let write = AdminAction::WriteDrive {
            drive: DriveName(drive.to_owned()),
            records: records.into(),
        };
        world
            .fleet
            .bmc("m1")
            .expect("the machine")
            .apply(write)
            .expect("written");
    }
    world.run_for_an_hour().await;
    assert_eq!((world.records("nvme0n1"), world.records("sda")), (vec![], vec![]));
    let reports = world.posts_to("/cleanup");
    let last = reports.last().expect("a report");
    assert_eq!(
        (&last["systemUUID"], &last["state"]),
        (&json!("u"), &json!("Succeeded"))
    );
    let drives: Vec<_> = last["drives"]
        .as_array()
        .expect("drives")
        .iter()
        .map(|d| (&d["name"], &d["method"], &d["state"]))
        .collect();
    assert_eq!(
        drives,
        [
            (&json!("/dev/nvme0n1"), &json!("NVMeFormat"), &json!("Erased")),
            (&json!("/dev/sda"), &json!("Overwrite"), &json!("Erased")),
        ]
    );
    let results = reports.iter().filter(|report| report["state"] == "Succeeded");
    assert!(results.count() > 10, "the operator is reminded of the result");
}

#[tokio::test(start_paused = true)]
async fn the_wipe_agent_notices_a_drive_that_lies() {
    let world = World::new(agent_ignition(
        "wipe --registry-url=http://registry --server-uuid=u --registry-token=tok",
    ));
    let records = [("old".to_owned(), "data".to_owned())];
    let write = AdminAction::WriteDrive {
        drive: DriveName("sda".to_owned()),
        records: records.into(),
    };
    world
        .fleet
        .bmc("m1")
        .expect("the machine")
        .apply(write)
        .expect("written");
    world.inject(json!({ "type": "DriveEraseLies", "drive": "sda" }));
    world.run_for_an_hour().await;
    assert_eq!(world.records("sda"), ["old"]);
    let reports = world.posts_to("/cleanup");
    let last = reports.last().expect("a report");
    assert_eq!(last["state"], "Failed", "{last}");
    assert_eq!(
        world.take_identities(),
        [identity("network:eno1", GuestKind::WipeAgent, "u")]
    );
}

#[tokio::test(start_paused = true)]
async fn a_broken_ignition_halts_the_machine() {
    let world = World::new(json!({ "ignition": { "version": "2.0.0" } }));
    world.run_for_an_hour().await;
    assert!(world.posts.lock().expect("not poisoned").is_empty());
    assert_eq!(world.records("nvme0n1"), Vec::<String>::new());
    assert!(world.take_identities().is_empty(), "nobody ran");
}
