//! A fleet: many machines, one heap of alarms, one place where their guests run.

pub mod duration;
mod enclosure;
mod error;
mod file;
pub mod model;
mod shard;
pub mod spec;
mod template;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, VecDeque};
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

pub use self::error::{FleetError, InjectError};
pub use self::shard::{NotAShard, Shard};
use self::spec::{FleetSpec, MachineSpec};
use crate::bmc::{Bmc, BmcEndpoint};
use crate::edges::Edges;
use crate::event::{MachineEvent, Observer};
use crate::fault::{FaultId, FleetFault};
use crate::firmware::{self, BootJob};
use crate::identity::MacAddresses;
use crate::machine::hardware::Hardware;
use crate::machine::position::Position;
use crate::machine::{Machine, Moment, Out};
use crate::mockup::Mockup;
use crate::personality::Personality;
use crate::redfish::delivery::{self, Delivery};
use crate::update::{self, UpdateJob};

/// Where addresses are counted from if a fleet does not say.
const FIRST_ADDRESS: Ipv4Addr = Ipv4Addr::new(127, 8, 0, 1);

/// Recordings by the names that a fleet file has for them.
pub type Mockups = BTreeMap<String, Mockup>;

/// All machines of a run. Cheap to clone.
#[derive(Clone)]
pub struct Fleet(Arc<Inner>);

struct Inner {
    shared: Arc<Shared>,
    bmcs: Vec<Bmc>,
    by_name: BTreeMap<String, usize>,
}

/// What the machines of a fleet have in common.
pub(crate) struct Shared {
    pub edges: Edges,
    alarms: Mutex<BinaryHeap<Reverse<(Instant, usize)>>>,
    jobs: Mutex<VecDeque<Job>>,
    wake: Notify,
    observers: Mutex<Vec<Observer>>,
}

/// Work that takes time, for [`Fleet::run`].
enum Job {
    Boot(Bmc, BootJob),
    Deliver(Bmc, Delivery),
    Update(Bmc, UpdateJob),
}

impl Fleet {
    /// Builds all machines. Nothing runs before [`Fleet::run`] is polled, but every BMC answers at once.
    ///
    /// # Errors
    /// If the specification contradicts itself: names or addresses that are not unique, an unknown boot device.
    pub fn new(spec: &FleetSpec, edges: Edges) -> Result<Fleet, FleetError> {
        Self::with_mockups(spec, edges, &Mockups::new())
    }

    /// A fleet some of whose machines replay recordings, which whoever runs it has loaded.
    ///
    /// # Errors
    /// As [`Fleet::new`], and if a recording is not among `mockups`.
    pub fn with_mockups(spec: &FleetSpec, edges: Edges, mockups: &Mockups) -> Result<Fleet, FleetError> {
        Self::part(spec, edges, mockups, None)
    }

    /// A part of a fleet, or all of it. Addresses are counted in each part anew.
    ///
    /// # Errors
    /// As [`Fleet::with_mockups`].
    pub fn part(spec: &FleetSpec, edges: Edges, mockups: &Mockups, shard: Option<Shard>) -> Result<Fleet, FleetError> {
        if !(edges.time_scale.is_finite() && edges.time_scale > 0.0) {
            return Err(FleetError::BadTimeScale(edges.time_scale));
        }
        let shared = Arc::new(Shared {
            edges,
            alarms: Mutex::default(),
            jobs: Mutex::default(),
            wake: Notify::new(),
            observers: Mutex::default(),
        });
        let moment = shared.moment();
        let mut bmcs: Vec<Bmc> = Vec::new();
        let mut by_name: BTreeMap<String, usize> = BTreeMap::new();
        let mut endpoints = BTreeMap::new();
        let mut mac_addresses = MacAddresses::default();
        let mut enclosures: BTreeMap<usize, Vec<Bmc>> = BTreeMap::new();
        let machines = template::expand(spec, mockups)?;
        let fronts = enclosure::fronts(&machines)?;
        let ours = machines.into_iter().enumerate().filter(|(number, _)| {
            // An enclosure is not torn apart.
            let number = fronts.get(number).unwrap_or(number);
            shard.is_none_or(|shard| shard.has(*number))
        });
        for (_, machine) in ours {
            let mockup = machine.mockup.as_ref().and_then(|name| mockups.get(name));
            let personality = personality(&machine, mockup);
            let index = bmcs.len();
            let front = machine.behind.as_ref().and_then(|front| by_name.get(front)).copied();
            let endpoint = match front {
                Some(front) => bmcs[front].endpoint(),
                None => endpoint(
                    &machine,
                    personality,
                    spec.first_address,
                    index,
                    shared.edges.seed,
                    &mut mac_addresses,
                ),
            };
            if by_name.insert(machine.name.clone(), index).is_some() {
                return Err(FleetError::DuplicateName(machine.name));
            }
            let socket = (endpoint.address.clone(), endpoint.port);
            if front.is_none()
                && let Some(other) = endpoints.insert(socket, index)
            {
                return Err(FleetError::DuplicateAddress {
                    address: format!("{}:{}", endpoint.address, endpoint.port),
                    first: bmcs[other].name().to_owned(),
                    second: machine.name,
                });
            }
            let sleds = front.map(|front| enclosures.entry(front).or_default());
            let number = sleds.as_ref().map_or(0, |sleds| sleds.len() + 1);
            let position = Position::new(personality, u32::try_from(number).unwrap_or(u32::MAX));
            let machine = new_machine(
                &machine,
                mockup,
                position,
                &endpoint,
                &shared,
                &mut mac_addresses,
                moment,
            )?;
            let front = front.map(|front| bmcs[front].clone());
            let bmc = Bmc::new(index, endpoint, front, Arc::clone(&shared), machine);
            if let Some(sleds) = sleds {
                sleds.push(bmc.clone());
            }
            bmcs.push(bmc);
        }
        for (front, sleds) in enclosures {
            bmcs[front].manages(&sleds);
        }
        let fleet = Fleet(Arc::new(Inner { shared, bmcs, by_name }));
        for bmc in &fleet.0.bmcs {
            bmc.with(|_, _| ());
        }
        for (index, rule) in spec.faults.iter().enumerate() {
            fleet.inject(rule).map_err(|error| FleetError::Fault {
                number: index + 1,
                error,
            })?;
        }
        Ok(fleet)
    }

    /// All machines, in the order of the specification.
    pub fn bmcs(&self) -> Vec<Bmc> {
        self.0.bmcs.clone()
    }

    /// Those that have a BMC of their own, and with it an address.
    pub fn own_bmcs(&self) -> Vec<Bmc> {
        self.0.bmcs.iter().filter(|bmc| bmc.has_own_bmc()).cloned().collect()
    }

    pub(crate) fn seed(&self) -> u64 {
        self.0.shared.edges.seed
    }

    pub fn bmc(&self, name: &str) -> Option<Bmc> {
        self.0.by_name.get(name).map(|index| self.0.bmcs[*index].clone())
    }

    /// Makes something go wrong in all machines that the rule is about, and returns the identifiers of the faults by
    /// machine.
    ///
    /// # Errors
    /// If the fault cannot be injected into one of them, or there is none. Then nothing has changed.
    pub fn inject(&self, rule: &FleetFault) -> Result<BTreeMap<String, FaultId>, InjectError> {
        let concerned: Vec<&Bmc> = self.0.bmcs.iter().filter(|bmc| rule.concerns(bmc.name())).collect();
        if concerned.is_empty() {
            return Err(InjectError::NoMachine(rule.machines.clone()));
        }
        let mut injected = BTreeMap::new();
        for bmc in concerned {
            match bmc.inject(rule.fault.clone()) {
                Ok(id) => {
                    injected.insert(bmc.name().to_owned(), id);
                }
                Err(error) => {
                    for (name, id) in injected {
                        self.bmc(&name).map(|bmc| bmc.remove_fault(id));
                    }
                    return Err(InjectError::Fault {
                        machine: bmc.name().to_owned(),
                        error,
                    });
                }
            }
        }
        Ok(injected)
    }

    /// The admin API: inspection, faults and actions, for whoever presents `token` as a bearer token.
    pub fn admin_router(&self, token: &str) -> axum::Router {
        crate::admin::router(self.clone(), token)
    }

    /// Calls `observer` for everything that happens from now on.
    pub fn observe(&self, observer: Observer) {
        lock(&self.0.shared.observers).push(observer);
    }

    /// Lets time pass for all machines: fires due alarms, runs boots and guests, delivers Redfish events.
    /// Ends when `stop` is cancelled; guests are dropped then.
    pub async fn run(&self, stop: CancellationToken) {
        let shared = &self.0.shared;
        let mut tasks = JoinSet::new();
        loop {
            let next = self.fire_alarms();
            while let Some(job) = shared.next_job() {
                tasks.spawn(job.run());
            }
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                () = shared.wake.notified() => {}
                Some(finished) = tasks.join_next(), if !tasks.is_empty() => {
                    if let Err(error) = finished {
                        tracing::error!(%error, "a guest or delivery ended abnormally");
                    }
                }
                () = sleep_until(next.unwrap_or_else(Instant::now)), if next.is_some() => {}
            }
        }
        tasks.shutdown().await;
    }

    /// Settles every machine whose alarm is due, and says when the next one is.
    fn fire_alarms(&self) -> Option<Instant> {
        let shared = &self.0.shared;
        loop {
            let now = Instant::now();
            let index = {
                let mut alarms = lock(&shared.alarms);
                match alarms.peek() {
                    Some(Reverse((due, _))) if *due <= now => alarms.pop().map(|Reverse((_, index))| index),
                    later => return later.map(|Reverse((due, _))| *due),
                }
            };
            if let Some(index) = index {
                self.0.bmcs[index].with(|_, _| ());
            }
        }
    }
}

impl Job {
    async fn run(self) {
        match self {
            Job::Boot(bmc, job) => firmware::run(bmc, job).await,
            Job::Deliver(bmc, delivery) => delivery::run(bmc, delivery).await,
            Job::Update(bmc, job) => update::run(bmc, job).await,
        }
    }
}

impl Shared {
    pub(crate) fn moment(&self) -> Moment {
        Moment {
            now: Instant::now(),
            wall: (self.edges.clock)(),
        }
    }

    /// Carries out what a machine asked for while it was locked.
    pub(crate) fn dispatch(&self, bmc: &Bmc, outbox: Vec<Out>, alarm: Option<Instant>) {
        let mut wake = false;
        if let Some(due) = alarm {
            lock(&self.alarms).push(Reverse((due, bmc.index())));
            wake = true;
        }
        if !outbox.is_empty() {
            let observers = lock(&self.observers).clone();
            for out in outbox {
                match out {
                    Out::Event(at, kind) => {
                        let event = MachineEvent {
                            machine: bmc.name().to_owned(),
                            at,
                            kind,
                        };
                        for observer in &observers {
                            observer(&event);
                        }
                    }
                    Out::Boot(job) => {
                        lock(&self.jobs).push_back(Job::Boot(bmc.clone(), job));
                        wake = true;
                    }
                    Out::Update(job) => {
                        lock(&self.jobs).push_back(Job::Update(bmc.clone(), job));
                        wake = true;
                    }
                    Out::Stop(token) => token.cancel(),
                    Out::Deliver(delivery) => {
                        lock(&self.jobs).push_back(Job::Deliver(bmc.clone(), delivery));
                        wake = true;
                    }
                }
            }
        }
        if wake {
            self.wake.notify_one();
        }
    }

    fn next_job(&self) -> Option<Job> {
        lock(&self.jobs).pop_front()
    }
}

/// A panic of another thread leaves plain data behind; it is still the best there is.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn personality(spec: &MachineSpec, mockup: Option<&Mockup>) -> &'static Personality {
    mockup.map_or_else(|| spec.personality.personality(), Mockup::personality)
}

fn new_machine(
    spec: &MachineSpec,
    mockup: Option<&Mockup>,
    position: Position,
    endpoint: &BmcEndpoint,
    shared: &Shared,
    mac_addresses: &mut MacAddresses,
    moment: Moment,
) -> Result<Machine, FleetError> {
    let seed = shared.edges.seed;
    let personality = personality(spec, mockup);
    let hardware = Hardware::new(
        spec,
        personality,
        seed,
        endpoint.address.clone(),
        endpoint.mac_address.clone(),
        mac_addresses,
    );
    let time_scale = shared.edges.time_scale;
    let mut machine =
        Machine::new(spec, position, personality, hardware, seed, time_scale, moment).map_err(|unknown| {
            FleetError::UnknownBootDevice {
                machine: spec.name.clone(),
                device: unknown.0,
            }
        })?;
    if let Some(mockup) = mockup {
        machine.replay(mockup);
    }
    Ok(machine)
}

fn endpoint(
    spec: &MachineSpec,
    personality: &Personality,
    first_address: Option<Ipv4Addr>,
    index: usize,
    seed: u64,
    mac_addresses: &mut MacAddresses,
) -> BmcEndpoint {
    let bmc = &spec.bmc;
    BmcEndpoint {
        address: bmc
            .address
            .clone()
            .unwrap_or_else(|| default_address(first_address, index).to_string()),
        port: bmc.port,
        mac_address: bmc
            .mac_address
            .clone()
            .unwrap_or_else(|| mac_addresses.derive(personality.mac_prefix, seed, &[&spec.name, "bmc"])),
        username: bmc.username.clone(),
        password: bmc.password.clone(),
        ssh_port: bmc.ssh_port,
    }
}

/// Counts up from the first address, without the addresses that end in 0 or 255.
fn default_address(first: Option<Ipv4Addr>, index: usize) -> Ipv4Addr {
    let first = first.unwrap_or(FIRST_ADDRESS).to_bits();
    let (block, host) = (first >> 8, (first & 0xff).max(1) - 1);
    let index = host + u32::try_from(index).unwrap_or(u32::MAX - host);
    Ipv4Addr::from_bits(((block + index / 254) << 8) | (index % 254 + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn default_addresses_are_distinct_hosts() {
        let all: std::collections::BTreeSet<Ipv4Addr> = (0..10_000).map(|index| default_address(None, index)).collect();
        assert_eq!(all.len(), 10_000);
        for (first, index, expected) in [
            (None, 0, "127.8.0.1"),
            (None, 254, "127.8.1.1"),
            (Some([127, 20, 3, 200]), 0, "127.20.3.200"),
            (Some([127, 20, 3, 254]), 1, "127.20.4.1"),
        ] {
            assert_eq!(default_address(first.map(Ipv4Addr::from), index).to_string(), expected);
        }
    }
}
