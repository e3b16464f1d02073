//! S4, judged by the truth: what is really on the drives when a server is offered or claimed.

use super::{Breach, Invariant, Scene};
use crate::engine::world::{ObjectKey, text};
use bmc_emulator::MachineTruth;
use kube_emulator::Commit;

/// Stateless: the scene brings the truth at the two moments that matter.
pub struct NoResidue;

impl Invariant for NoResidue {
    fn name(&self) -> &'static str {
        "never offered with data on a drive"
    }

    fn commit(&mut self, commit: &Commit, scene: &Scene<'_>) -> Vec<Breach> {
        let Some(truth) = scene.truth else { return Vec::new() };
        // The administrator asked for servers as the last tenant left them.
        if text(&commit.object, "/spec/cleanupPolicy") == Some("Skip") {
            return Vec::new();
        }
        let soiled = soiled_drives(truth);
        if soiled.is_empty() {
            return Vec::new();
        }
        vec![Breach::new(
            format!(
                "{} is offered or claimed, and there is data on {}",
                commit.name,
                soiled.join(", ")
            ),
            [ObjectKey::of(commit).to_string(), format!("machine {}", truth.name)],
        )]
    }
}

fn soiled_drives(truth: &MachineTruth) -> Vec<String> {
    truth
        .drives
        .iter()
        .filter(|drive| !drive.records.is_empty())
        .map(|drive| {
            let records: Vec<&str> = drive.records.keys().map(String::as_str).collect();
            format!("{} ({})", drive.name, records.join(", "))
        })
        .collect()
}
