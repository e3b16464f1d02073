//! A handle on one machine and its BMC.

use std::sync::{Arc, Mutex, PoisonError};

use uuid::Uuid;

use crate::admin::{ActionError, AdminAction};
use crate::fault::{Asked, Fault, FaultError, FaultId, HttpOutcome};
use crate::fleet::Shared;
use crate::machine::truth::MachineTruth;
use crate::machine::{Machine, Moment, Out};
use crate::secret::Secret;

/// Where a BMC can be reached, and who may log in as delivered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BmcEndpoint {
    /// IP address or host name.
    pub address: String,
    pub port: u16,
    pub mac_address: String,
    pub username: String,
    pub password: Secret,
    /// Where the shell is, if there is one.
    pub ssh_port: Option<u16>,
}

/// One machine of a fleet. Cheap to clone.
#[derive(Clone)]
pub struct Bmc(Arc<Inner>);

struct Inner {
    name: String,
    index: usize,
    system_uuid: Uuid,
    endpoint: BmcEndpoint,
    shared: Arc<Shared>,
    machine: Mutex<Machine>,
}

impl Bmc {
    pub(crate) fn new(index: usize, endpoint: BmcEndpoint, shared: Arc<Shared>, machine: Machine) -> Self {
        Self(Arc::new(Inner {
            name: machine.hardware.name.clone(),
            index,
            system_uuid: machine.hardware.uuid,
            endpoint,
            shared,
            machine: Mutex::new(machine),
        }))
    }

    pub fn name(&self) -> &str {
        &self.0.name
    }

    pub fn system_uuid(&self) -> Uuid {
        self.0.system_uuid
    }

    pub fn endpoint(&self) -> BmcEndpoint {
        self.0.endpoint.clone()
    }

    /// The Redfish face. It answers only what the BMC itself would answer.
    pub fn router(&self) -> axum::Router {
        crate::redfish::router(self.clone())
    }

    /// A number from 0 to 1 that belongs to one request of one fault of this machine: the same in every run of a seed.
    fn draw(&self, fault: FaultId, request: u64, purpose: &str) -> f64 {
        let path = [
            self.name(),
            "fault",
            &fault.0.to_string(),
            &request.to_string(),
            purpose,
        ];
        let bytes = crate::identity::derive(self.0.shared.edges.seed, &path);
        let number = bytes[..4]
            .iter()
            .fold(0_u32, |number, byte| (number << 8) | u32::from(*byte));
        f64::from(number) / (f64::from(u32::MAX) + 1.0)
    }

    /// What the faults make of a request that has just arrived.
    pub(crate) fn on_request(&self, machine: &mut Machine, asked: Asked<'_>) -> HttpOutcome {
        machine
            .faults
            .on_request(asked, |fault, request, purpose| self.draw(fault, request, purpose))
    }

    /// Whether a connection to the BMC would be accepted now.
    pub(crate) fn accepts_connections(&self) -> bool {
        self.with(|machine, moment| !machine.is_unreachable(moment.now))
    }

    /// What is really the case.
    pub fn inspect(&self) -> MachineTruth {
        self.with(|machine, _| machine.truth())
    }

    /// Makes something go wrong from now on.
    ///
    /// # Errors
    /// If the fault names a drive that does not exist, or could never fire.
    pub fn inject(&self, fault: Fault) -> Result<FaultId, FaultError> {
        self.with(|machine, moment| {
            if let Some(drive) = fault.drive()
                && machine.drive(drive).is_none()
            {
                return Err(FaultError::UnknownDrive(drive.clone()));
            }
            let lasts = fault.lasts();
            let scale = machine.time_scale;
            let id = machine
                .faults
                .inject(fault, |delay| moment.now + delay.div_f64(scale))?;
            if let Some(duration) = lasts {
                machine.expire_fault(id, moment.now + machine.scaled(duration));
            }
            Ok(id)
        })
    }

    /// Whether the fault still existed.
    pub fn remove_fault(&self, id: FaultId) -> bool {
        self.with(|machine, moment| {
            let existed = machine.faults.remove(id);
            machine.release_tasks(moment);
            existed
        })
    }

    pub fn clear_faults(&self) {
        self.with(|machine, moment| {
            machine.faults.clear();
            machine.release_tasks(moment);
        });
    }

    /// Does to the machine what someone standing in front of it could do.
    ///
    /// # Errors
    /// If the action names a drive, NIC or account that the machine does not have.
    pub fn apply(&self, action: AdminAction) -> Result<(), ActionError> {
        self.with(|machine, moment| machine.apply(action, moment))
    }

    pub(crate) fn index(&self) -> usize {
        self.0.index
    }

    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.0.shared
    }

    /// Brings the machine up to date, lets `f` read or change it, and carries out what follows from both.
    pub(crate) fn with<R>(&self, f: impl FnOnce(&mut Machine, Moment) -> R) -> R {
        let shared = &self.0.shared;
        let moment = shared.moment();
        let mut machine = self.0.machine.lock().unwrap_or_else(PoisonError::into_inner);
        machine.settle(moment);
        let result = f(&mut machine, moment);
        machine.note_load(moment.now);
        let mut outbox: Vec<Out> = machine.take_outbox();
        let deliveries = machine.redfish_deliveries(&outbox);
        outbox.extend(deliveries.into_iter().map(Out::Deliver));
        let due = machine.new_alarm();
        drop(machine);
        shared.dispatch(self, outbox, due);
        result
    }
}
