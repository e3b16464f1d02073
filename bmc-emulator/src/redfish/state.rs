//! What the Redfish service of one BMC remembers.

use tokio::time::Instant;

use super::accounts::Accounts;
use super::network_protocol::NetworkProtocol;
use super::session_service::Sessions;
use super::subscriptions::Subscriptions;
use super::tasks::Tasks;
use super::telemetry::Telemetry;
use crate::fleet::spec::MachineSpec;
use crate::personality::Personality;

#[derive(Debug)]
pub(crate) struct RedfishState {
    pub accounts: Accounts,
    pub sessions: Sessions,
    pub subscriptions: Subscriptions,
    pub tasks: Tasks,
    pub telemetry: Telemetry,
    pub network: NetworkProtocol,
}

impl RedfishState {
    /// What users have set up is gone. Sessions end with the restart that follows.
    pub(crate) fn reset_to_defaults(&mut self, personality: &Personality, now: Instant) {
        self.accounts.reset_to_defaults();
        self.telemetry = Telemetry::new(personality.telemetry.as_ref(), now);
        self.subscriptions = Subscriptions::default();
        self.network = NetworkProtocol {
            ssdp: self.network.ssdp.map(|_| true),
            ..NetworkProtocol::default()
        };
    }

    pub(crate) fn new(
        personality: &'static Personality,
        spec: &MachineSpec,
        number: u32,
        seed: u64,
        now: Instant,
    ) -> Self {
        Self {
            accounts: Accounts::new(personality, &spec.bmc),
            sessions: Sessions::new(&personality.sessions, &spec.name, seed),
            subscriptions: Subscriptions::default(),
            network: NetworkProtocol::default(),
            telemetry: Telemetry::new(personality.telemetry.as_ref(), now),
            tasks: Tasks::new(&personality.tasks, &spec.name, number, seed),
        }
    }
}
