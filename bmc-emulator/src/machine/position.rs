//! Which of the systems behind its BMC a machine is.

use std::borrow::Cow;

use crate::personality::Personality;

/// The place of a machine in what its BMC shows: the first one, or a further sled of the same enclosure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Position {
    /// From 0.
    pub number: u32,
    /// Redfish `Id` of its `ComputerSystem`.
    pub system_id: Cow<'static, str>,
    /// Redfish `Id` of its `Chassis`.
    pub chassis_id: Cow<'static, str>,
}

impl Position {
    pub(crate) fn new(personality: &'static Personality, number: u32) -> Self {
        Self {
            number,
            system_id: nth(personality.system_id, number),
            chassis_id: nth(personality.chassis_id, number),
        }
    }
}

/// Identifiers that end in 1 are counted, others are numbered from the second on.
fn nth(first: &'static str, number: u32) -> Cow<'static, str> {
    if number == 0 {
        return Cow::Borrowed(first);
    }
    let stem = first
        .strip_suffix('1')
        .filter(|stem| !stem.ends_with(|c: char| c.is_ascii_digit()));
    Cow::Owned(match stem {
        Some(stem) => format!("{stem}{}", number + 1),
        None => format!("{first}-{}", number + 1),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_has_an_identifier_of_its_own() {
        for (first, number, expected) in [
            ("1", 0, "1"),
            ("1", 3, "4"),
            ("System.Embedded.1", 1, "System.Embedded.2"),
            ("Self", 0, "Self"),
            ("Self", 1, "Self-2"),
            ("node11", 1, "node11-2"),
        ] {
            assert_eq!(nth(first, number), expected);
        }
    }
}
