//! The part of systemd's unit files that decides what is started and how often.

use std::time::Duration;

/// `RestartSec=` where a unit says nothing.
const DEFAULT_RESTART_DELAY: Duration = Duration::from_millis(100);

/// The `[Service]` section of a unit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Service {
    /// Command lines of `ExecStart=`, each split into words.
    pub(super) commands: Vec<Vec<String>>,
    pub(super) restarts_on_failure: bool,
    pub(super) restart_delay: Duration,
}

/// Reads the `[Service]` section; other sections and keys say nothing about what runs here.
pub(super) fn service(contents: &str) -> Service {
    let mut service = Service {
        commands: Vec::new(),
        restarts_on_failure: false,
        restart_delay: DEFAULT_RESTART_DELAY,
    };
    let mut is_service = false;
    // A backslash at the end of a line continues it.
    for line in contents.replace("\\\n", " ").lines().map(str::trim) {
        if let Some(section) = line.strip_prefix('[') {
            is_service = section == "Service]";
        }
        let Some((key, value)) = line
            .split_once('=')
            .filter(|_| is_service && !line.starts_with(['#', ';']))
        else {
            continue;
        };
        match key.trim() {
            // An empty assignment resets the list.
            "ExecStart" if value.trim().is_empty() => service.commands.clear(),
            "ExecStart" => service.commands.push(words(value)),
            "Restart" => {
                service.restarts_on_failure =
                    matches!(value.trim(), "always" | "on-failure" | "on-abnormal" | "on-abort");
            }
            "RestartSec" => service.restart_delay = delay(value.trim()).unwrap_or(DEFAULT_RESTART_DELAY),
            _ => {}
        }
    }
    service
}

/// A plain number counts seconds.
fn delay(value: &str) -> Option<Duration> {
    let (number, unit) = value.split_at(value.find(|c: char| !c.is_ascii_digit()).unwrap_or(value.len()));
    let number: u64 = number.parse().ok()?;
    match unit.trim() {
        "" | "s" | "sec" => Some(Duration::from_secs(number)),
        "ms" => Some(Duration::from_millis(number)),
        "m" | "min" => Some(Duration::from_secs(number.checked_mul(60)?)),
        _ => None,
    }
}

/// Splits a command line at blanks that are not quoted.
fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    let mut characters = line.chars();
    while let Some(character) = characters.next() {
        match (quote, character) {
            (Some(open), _) if character == open => quote = None,
            (None, '"' | '\'') => {
                quote = Some(character);
                word.get_or_insert_default();
            }
            (None, _) if character.is_whitespace() => words.extend(word.take()),
            (_, '\\') => word.get_or_insert_default().extend(characters.next()),
            _ => word.get_or_insert_default().push(character),
        }
    }
    words.extend(word);
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_service_of_the_discovery_template() {
        let unit = "[Unit]\nExecStart=not this\n[Service]\nRestart=on-failure\nRestartSec=20\nTimeoutSec=600\n\
                    ExecStartPre=-/usr/bin/ctr task delete --force metalprobe\n# ExecStart=/bin/false\n\
                    ExecStart=/usr/bin/ctr run --rm image metalprobe ./launch.sh \\\n  --a=b \"c d\" 'e\"f' g\\ h \"\"\n\
                    [Install]\nWantedBy=multi-user.target\n";
        let service = service(unit);
        assert_eq!(service.restart_delay, Duration::from_secs(20));
        assert!(service.restarts_on_failure);
        assert_eq!(
            service.commands,
            [[
                "/usr/bin/ctr",
                "run",
                "--rm",
                "image",
                "metalprobe",
                "./launch.sh",
                "--a=b",
                "c d",
                "e\"f",
                "g h",
                ""
            ]]
        );
    }

    #[test]
    fn defaults_and_resets() {
        let service = service("[Service]\nExecStart=/a\nExecStart=\nExecStart=/b\nRestart=no\nRestartSec=1min 5s\n");
        assert_eq!(service.commands, [["/b"]]);
        assert_eq!(
            (service.restarts_on_failure, service.restart_delay),
            (false, DEFAULT_RESTART_DELAY)
        );
        for (text, expected) in [
            ("250ms", Some(250)),
            ("2min", Some(120_000)),
            ("3", Some(3_000)),
            ("x", None),
        ] {
            assert_eq!(delay(text), expected.map(Duration::from_millis), "{text}");
        }
    }
}
