//! Known incidents put back into the operator, to prove that the simulator finds them. Needs the feature `sabotage`, which no shipped
//! program has.

use miette::miette;

/// Checks names before anything runs.
#[cfg(feature = "sabotage")]
pub(crate) fn check(names: &[String]) -> miette::Result<()> {
    for name in names {
        name.parse::<operator::sabotage::Bug>().map_err(|_| {
            let known: Vec<String> = operator::sabotage::Bug::ALL.iter().map(ToString::to_string).collect();
            miette!(
                help = format!("there are {}", known.join(", ")),
                "there is no bug `{name}`"
            )
        })?;
    }
    Ok(())
}

/// Checks names before anything runs.
#[cfg(not(feature = "sabotage"))]
pub(crate) fn check(names: &[String]) -> miette::Result<()> {
    match names.first() {
        None => Ok(()),
        Some(name) => Err(miette!(
            help = "build it with --features sabotage",
            "this simulator cannot put `{name}` back into the operator"
        )),
    }
}

/// From now on the operators of this thread have these bugs.
#[cfg(feature = "sabotage")]
pub(crate) fn activate(names: &[String]) {
    operator::sabotage::activate(names.iter().filter_map(|name| name.parse().ok()));
}

/// From now on the operators of this thread have these bugs.
#[cfg(not(feature = "sabotage"))]
pub(crate) fn activate(_: &[String]) {}
