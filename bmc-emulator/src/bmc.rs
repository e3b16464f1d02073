//! A handle on one machine and its BMC.

use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};

use serde_json::Value;
use tokio::time::Instant;
use uuid::Uuid;

use crate::admin::{ActionError, AdminAction};
use crate::fault::{Asked, Fault, FaultError, FaultId, HttpOutcome};
use crate::fleet::Shared;
use crate::machine::position::Position;
use crate::machine::truth::MachineTruth;
use crate::machine::{Machine, Moment, Out};
use crate::redfish::enclosure::Others;
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

/// One machine of a fleet, and its BMC. Cheap to clone.
#[derive(Clone)]
pub struct Bmc(Arc<Inner>);

struct Inner {
    name: String,
    index: usize,
    system_uuid: Uuid,
    endpoint: BmcEndpoint,
    shared: Arc<Shared>,
    position: Position,
    /// Whose BMC manages the machine, if it has none of its own.
    front: Option<Bmc>,
    /// The machines without one that this one's BMC manages, too.
    behind: OnceLock<Vec<Weak<Inner>>>,
    machine: Mutex<Machine>,
}

impl Bmc {
    pub(crate) fn new(
        index: usize,
        endpoint: BmcEndpoint,
        front: Option<Bmc>,
        shared: Arc<Shared>,
        machine: Machine,
    ) -> Self {
        Self(Arc::new(Inner {
            name: machine.hardware.name.clone(),
            index,
            system_uuid: machine.hardware.uuid,
            endpoint,
            shared,
            position: machine.position.clone(),
            front,
            behind: OnceLock::new(),
            machine: Mutex::new(machine),
        }))
    }

    /// Says, once, which machines its BMC manages besides its own.
    pub(crate) fn manages(&self, behind: &[Bmc]) {
        let behind = behind.iter().map(|bmc| Arc::downgrade(&bmc.0)).collect();
        // Nobody says it twice.
        let _ = self.0.behind.set(behind);
    }

    /// The machine whose BMC this is: itself, unless it is a further system behind that of another one.
    #[must_use]
    pub fn front(&self) -> &Bmc {
        self.0.front.as_ref().unwrap_or(self)
    }

    /// Whether the machine has a BMC of its own.
    #[must_use]
    pub fn has_own_bmc(&self) -> bool {
        self.0.front.is_none()
    }

    fn behind(&self) -> impl Iterator<Item = Bmc> {
        let behind = self.0.behind.get().into_iter().flatten();
        behind.filter_map(Weak::upgrade).map(Bmc)
    }

    /// The further system behind this BMC that a path belongs to.
    pub(crate) fn behind_at(&self, path: &str) -> Option<Bmc> {
        let mut segments = path.split('/').skip(3);
        let (collection, id) = (segments.next()?, segments.next()?);
        self.behind().find(|bmc| match collection {
            "Systems" => bmc.0.position.system_id == id,
            "Chassis" => bmc.0.position.chassis_id == id,
            _ => false,
        })
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

    /// The Redfish face. It answers only what the BMC itself would answer. Machines behind one BMC have one face.
    pub fn router(&self) -> axum::Router {
        crate::redfish::router(self.front().clone())
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
        let mut machine = self.lock();
        machine.settle(moment);
        let result = f(&mut machine, moment);
        let (mut outbox, due) = outcome(&mut machine, moment);
        let mut told = Vec::new();
        if self.has_own_bmc() {
            let deliveries = machine.redfish_deliveries(&outbox);
            outbox.extend(deliveries.into_iter().map(Out::Deliver));
        } else {
            told = machine.event_records(&outbox);
        }
        drop(machine);
        shared.dispatch(self, outbox, due);
        if !told.is_empty() {
            self.front().tell(told);
        }
        result
    }

    /// What another system behind this BMC has to tell to those who have subscribed here.
    fn tell(&self, records: Vec<Value>) {
        self.with(|machine, _| {
            for record in records {
                machine.request_deliveries(record);
            }
        });
    }

    /// As [`Self::with`], with all machines behind this BMC at once.
    pub(crate) fn with_others<R>(&self, f: impl FnOnce(&mut Machine, &mut dyn Others, Moment) -> R) -> R {
        let others: Vec<Bmc> = self.behind().collect();
        if others.is_empty() {
            return self.with(|machine, moment| f(machine, &mut Vec::new(), moment));
        }
        let shared = &self.0.shared;
        let moment = shared.moment();
        // Nobody who holds one of the others waits for this one.
        let mut machine = self.lock();
        let mut locked: Vec<MutexGuard<'_, Machine>> = others.iter().map(Bmc::lock).collect();
        machine.settle(moment);
        for other in &mut locked {
            other.settle(moment);
        }
        let result = f(&mut machine, &mut locked, moment);
        let mut outcomes = Vec::with_capacity(locked.len());
        for other in &mut locked {
            let outcome = outcome(other, moment);
            for record in other.event_records(&outcome.0) {
                machine.request_deliveries(record);
            }
            outcomes.push(outcome);
        }
        let (mut outbox, due) = outcome(&mut machine, moment);
        let deliveries = machine.redfish_deliveries(&outbox);
        outbox.extend(deliveries.into_iter().map(Out::Deliver));
        drop(locked);
        drop(machine);
        shared.dispatch(self, outbox, due);
        for (other, (outbox, due)) in others.iter().zip(outcomes) {
            shared.dispatch(other, outbox, due);
        }
        result
    }

    fn lock(&self) -> MutexGuard<'_, Machine> {
        self.0.machine.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What follows from what was done to a machine, and when something will happen by itself.
fn outcome(machine: &mut Machine, moment: Moment) -> (Vec<Out>, Option<Instant>) {
    machine.note_load(moment.now);
    (machine.take_outbox(), machine.new_alarm())
}
