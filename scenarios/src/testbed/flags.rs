//! The command line the operator of a world is started with: what the world dictates, then what the scenario says.

use crate::script::model::OperatorSpec;
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

/// The operator's own intervals and time limits that follow the speed of the hardware, with their defaults. Limits of single
/// requests are not among them: TLS and JSON take as long as they take.
const HARDWARE_TIMES: [(&str, Duration); 26] = [
    ("discovery-timeout", Duration::from_secs(30 * 60)),
    ("server-resync-interval", Duration::from_secs(120)),
    ("bmc-resync-interval", Duration::from_secs(120)),
    ("bmc-discovery-interval", Duration::from_secs(600)),
    ("event-resync-interval", Duration::from_secs(600)),
    ("power-polling-interval", Duration::from_secs(5)),
    ("power-polling-timeout", Duration::from_secs(120)),
    ("power-off-confirmation-time", Duration::from_secs(15)),
    ("resource-polling-interval", Duration::from_secs(5)),
    ("resource-polling-timeout", Duration::from_secs(120)),
    ("bmc-reset-resync-interval", Duration::from_secs(120)),
    ("bmc-reset-waiting-interval", Duration::from_secs(120)),
    ("cleanup-timeout", Duration::from_secs(60 * 60)),
    ("cleanup-drive-timeout", Duration::from_secs(30 * 60)),
    ("maintenance-resync-interval", Duration::from_secs(120)),
    ("settings-drift-interval", Duration::from_secs(900)),
    ("bios-setting-timeout", Duration::from_secs(2 * 60 * 60)),
    ("bmc-restart-timeout", Duration::from_secs(30 * 60)),
    ("firmware-task-timeout", Duration::from_secs(2 * 60 * 60)),
    ("firmware-staging-time", Duration::from_secs(300)),
    ("firmware-verification-timeout", Duration::from_secs(60 * 60)),
    ("bmc-session-idle-timeout", Duration::from_secs(600)),
    ("bmc-auth-backoff", Duration::from_secs(60)),
    ("bmc-auth-backoff-max", Duration::from_secs(900)),
    ("bmc-outage-backoff", Duration::from_secs(5)),
    ("bmc-outage-backoff-max", Duration::from_secs(60)),
];
/// Polling more often than this is a busy loop, however fast the machines are.
const SHORTEST: Duration = Duration::from_millis(50);
/// A limit shorter than this fails on a busy laptop, however fast the machines are.
const SHORTEST_LIMIT: Duration = Duration::from_secs(5);

/// What a world knows about itself.
pub(super) struct Surroundings<'a> {
    pub time_scale: f64,
    pub registry_url: &'a str,
    pub event_url: &'a str,
    pub bmc_scheme: &'a str,
    pub bmc_ca_file: Option<&'a Path>,
    pub mac_prefixes_file: Option<&'a Path>,
}

/// The arguments, without the program's name.
pub(super) fn arguments(world: &Surroundings<'_>, spec: &OperatorSpec) -> Vec<String> {
    let mut flags: BTreeMap<String, String> = BTreeMap::new();
    let mut set = |name: &str, value: String| {
        flags.insert(name.to_owned(), value);
    };
    set("probe-image", format!("{}/metalprobe:latest", super::IMAGE_REGISTRY));
    set("probe-os-image", format!("{}/probe-os:latest", super::IMAGE_REGISTRY));
    set("manager-namespace", super::MANAGER_NAMESPACE.to_owned());
    set("registry-url", world.registry_url.to_owned());
    if spec.events {
        set("event-url", world.event_url.to_owned());
    }
    set("protocol", world.bmc_scheme.to_owned());
    // The built-in template: no file of this machine may change what a scenario does.
    set("discovery-ignition-path", String::new());
    // Nobody logs in to an emulated machine.
    set("password-hash-cost", "4".to_owned());
    if let Some(file) = world.bmc_ca_file {
        set("bmc-ca-file", file.display().to_string());
    }
    if let Some(file) = world.mac_prefixes_file {
        set("mac-prefixes-file", file.display().to_string());
    }
    if world.time_scale > 1.0 {
        for (name, duration) in HARDWARE_TIMES {
            set(name, milliseconds(scaled(name, duration, world.time_scale)));
        }
    }
    for argument in spec.arguments(world.time_scale) {
        if let Some((name, value)) = argument.trim_start_matches('-').split_once('=') {
            flags.insert(name.to_owned(), value.to_owned());
        }
    }
    flags
        .into_iter()
        .map(|(name, value)| format!("--{name}={value}"))
        .collect()
}

fn scaled(name: &str, duration: Duration, time_scale: f64) -> Duration {
    let shortest = if name.ends_with("-timeout") {
        SHORTEST_LIMIT
    } else {
        SHORTEST
    };
    duration.div_f64(time_scale).max(shortest.min(duration))
}

fn milliseconds(duration: Duration) -> String {
    format!("{}ms", duration.as_millis())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::script::model::Scalar;
    use operator::Options;

    fn world(time_scale: f64) -> Surroundings<'static> {
        Surroundings {
            time_scale,
            registry_url: "http://registry",
            event_url: "http://events",
            bmc_scheme: "http",
            bmc_ca_file: None,
            mac_prefixes_file: None,
        }
    }

    #[test]
    fn hardware_times_are_those_of_the_operator() {
        let options =
            Options::from_arguments(arguments(&world(1.0), &OperatorSpec::default())).expect("good arguments");
        let with_ours = arguments(&world(1.0), &OperatorSpec::default()).into_iter().chain(
            HARDWARE_TIMES
                .iter()
                .map(|(name, duration)| format!("--{name}={}", milliseconds(*duration))),
        );
        let explicit = Options::from_arguments(with_ours).expect("good arguments");
        assert_eq!(format!("{options:?}"), format!("{explicit:?}"));
    }

    #[test]
    fn a_scenario_has_the_last_word() {
        let spec = OperatorSpec {
            options: BTreeMap::from([("power-polling-interval".to_owned(), Scalar("10s".to_owned()))]),
            ..OperatorSpec::default()
        };
        let arguments = arguments(&world(100.0), &spec);
        let of = |name: &str| {
            arguments
                .iter()
                .filter(|argument| argument.starts_with(name))
                .collect::<Vec<_>>()
        };
        assert_eq!(of("--power-polling-interval="), ["--power-polling-interval=100ms"]);
        assert_eq!(of("--resource-polling-interval="), ["--resource-polling-interval=50ms"]);
        assert_eq!(of("--cleanup-timeout="), ["--cleanup-timeout=36000ms"]);
        assert_eq!(of("--power-polling-timeout="), ["--power-polling-timeout=5000ms"]);
        assert_eq!(of("--bmc-request-timeout="), [""; 0]);
        Options::from_arguments(arguments).expect("good arguments");
    }
}
