//! Runs an agent as its unit says.

use std::sync::Arc;

use bmc_emulator::InBand;
use probe::command_line::{self, Command};
use probe::{Clock, HttpService, agent, wipe};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::host::VirtualHost;
use super::identity;
use super::ignition::AgentService;

/// Runs the agent until it succeeds, or fails without being started again, or `stop`.
pub(super) async fn run(service: &AgentService, machine: &InBand, http: HttpService, stop: &CancellationToken) {
    let name = machine.machine_name();
    let host = Arc::new(VirtualHost(machine.clone()));
    let clock: Clock = Arc::new({
        let machine = machine.clone();
        move || machine.time()
    });
    let command = command_line::parse(&service.arguments);
    if let Ok(command) = &command {
        identity::agent(machine, command);
    }
    loop {
        // In its container the agent is process 1, which is the consent that a wipe needs.
        let outcome = match &command {
            Ok(Command::Probe(options)) => {
                info!(machine = name, "probe agent starts");
                let ended = agent::run(options, host.clone(), http.clone(), clock.clone(), stop.clone()).await;
                ended.map_err(|error| error.to_string())
            }
            Ok(Command::Wipe(options)) => {
                info!(machine = name, "wipe agent starts");
                let ended = wipe::run_and_remind(options, host.clone(), http.clone(), stop.clone()).await;
                ended
                    .map(|state| info!(machine = name, ?state, "wipe agent is done"))
                    .map_err(|error| error.to_string())
            }
            Err(error) => Err(error.to_string()),
        };
        let Err(error) = outcome else { return };
        match service.restart_delay {
            Some(delay) if !stop.is_cancelled() => {
                warn!(
                    machine = name,
                    error,
                    delay_seconds = delay.as_secs_f64(),
                    "agent failed and is started again"
                );
                tokio::select! {
                    biased;
                    () = stop.cancelled() => return,
                    () = tokio::time::sleep(delay) => {}
                }
            }
            _ => {
                warn!(machine = name, error, "agent failed");
                return;
            }
        }
    }
}
