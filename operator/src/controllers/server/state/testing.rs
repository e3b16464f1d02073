//! Worlds for decision tables, built from a plain one step by step.

use std::time::Duration;

use crds::kinds::server::{ClaimReference, CleanupPolicy};
use crds::kinds::server_cleanup::{CleanupState, CleanupStatus};
use crds::kinds::server_status::{OperationIntent, OperationState};
use crds::{Power, Server, ServerSpec, ServerState, ServerStatus, SystemUuid, keys};
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::ResourceExt;

use crate::bmc::{Boot, ReportedPower, System};
use crate::controllers::server::decision::{Decision, Step};
use crate::controllers::server::observed::{BootView, CleanupView, Holder, Maintenance, Observed, Settings};
use crate::identity::SystemUri;
use crate::ownership::operation::Operation;
use crate::ownership::pacing::Pace;
use crate::ownership::provisioning::{self, Provisioning};
use crate::registry::Registration;

const EPOCH: i64 = 5;

#[derive(Clone)]
pub(super) struct World {
    pub(super) server: Server,
    pub(super) system: System,
    pub(super) readable: bool,
    pub(super) holder: Holder,
    pub(super) maintenance: Maintenance,
    pub(super) maintenance_queued: bool,
    pub(super) boot: BootView,
    pub(super) own_boot_exists: bool,
    pub(super) registration: Option<Registration>,
    pub(super) cleanup: CleanupView,
    pub(super) settings: Settings,
    pub(super) now: Timestamp,
}

fn start() -> Timestamp {
    Timestamp::from_second(1_800_000_000).unwrap()
}

impl World {
    /// Nobody holds it, nothing on the drives.
    pub(super) fn free() -> Self {
        let mut server = Server::new(
            "node-0",
            ServerSpec {
                system_uuid: SystemUuid::new("38947555-7742-3448-3784-823347823834"),
                tenancy_epoch: Some(EPOCH),
                ..ServerSpec::default()
            },
        );
        server.metadata.resource_version = Some("1".into());
        // Long enough to be believed.
        server.status.get_or_insert_default().power_state_since = Some(Time(start() - Duration::from_secs(60)));
        let pace = Pace {
            interval: Duration::from_secs(5),
            patience: Duration::from_secs(120),
            longest_pause: Duration::from_secs(120),
        };
        Self {
            server,
            system: System {
                uri: SystemUri::new("/redfish/v1/Systems/1"),
                uuid: crate::identity::SystemUuid::new("38947555-7742-3448-3784-823347823834"),
                manufacturer: Some("Contoso".into()),
                model: None,
                sku: None,
                serial_number: Some("S1".into()),
                bios_version: None,
                power_state: ReportedPower::Off,
                indicator_led: None,
                total_memory_gib: None,
                boot: Boot {
                    boot_order: Some(vec!["Boot0001".into(), "Boot0002".into()]),
                    ..Boot::default()
                },
                boot_progress: None,
                has_override_target: true,
                allowable_resets: None,
            },
            readable: true,
            holder: Holder::None,
            maintenance: Maintenance::None,
            maintenance_queued: false,
            boot: BootView::Missing,
            own_boot_exists: false,
            registration: None,
            cleanup: CleanupView::default(),
            settings: Settings {
                power: pace,
                off_confirmation: Duration::from_secs(15),
                resource: pace,
                resync: Duration::from_secs(120),
                discovery_timeout: Duration::from_secs(1800),
                cleanup_timeout: Duration::from_secs(3600),
                drive_timeout: Duration::from_secs(1800),
                cleanup_policy: CleanupPolicy::Secure,
                enforce_power_off: false,
                manager_namespace: "metal".into(),
            },
            now: start(),
        }
    }

    /// A claim holds it.
    pub(super) fn held() -> Self {
        let mut world = Self::free();
        world.server.spec.residue_epoch = Some(EPOCH);
        world.server.spec.server_claim_ref = Some(ClaimReference {
            namespace: "tenant".into(),
            name: "claim".into(),
            uid: Some("uid-1".into()),
        });
        world.holder = Holder::Claim { power: Power::On };
        world
    }

    /// The release is on record, the reference still there.
    pub(super) fn releasing() -> Self {
        let mut world = Self::held();
        world.server.spec.residue_epoch = Some(EPOCH - 1);
        world.holder = Holder::Gone;
        world
    }

    /// As `releasing`, and the reference was cleared.
    pub(super) fn residue() -> Self {
        let mut world = Self::releasing();
        world.server.spec.server_claim_ref = None;
        world.holder = Holder::None;
        world
    }

    pub(super) fn status(&mut self) -> &mut ServerStatus {
        self.server.status.get_or_insert_default()
    }

    pub(super) fn in_state(mut self, state: ServerState) -> Self {
        self.status().state = Some(state);
        self.status().state_since = Some(Time(start()));
        self
    }

    pub(super) fn power(mut self, power: ReportedPower) -> Self {
        self.system.power_state = power;
        self
    }

    /// The BMC began to say so this many seconds ago.
    pub(super) fn power_since(mut self, seconds: i64) -> Self {
        let since = self.now - jiff::SignedDuration::from_secs(seconds);
        self.status().power_state_since = Some(Time(since));
        self
    }

    pub(super) fn unreadable(mut self) -> Self {
        self.readable = false;
        self
    }

    /// The boot configuration; anything but its absence means that the server references it, and so does `Missing` here.
    pub(super) fn boot(mut self, boot: BootView) -> Self {
        self.boot = boot;
        if self.holder == Holder::None || self.holder == Holder::Gone {
            self.server.spec.boot_configuration_ref = Some(crds::ObjectReference {
                namespace: "metal".into(),
                name: "node-0".into(),
            });
        }
        self
    }

    pub(super) fn armed(mut self) -> Self {
        self.system.boot.override_enabled = Some("Once".into());
        self.system.boot.override_target = Some("Pxe".into());
        self
    }

    pub(super) fn inventoried(mut self) -> Self {
        let (manufacturer, serial) = (self.system.manufacturer.clone(), self.system.serial_number.clone());
        let order = self.system.boot.boot_order.clone().unwrap_or_default();
        let status = self.status();
        status.manufacturer = manufacturer;
        status.serial_number = serial;
        status.boot_order = order;
        status.total_system_memory = Some(k8s_openapi::apimachinery::pkg::api::resource::Quantity("64Gi".into()));
        self
    }

    pub(super) fn registered(mut self) -> Self {
        self.registration = Some(Registration {
            term: crate::registry::Term::of(&self.server),
            received_at: self.now,
            data: std::sync::Arc::default(),
        });
        self
    }

    fn record(mut self, operation: &Operation, attempts: i32, state: OperationState) -> Self {
        let now = self.now;
        self.status().operation = Some(OperationIntent {
            id: format!("{EPOCH}-{operation}-{attempts}"),
            operation: operation.to_string(),
            epoch: EPOCH,
            state,
            issued_at: Time(now),
            attempts,
            message: None,
        });
        self
    }

    /// Sent just now.
    pub(super) fn sent(self, operation: &Operation, attempts: i32) -> Self {
        self.record(operation, attempts, OperationState::Issued)
    }

    pub(super) fn observed(self, operation: &Operation, attempts: i32) -> Self {
        self.record(operation, attempts, OperationState::Observed)
    }

    pub(super) fn refused(self, operation: &Operation, attempts: i32) -> Self {
        self.record(operation, attempts, OperationState::Failed)
    }

    pub(super) fn without_record(mut self) -> Self {
        self.status().operation = None;
        self
    }

    pub(super) fn later(mut self, seconds: i64) -> Self {
        self.now += jiff::SignedDuration::from_secs(seconds);
        self
    }

    pub(super) fn provisioning(mut self, provisioning: Provisioning) -> Self {
        if let Some(value) = provisioning.value(EPOCH) {
            self.server
                .annotations_mut()
                .insert(provisioning::ANNOTATION.into(), value);
        }
        self
    }

    pub(super) fn claim_wants(mut self, power: Power) -> Self {
        self.holder = Holder::Claim { power };
        self
    }

    pub(super) fn gone(mut self) -> Self {
        self.holder = Holder::Gone;
        self
    }

    pub(super) fn enforcing(mut self) -> Self {
        self.settings.enforce_power_off = true;
        self
    }

    pub(super) fn request(mut self, operation: &str) -> Self {
        self.server
            .annotations_mut()
            .insert(keys::OPERATION_ANNOTATION.into(), operation.into());
        self
    }

    /// A cleanup of this epoch that has enumerated its drives, changed by `change`.
    pub(super) fn cleanup(mut self, change: impl FnOnce(&mut CleanupStatus)) -> Self {
        let mut cleanup = self.status().cleanup.take().unwrap_or_else(|| CleanupStatus {
            epoch: EPOCH,
            state: CleanupState::InProgress,
            started_at: Some(Time(start())),
            attempts: 1,
            ..CleanupStatus::default()
        });
        change(&mut cleanup);
        self.status().cleanup = Some(cleanup);
        self
    }

    pub(super) fn decide(&self) -> Decision {
        super::decide(&self.observe())
    }

    pub(super) fn observe(&self) -> Observed<'_> {
        Observed {
            server: &self.server,
            now: self.now,
            settings: &self.settings,
            system: self.readable.then_some(&self.system),
            holder: self.holder.clone(),
            maintenance: self.maintenance.clone(),
            maintenance_queued: self.maintenance_queued,
            boot: self.boot.clone(),
            own_boot_exists: self.own_boot_exists,
            registration: self.registration.clone(),
            cleanup: self.cleanup.clone(),
        }
    }

    /// The first attempt of an operation.
    pub(super) fn first(operation: Operation) -> Step {
        Step::Send { operation, attempt: 1 }
    }
}
