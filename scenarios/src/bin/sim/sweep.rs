//! Sweeps: a scenario is repeated, and something happens at its first, second, … effect ([`Sweep`]).
//! Every run must pass all steps, and end as the run in which nothing happened did.

use crate::children;
use crate::command_line::{CommandLine, Sweep};
use crate::job::{Done, Job, JobPiece};
use crate::out::{Lines, indented, row};
use crate::scripted;
use scenarios::net::effect::Cut;
use scenarios::script::model::Capability;
use std::collections::BTreeMap;

/// Sweeps the chosen scenarios. True when every cut run passed, and ended as the run in which nothing happened.
pub(crate) fn run(arguments: &CommandLine, sweep: Sweep) -> miette::Result<(Vec<Done>, bool)> {
    let mut all = Vec::new();
    let (mut points, mut bad) = (0, 0);
    for (script, path, parameters) in scripted::chosen(arguments)? {
        if sweep == Sweep::Deposed
            && script
                .bind(&parameters)?
                .requires
                .contains(&Capability::OperatorControl)
        {
            // Of two operators nobody could say which one a script means.
            println!("left out {:36} it starts and stops the operator itself", script.name);
            continue;
        }
        let piece = |cut| JobPiece::Scenario {
            script: path.clone(),
            parameters: parameters.clone(),
            rest: scripted::REST,
            elects: sweep == Sweep::Deposed,
            cut,
        };
        let lines = Lines::new();
        let whole = children::run(&[arguments.job(piece(None), arguments.seed)], 1, |_, done| {
            if !done.is_good() {
                lines.tell(&row(&script.name, done), done);
            }
        })?;
        let Some(whole) = whole.into_iter().next() else {
            continue;
        };
        if !whole.is_good() {
            all.push(whole);
            bad += 1;
            continue;
        }
        let cuts = cuts(&whole, sweep, arguments.every);
        let jobs: Vec<Job> = cuts
            .iter()
            .map(|cut| arguments.job(piece(Some(*cut)), arguments.seed))
            .collect();
        let mut failed = 0;
        let swept = children::run(&jobs, arguments.at_once(), |index, done| {
            let cut = cuts[index];
            let differences = whole.end_state.differences(&done.end_state);
            if done.is_good() && differences.is_empty() {
                return;
            }
            failed += 1;
            let name = format!("{} cut at {cut}", script.name);
            lines.tell(&row(&name, done), done);
            println!("         the effect: {}", effect(&whole, cut));
            if !differences.is_empty() {
                println!(
                    "         it ended otherwise than when nothing happens:\n{}",
                    indented(&differences.join("\n"))
                );
            }
            println!(
                "         cargo xtask sim {} --seed {} --cut-at {cut}\n",
                script.name, arguments.seed,
            );
        })?;
        println!(
            "{}  {:36} {:>4} effects, {:>4} cut points, {failed} bad   {}",
            if failed == 0 { "swept  " } else { "FAILED " },
            script.name,
            whole.effects.len(),
            cuts.len(),
            kinds(&whole),
        );
        points += cuts.len();
        bad += failed;
        all.push(whole);
        all.extend(swept);
    }
    println!("\ncut points    {points}\nbad           {bad}");
    Ok((all, bad == 0))
}

fn cuts(whole: &Done, sweep: Sweep, every: u64) -> Vec<Cut> {
    let effects = (1..).zip(&whole.effects);
    effects
        .filter(|(number, _)| (number - 1) % every == 0)
        // Nothing in Redfish would tell a BMC that a command is late.
        .filter(|(_, effect)| sweep != Sweep::Late || effect.contains(" api "))
        .flat_map(|(effect, _)| sweep.sides().iter().map(move |side| Cut { effect, side: *side }))
        .collect()
}

fn effect(whole: &Done, cut: Cut) -> &str {
    let index = usize::try_from(cut.effect - 1).unwrap_or(usize::MAX);
    whole.effects.get(index).map_or("unknown", String::as_str)
}

/// What kinds of effects were cut, by the last word of their paths.
fn kinds(whole: &Done) -> String {
    let mut kinds: BTreeMap<String, u64> = BTreeMap::new();
    for effect in &whole.effects {
        *kinds.entry(kind(effect)).or_default() += 1;
    }
    let kinds: Vec<String> = kinds
        .into_iter()
        .map(|(kind, count)| format!("{kind} {count}"))
        .collect();
    kinds.join(", ")
}

/// `PATCH api /apis/metal.ironcore.dev/v1alpha1/servers/a/status` is `servers/status`; a command to a BMC is its action or resource.
fn kind(effect: &str) -> String {
    let path = effect.rsplit(' ').next().unwrap_or_default();
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    if let Some(action) = parts.iter().rposition(|part| *part == "Actions") {
        return parts.get(action + 1).copied().unwrap_or_default().to_owned();
    }
    let resource = |parts: &[&str]| match parts {
        [resource, _, "status"] => format!("{resource}/status"),
        [resource, ..] => (*resource).to_owned(),
        [] => "?".to_owned(),
    };
    match parts.as_slice() {
        ["apis", _, _, "namespaces", _, rest @ ..] | ["api", _, "namespaces", _, rest @ ..] => resource(rest),
        ["apis", _, _, rest @ ..] | ["api", _, rest @ ..] => resource(rest),
        ["redfish", "v1", rest @ ..] => rest
            .iter()
            .rev()
            .find(|part| part.chars().all(char::is_alphabetic))
            .copied()
            .unwrap_or("Redfish")
            .to_owned(),
        _ => path.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::kind;

    #[test]
    fn kinds_of_effects() {
        for (effect, expected) in [
            (
                "PATCH api /apis/metal.ironcore.dev/v1alpha1/servers/a/status",
                "servers/status",
            ),
            (
                "PATCH api /apis/metal.ironcore.dev/v1alpha1/namespaces/default/serverclaims/a",
                "serverclaims",
            ),
            ("POST api /api/v1/namespaces/default/secrets", "secrets"),
            (
                "POST bmc/node /redfish/v1/Systems/1/Actions/ComputerSystem.Reset",
                "ComputerSystem.Reset",
            ),
            ("POST bmc/node /redfish/v1/SessionService/Sessions", "Sessions"),
            ("PATCH bmc/node /redfish/v1/Systems/437XR1138R2", "Systems"),
        ] {
            assert_eq!(kind(effect), expected);
        }
    }
}
