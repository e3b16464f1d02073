//! Discovery: collect what this machine is, register it, and keep the registration fresh (contract §6.2).
//!
//! Where the Go agent is known to be weak (contract W14) this one differs: it survives a registry that is not there yet,
//! and the time of a registration is renewed with every post, whether or not LLDP works.

use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use crate::backoff::Backoff;
use crate::command_line::{LogOptions, RegistryOptions};
use crate::edges::{Clock, HttpService};
use crate::go_duration;
use crate::host::{Host, HostError, Inventory};
use crate::model::{LldpInterface, Registration, RegistrationData};
use crate::registry::{RegistryClient, RegistryError};

/// How often a registration is renewed. The operator takes one for stale after 2 minutes.
const RENEWAL_INTERVAL: Duration = Duration::from_secs(30);
/// Longest delay between two attempts of the first registration.
const RETRY_CEILING: Duration = Duration::from_secs(60);
/// Rejections in a row after which the agent believes that it is not wanted any more.
const REJECTIONS_UNTIL_FINAL: u32 = 5;

/// Flags of the agent.
#[derive(Args, Clone, Debug)]
pub struct AgentOptions {
    #[command(flatten)]
    pub registry: RegistryOptions,
    /// Attempts of the first registration, with growing delays, before the agent gives up.
    #[arg(long, value_name = "COUNT", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..))]
    pub registration_attempts: u32,
    /// How often to ask for LLDP neighbours while none was heard.
    #[arg(long, value_name = "DURATION", default_value = "5s", value_parser = go_duration::parse)]
    pub lldp_sync_interval: Duration,
    /// How long to wait for the first LLDP neighbour before registering without any.
    #[arg(long, value_name = "DURATION", default_value = "30s", value_parser = go_duration::parse)]
    pub lldp_sync_duration: Duration,
    #[command(flatten)]
    pub logging: LogOptions,
}

/// Why the agent ended.
#[derive(Debug, thiserror::Error)]
pub enum AgentError {
    #[error("this machine cannot be described: {0}")]
    Inventory(#[source] HostError),
    #[error("the first registration failed {attempts} times, the last time because {last}")]
    NotRegistered {
        attempts: u32,
        #[source]
        last: RegistryError,
    },
    #[error("the registry rejected {rejections} registrations in a row, the last time because {last}")]
    Rejected {
        rejections: u32,
        #[source]
        last: RegistryError,
    },
}

/// Registers the machine and renews the registration until `stop`.
///
/// # Errors
/// When the machine cannot be described, when no registration succeeded within `--registration-attempts`, or when the
/// registry keeps rejecting renewals.
pub async fn run(
    options: &AgentOptions,
    host: Arc<dyn Host>,
    http: HttpService,
    clock: Clock,
    stop: CancellationToken,
) -> Result<(), AgentError> {
    let agent = Agent {
        options,
        host,
        registry: options.registry.client(http),
        clock,
    };
    tokio::select! {
        biased;
        () = stop.cancelled() => Ok(()),
        ended = agent.run() => match ended {
            Err(error) => Err(error),
        },
    }
}

struct Agent<'a> {
    options: &'a AgentOptions,
    host: Arc<dyn Host>,
    registry: RegistryClient,
    clock: Clock,
}

impl Agent<'_> {
    async fn run(&self) -> Result<std::convert::Infallible, AgentError> {
        let inventory = self.host.inventory().await.map_err(AgentError::Inventory)?;
        let mut lldp = self.first_neighbors().await;
        self.register_first(&inventory, &lldp).await?;
        let mut rejections = 0;
        loop {
            sleep(RENEWAL_INTERVAL).await;
            match self.host.lldp().await {
                Ok(heard) => lldp = heard,
                Err(error) => debug!(%error, "LLDP not refreshed, the last neighbours are kept"),
            }
            match self.register(&inventory, &lldp).await {
                Ok(()) => rejections = 0,
                Err(last) if last.is_rejection() => {
                    rejections += 1;
                    warn!(error = %last, rejections, "registration not renewed");
                    if rejections == REJECTIONS_UNTIL_FINAL {
                        return Err(AgentError::Rejected { rejections, last });
                    }
                }
                Err(error) => {
                    rejections = 0;
                    warn!(%error, "registration not renewed");
                }
            }
        }
    }

    /// Waits for the first neighbour: switches speak only every 30 seconds, and the operator may be done with this
    /// machine after its first registration.
    async fn first_neighbors(&self) -> Vec<LldpInterface> {
        let deadline = Instant::now() + self.options.lldp_sync_duration;
        loop {
            match self.host.lldp().await {
                Ok(heard) if !heard.is_empty() => return heard,
                Ok(_) => debug!("no LLDP neighbour heard yet"),
                Err(error @ HostError::LldpUnavailable { .. }) => {
                    info!(%error, "registering without LLDP neighbours");
                    return Vec::new();
                }
                Err(error) => warn!(%error, "LLDP neighbours not read"),
            }
            if Instant::now() + self.options.lldp_sync_interval > deadline {
                info!("no LLDP neighbour in time, registering without");
                return Vec::new();
            }
            sleep(self.options.lldp_sync_interval).await;
        }
    }

    async fn register_first(&self, inventory: &Inventory, lldp: &[LldpInterface]) -> Result<(), AgentError> {
        let backoff = self.options.registry.backoff(RETRY_CEILING);
        let mut attempts = 0;
        loop {
            attempts += 1;
            match self.register(inventory, lldp).await {
                Ok(()) => {
                    info!(attempts, "registered");
                    return Ok(());
                }
                Err(last) if attempts == self.options.registration_attempts => {
                    return Err(AgentError::NotRegistered { attempts, last });
                }
                Err(error) => {
                    let delay = backoff.after(attempts);
                    warn!(%error, attempts, delay_seconds = delay.as_secs_f64(), "not registered, trying again");
                    sleep(delay).await;
                }
            }
        }
    }

    async fn register(&self, inventory: &Inventory, lldp: &[LldpInterface]) -> Result<(), RegistryError> {
        self.registry
            .register(&Registration {
                system_uuid: self.options.registry.server_uuid.as_str().to_owned(),
                data: RegistrationData::new((self.clock)(), inventory.clone(), lldp.to_vec()),
            })
            .await
    }
}

impl RegistryOptions {
    pub(crate) fn client(&self, http: HttpService) -> RegistryClient {
        RegistryClient::new(
            self.registry_url.clone(),
            self.registry_token.clone(),
            self.registry_client_timeout,
            http,
        )
    }

    pub(crate) fn backoff(&self, ceiling: Duration) -> Backoff {
        Backoff::new(self.duration, ceiling, self.server_uuid.as_str())
    }
}
