//! Machines that have no BMC of their own.

use std::collections::BTreeMap;

use super::error::FleetError;
use super::spec::MachineSpec;

/// The number of the machine whose BMC it is, for every machine that is behind that of another one.
pub(super) fn fronts(machines: &[MachineSpec]) -> Result<BTreeMap<usize, usize>, FleetError> {
    let mut fronts = BTreeMap::new();
    for (number, machine) in machines.iter().enumerate() {
        let Some(name) = &machine.behind else {
            continue;
        };
        let wrong = |message: &str| FleetError::Invalid {
            machine: machine.name.clone(),
            message: format!("behind: {name:?} {message}"),
        };
        let front = machines[..number].iter().position(|other| other.name == *name);
        let front = front.ok_or_else(|| wrong("is no machine that stands before it in the fleet"))?;
        let other = &machines[front];
        if other.behind.is_some() {
            return Err(wrong("has no BMC of its own; name the machine that it is behind"));
        }
        if other.mockup.is_some() {
            return Err(wrong(
                "is a recorded machine, whose BMC has the systems that were recorded",
            ));
        }
        if other.personality != machine.personality {
            return Err(wrong("has a BMC of another personality; both have to be the same"));
        }
        fronts.insert(number, front);
    }
    Ok(fronts)
}
