//! The flags, in the groups in which `--help` shows them.

use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;

use clap::ArgAction;
use ipnet::IpNet;

use super::{CleanupPolicy, GoDuration};
use crate::discovery::filter::{Filter, mac_prefix};
use crate::discovery::leases::LeaseFile;

/// The HTTP server that probes and wipe agents report to.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Registry")]
pub struct RegistryOptions {
    /// URL under which probes reach the registry; without it built from protocol, address and port.
    #[arg(long, default_value = "", value_name = "URL")]
    pub registry_url: String,

    /// Scheme of the registry URL built from --registry-address.
    #[arg(long, default_value = "http", value_parser = ["http", "https"])]
    pub registry_protocol: String,

    /// Address under which probes reach the registry; required unless --registry-url is given.
    #[arg(long, env = "REGISTRY_ADDRESS", default_value = "", value_name = "ADDRESS")]
    pub registry_address: String,

    /// Port on which the registry listens.
    #[arg(long, default_value_t = 10_000, value_name = "PORT")]
    pub registry_port: u16,

    /// How old a registration may be, by this operator's clock, when a server becomes Available.
    #[arg(long, default_value = "2m", value_name = "DURATION")]
    pub registry_data_max_age: GoDuration,

    /// No effect: registrations are read from memory. Known so that command lines of the Go operator are understood.
    #[arg(long, default_value = "5s", value_name = "DURATION")]
    pub registry_client_timeout: GoDuration,

    /// No effect: a registration wakes the controller at once. Known so that command lines of the Go operator are understood.
    #[arg(long, default_value = "10s", value_name = "DURATION")]
    pub registry_resync_interval: GoDuration,

    /// Accept registrations without a token, as the Go operator did. Anybody on the network can then forge them.
    #[arg(long, default_value_t = false, action = ArgAction::Set, num_args = 0..=1, default_missing_value = "true", require_equals = true, value_name = "BOOL")]
    pub registry_allow_unauthenticated: bool,
}

/// The HTTP server that BMCs send events to.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Redfish events")]
pub struct EventOptions {
    /// URL under which BMCs reach the event receiver; without it built from protocol, address and port. Without either nobody
    /// subscribes, and nothing listens.
    #[arg(long, default_value = "", value_name = "URL")]
    pub event_url: String,

    /// Scheme of the event URL built from --event-address.
    #[arg(long, default_value = "http", value_parser = ["http", "https"])]
    pub event_protocol: String,

    /// Address under which BMCs reach the event receiver.
    #[arg(long, env = "EVENT_ADDRESS", default_value = "", value_name = "ADDRESS")]
    pub event_address: String,

    /// Port on which the event receiver listens.
    #[arg(long, default_value_t = 10_001, value_name = "PORT")]
    pub event_port: u16,

    /// Accept events without a token, as the Go operator did. Anybody on the network can then forge them.
    #[arg(long, default_value_t = false, action = ArgAction::Set, num_args = 0..=1, default_missing_value = "true", require_equals = true, value_name = "BOOL")]
    pub event_allow_unauthenticated: bool,

    /// Interval between two looks at an unchanged server or BMC whose events are known to arrive. Others are looked at as often as
    /// the resync intervals say.
    #[arg(long, default_value = "10m", value_name = "DURATION")]
    pub event_resync_interval: GoDuration,
}

/// How often and how many.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Controllers")]
pub struct ControllerOptions {
    /// Interval between two looks at an unchanged server.
    #[arg(long, default_value = "2m", value_name = "DURATION")]
    pub server_resync_interval: GoDuration,

    /// Interval between two looks at an unchanged BMC.
    #[arg(long, default_value = "2m", value_name = "DURATION")]
    pub bmc_resync_interval: GoDuration,

    /// Interval between two listings of the systems behind an unchanged BMC.
    #[arg(long, default_value = "10m", value_name = "DURATION")]
    pub bmc_discovery_interval: GoDuration,

    /// Servers reconciled at the same time.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..), value_name = "N")]
    pub server_max_concurrent_reconciles: u16,

    /// Server claims reconciled at the same time.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..), value_name = "N")]
    pub server_claim_max_concurrent_reconciles: u16,

    /// BMCs reconciled at the same time.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..), value_name = "N")]
    pub bmc_max_concurrent_reconciles: u16,

    /// Interval between two reads of a power state that is changing.
    #[arg(long, default_value = "5s", value_name = "DURATION")]
    pub power_polling_interval: GoDuration,

    /// How long a power change may take before it counts as failed (and a graceful shutdown is forced).
    #[arg(long, default_value = "2m", value_name = "DURATION")]
    pub power_polling_timeout: GoDuration,

    /// How long a BMC has to say Off before a machine counts as off: some say so for seconds while it still runs. 0 believes one answer.
    #[arg(long, default_value = "15s", value_name = "DURATION")]
    pub power_off_confirmation_time: GoDuration,

    /// Interval between two reads of another BMC resource that is changing (task, boot override).
    #[arg(long, default_value = "5s", value_name = "DURATION")]
    pub resource_polling_interval: GoDuration,

    /// How long such a resource may take.
    #[arg(long, default_value = "2m", value_name = "DURATION")]
    pub resource_polling_timeout: GoDuration,

    /// Reset a BMC that has been failing for this long; 0 means never.
    #[arg(long, default_value = "0", value_name = "DURATION")]
    pub bmc_failure_reset_delay: GoDuration,

    /// Interval between two looks at a BMC that is being reset.
    #[arg(long, default_value = "2m", value_name = "DURATION")]
    pub bmc_reset_resync_interval: GoDuration,

    /// How long to leave a BMC alone after its reset.
    #[arg(long, default_value = "2m", value_name = "DURATION")]
    pub bmc_reset_waiting_interval: GoDuration,

    /// How long a reset of a BMC by SSH may take.
    #[arg(long, default_value = "2m", value_name = "DURATION")]
    pub ssh_reset_timeout: GoDuration,

    /// Pin the SSH key that a BMC shows first. Without this, an administrator writes it to the BMC (annotation metal.ironcore.dev/ssh-host-key).
    #[arg(long, default_value_t = true, action = ArgAction::Set, num_args = 0..=1, default_missing_value = "true", require_equals = true, value_name = "BOOL")]
    pub ssh_trust_on_first_use: bool,

    /// Power a server that is found running off before its first discovery boot.
    #[arg(long, default_value_t = false, action = ArgAction::Set, num_args = 0..=1, default_missing_value = "true", require_equals = true, value_name = "BOOL")]
    pub enforce_first_boot: bool,

    /// Force the power off of a server that ignores a graceful shutdown even where its holder asked for Off. A server that is being
    /// released is always forced in the end.
    #[arg(long, default_value_t = false, action = ArgAction::Set, num_args = 0..=1, default_missing_value = "true", require_equals = true, value_name = "BOOL")]
    pub enforce_power_off: bool,
}

/// What happens between two tenants.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Cleanup")]
pub struct CleanupOptions {
    /// Cleanup policy of servers that do not name one.
    #[arg(long, value_enum, default_value_t = CleanupPolicy::Secure)]
    pub cleanup_policy: CleanupPolicy,

    /// How long one cleanup attempt may take.
    #[arg(long, default_value = "1h", value_name = "DURATION")]
    pub cleanup_timeout: GoDuration,

    /// How long one drive's out-of-band erase may take.
    #[arg(long, default_value = "30m", value_name = "DURATION")]
    pub cleanup_drive_timeout: GoDuration,
}

/// Endpoints that nobody has to write down.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Endpoint discovery")]
pub struct DiscoveryOptions {
    /// Create an Endpoint for every BMC (known to --mac-prefixes-file) that has a lease in this file of a DHCP server: dnsmasq, kea
    /// (memfile) or isc. Can be repeated.
    #[arg(long = "endpoint-discovery-leases", value_name = "SERVER:FILE")]
    pub leases: Vec<LeaseFile>,

    /// Create an Endpoint for every such BMC that answers a search by SSDP on the network of this address of the host.
    #[arg(long = "endpoint-discovery-ssdp", value_name = "ADDRESS")]
    pub ssdp: Option<Ipv4Addr>,

    /// Create Endpoints for addresses in these networks only. Default: all.
    #[arg(long = "endpoint-discovery-networks", value_delimiter = ',', value_name = "CIDR,…")]
    pub networks: Vec<IpNet>,

    /// Create no Endpoint for devices with these MAC addresses, or whose MAC addresses begin so.
    #[arg(long = "endpoint-discovery-except", value_delimiter = ',', value_name = "MAC,…", value_parser = mac_prefix)]
    pub except: Vec<String>,

    /// Interval between two looks.
    #[arg(long = "endpoint-discovery-interval", default_value = "1m", value_name = "DURATION")]
    pub interval: GoDuration,
}

impl DiscoveryOptions {
    pub(crate) fn filter(&self) -> Filter {
        Filter {
            networks: self.networks.clone(),
            except: self.except.clone(),
        }
    }
}

/// How BMCs are reached.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "BMC access")]
pub struct BmcOptions {
    /// Scheme towards BMCs whose protocol names none: http or https.
    #[arg(long, default_value = "", value_parser = ["", "http", "https"])]
    pub protocol: String,

    /// Do not verify BMC certificates when --protocol=https.
    #[arg(long, default_value_t = false, action = ArgAction::Set, num_args = 0..=1, default_missing_value = "true", require_equals = true, value_name = "BOOL")]
    pub skip_cert_validation: bool,

    /// Deprecated, only without --protocol: true means http, false means https without certificate verification.
    #[arg(long, default_value_t = true, action = ArgAction::Set, num_args = 0..=1, default_missing_value = "true", require_equals = true, value_name = "BOOL")]
    pub insecure: bool,

    /// PEM file with certificates that BMC certificates may be issued by, besides the built-in ones.
    #[arg(long, value_name = "FILE")]
    pub bmc_ca_file: Option<PathBuf>,

    /// Deadline of one operation that changes a machine, all its requests and waiting for its turn included. Must fit into the
    /// leader lease: nothing is sent that the lease does not outlive.
    #[arg(long, default_value = "10s", value_name = "DURATION")]
    pub bmc_request_timeout: GoDuration,

    /// Deadline of one BMC request that only reads.
    #[arg(long, default_value = "30s", value_name = "DURATION")]
    pub bmc_read_timeout: GoDuration,

    /// Requests in flight to one BMC.
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u16).range(1..), value_name = "N")]
    pub bmc_max_concurrent_requests: u16,

    /// Close the session of a BMC that was not used for this long.
    #[arg(long, default_value = "10m", value_name = "DURATION")]
    pub bmc_session_idle_timeout: GoDuration,

    /// Pause before refused credentials are tried again on the same BMC; doubles with every refusal.
    #[arg(long, default_value = "1m", value_name = "DURATION")]
    pub bmc_auth_backoff: GoDuration,

    /// Longest such pause.
    #[arg(long, default_value = "15m", value_name = "DURATION")]
    pub bmc_auth_backoff_max: GoDuration,

    /// Pause before a BMC that has not answered three times in a row is asked again; doubles with every failure.
    #[arg(long, default_value = "5s", value_name = "DURATION")]
    pub bmc_outage_backoff: GoDuration,

    /// Longest such pause.
    #[arg(long, default_value = "1m", value_name = "DURATION")]
    pub bmc_outage_backoff_max: GoDuration,
}

/// Where the operator itself listens.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Serving")]
pub struct ServingOptions {
    /// Address on which registry and webhooks listen. Machines and the API server must reach it in production; the default reaches
    /// nobody by accident.
    #[arg(long, default_value = "127.0.0.1", value_name = "ADDRESS")]
    pub bind_address: IpAddr,

    /// Address of the Prometheus endpoint; `:8080` is 127.0.0.1:8080, `0` turns it off.
    #[arg(long, default_value = ":8080", value_name = "ADDRESS")]
    pub metrics_bind_address: String,

    /// Address of /healthz and /readyz; `:8081` is 127.0.0.1:8081, `0` turns it off.
    #[arg(long, default_value = ":8081", value_name = "ADDRESS")]
    pub health_probe_bind_address: String,

    /// Serve metrics over HTTPS, and only to whom the API server allows to `get` the URL /metrics (TokenReview, SubjectAccessReview).
    #[arg(long, default_value_t = true, action = ArgAction::Set, num_args = 0..=1, default_missing_value = "true", require_equals = true, value_name = "BOOL")]
    pub metrics_secure: bool,

    /// Folder with the certificate of the metrics endpoint; without it one is made at the start that nobody has signed.
    #[arg(long, default_value = "", value_name = "DIR")]
    pub metrics_cert_path: String,

    /// Name of the certificate in that folder.
    #[arg(long, default_value = "tls.crt", value_name = "FILE")]
    pub metrics_cert_name: String,

    /// Name of its key.
    #[arg(long, default_value = "tls.key", value_name = "FILE")]
    pub metrics_cert_key: String,

    /// Offer HTTP/2 on the metrics endpoint and for webhooks. Off, because of attacks by requests that are taken back at once.
    #[arg(long, default_value_t = false, action = ArgAction::Set, num_args = 0..=1, default_missing_value = "true", require_equals = true, value_name = "BOOL")]
    pub enable_http2: bool,
}

/// Validation of objects before they are stored.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Webhooks")]
pub struct WebhookOptions {
    /// Serve the validating webhooks: `false` never, anything else always. Without it, where there is a certificate for them.
    #[arg(long, env = "ENABLE_WEBHOOKS", value_name = "BOOL")]
    pub enable_webhooks: Option<String>,

    /// Port on which they are served, over HTTPS.
    #[arg(long, default_value_t = 9443, value_name = "PORT")]
    pub webhook_port: u16,

    /// Folder with their certificate; without it k8s-webhook-server/serving-certs in the folder for temporary files.
    #[arg(long, default_value = "", value_name = "DIR")]
    pub webhook_cert_path: String,

    /// Name of the certificate in that folder.
    #[arg(long, default_value = "tls.crt", value_name = "FILE")]
    pub webhook_cert_name: String,

    /// Name of its key.
    #[arg(long, default_value = "tls.key", value_name = "FILE")]
    pub webhook_cert_key: String,
}

/// One active operator among several.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Leader election")]
pub struct LeaderElectionOptions {
    /// Work only while holding the lease `f26702e4.ironcore.dev` in the manager namespace.
    #[arg(long, default_value_t = false, action = ArgAction::Set, num_args = 0..=1, default_missing_value = "true", require_equals = true, value_name = "BOOL")]
    pub leader_elect: bool,

    /// How long a lease lives without renewal.
    #[arg(long, default_value = "15s", value_name = "DURATION")]
    pub leader_elect_lease_duration: GoDuration,

    /// How long a leader tries to renew before it gives up. Shorter than the lease duration.
    #[arg(long, default_value = "10s", value_name = "DURATION")]
    pub leader_elect_renew_deadline: GoDuration,

    /// Interval between two tries to acquire or renew.
    #[arg(long, default_value = "2s", value_name = "DURATION")]
    pub leader_elect_retry_period: GoDuration,
}
