//! The fleet that is judged: a machine of each personality, served by `bmc-emulator`.

use crate::commands::cargo;
use crate::repository::Repository;
use bmc_emulator::{PersonalityName, Quirk};
use miette::{Context, IntoDiagnostic};
use std::fmt::Write as _;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};

pub(super) const PASSWORD: &str = "Interop-1234";

/// Machines twenty times as fast: the checkers wait for POST, and give up after a minute.
const TIME_SCALE: &str = "20";

/// Behaviour of real BMCs that the tools rightly call wrong; it is switched off to see whether anything else is.
pub(super) const WITHOUT: &[Quirk] = &[
    Quirk::RefusesNoChange,
    Quirk::NoAccountTypes,
    Quirk::BootOnlyInSettings,
    Quirk::RegistryMisspells,
];

/// Runs until it is dropped.
pub(super) struct Emulator {
    process: Child,
    /// Kept open: it would end if nobody could read what it prints.
    output: Option<BufReader<ChildStdout>>,
    pub ca_file: PathBuf,
    pub bmcs: Vec<ServedBmc>,
}

pub(super) struct ServedBmc {
    pub personality: PersonalityName,
    pub url: String,
}

impl Drop for Emulator {
    fn drop(&mut self) {
        // One that has ended by itself cannot be killed, and need not be.
        self.process.kill().ok();
        self.process.wait().ok();
    }
}

impl Emulator {
    pub(super) fn start(
        repository: &Repository,
        personalities: &[PersonalityName],
        folder: &Path,
    ) -> miette::Result<Self> {
        eprintln!("building bmc-emulator");
        cargo::build(repository, "dev", "bmc-emulator", "bmc-emulator")?;
        let fleet = folder.join("fleet.yaml");
        std::fs::write(&fleet, fleet_file(personalities))
            .into_diagnostic()
            .wrap_err_with(|| format!("cannot write {}", fleet.display()))?;
        let ca_file = folder.join("ca.pem");
        let mut process = Command::new(cargo::beside_this_program("bmc-emulator")?)
            .args(["serve", "--time-scale", TIME_SCALE, "--fleet"])
            .arg(&fleet)
            .arg("--ca-file")
            .arg(&ca_file)
            .env("RUST_LOG", "warn")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .into_diagnostic()
            .wrap_err("bmc-emulator cannot be started")?;
        let mut emulator = Self {
            output: process.stdout.take().map(BufReader::new),
            process,
            ca_file,
            bmcs: Vec::new(),
        };
        while let Some(line) = emulator.next_line()? {
            if line.contains("BMCs listen") {
                return Ok(emulator);
            }
            emulator.bmcs.extend(served_bmc(&line, personalities));
        }
        miette::bail!("bmc-emulator has ended before it served anything; it says why above")
    }

    fn next_line(&mut self) -> miette::Result<Option<String>> {
        let mut line = String::new();
        let length = match &mut self.output {
            Some(output) => output.read_line(&mut line).into_diagnostic()?,
            None => 0,
        };
        Ok((length > 0).then_some(line))
    }
}

/// Beside what every machine has: a controller that does RAID, a volume, and a GPU.
const HARDWARE: &str = "
  heightUnits: 2
  accelerators: [{ manufacturer: Contoso, model: C100, memoryGiB: 80 }]
  drives:
  - { name: nvme0n1 }
  - { name: sda, protocol: SATA, mediaType: HDD, secureErase: false }
  - { name: sdb, protocol: SAS, controller: RAID.1 }
  - { name: sdc, protocol: SAS, controller: RAID.1 }
  storageControllers: [{ id: RAID.1, raidTypes: [RAID0, RAID1] }]
  volumes: [{ controller: RAID.1, raidType: RAID1, drives: [sdb, sdc] }]
";

/// Every BMC on a free port. Powered on, as the tools expect of a system they are allowed to reset.
fn fleet_file(personalities: &[PersonalityName]) -> String {
    let mut text = String::from("machines:\n");
    for (index, personality) in personalities.iter().enumerate() {
        let without: Vec<&str> = WITHOUT
            .iter()
            .filter(|quirk| personality.quirks().contains(quirk))
            .map(|quirk| quirk.as_str())
            .collect();
        // Writing to a string cannot fail.
        writeln!(
            text,
            "- name: {personality}\n  personality: {personality}\n  poweredOn: true\n  withoutQuirks: [{}]\n  \
             bmc: {{ address: 127.0.0.{}, port: 0, password: {PASSWORD} }}{HARDWARE}",
            without.join(", "),
            index + 1,
        )
        .ok();
    }
    text
}

/// A line of the table that `bmc-emulator serve` prints: name, URL, UUID, user.
fn served_bmc(line: &str, personalities: &[PersonalityName]) -> Option<ServedBmc> {
    let mut words = line.split_whitespace();
    let name = words.next()?;
    let personality = personalities
        .iter()
        .find(|personality| personality.to_string() == name)?;
    let url = words.next().filter(|word| word.starts_with("https://"))?;
    Some(ServedBmc {
        personality: *personality,
        url: url.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fleet_is_one() {
        let spec = bmc_emulator::FleetSpec::from_yaml(&fleet_file(PersonalityName::ALL), "fleet.yaml").unwrap();
        assert_eq!(spec.machines.len(), PersonalityName::ALL.len());
    }

    #[test]
    fn the_table_of_the_emulator_is_understood() {
        let all = PersonalityName::ALL;
        let found = served_bmc("dell     https://127.0.0.2:41111  f9f058d4  admin", all).unwrap();
        assert_eq!(
            (found.personality, found.url.as_str()),
            (PersonalityName::Dell, "https://127.0.0.2:41111")
        );
        assert!(served_bmc("NAME     BMC   SYSTEM UUID   USER", all).is_none());
    }
}
