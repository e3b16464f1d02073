//! BIOS attributes: what is in force, and what waits for the next POST.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::personality::Personality;

pub(crate) type Attributes = BTreeMap<String, Value>;

/// Why an attribute cannot be set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum AttributeError {
    Unknown,
    BadValue,
}

/// Stores only what differs from the personality's defaults.
#[derive(Debug, Default)]
pub(crate) struct Bios {
    changed: Attributes,
    pending: Attributes,
    reset_pending: bool,
    /// Pending attributes that no POST sets before somebody has made a job of them.
    uncommitted: bool,
}

impl Bios {
    pub(crate) fn new(changed: &Attributes) -> Self {
        Self {
            changed: changed.clone(),
            ..Self::default()
        }
    }

    /// What is in force now.
    pub(crate) fn current(&self, personality: &Personality) -> Attributes {
        let mut all = defaults(personality);
        all.extend(self.changed.iter().map(|(name, value)| (name.clone(), value.clone())));
        all
    }

    /// Where UEFI HTTP boot fetches from, on machines that have it among their attributes.
    pub(crate) fn url_boot_file(&self, personality: &Personality) -> Option<String> {
        let current = self.current(personality);
        let uri = current.get("UrlBootFile")?.as_str()?;
        Some(uri.to_owned()).filter(|uri| !uri.is_empty())
    }

    /// What the next POST will set, besides a reset to defaults.
    pub(crate) fn pending(&self) -> &Attributes {
        &self.pending
    }

    pub(crate) fn reset_pending(&self) -> bool {
        self.reset_pending
    }

    /// Checks one attribute against the personality's registry.
    pub(crate) fn check(&self, personality: &Personality, name: &str, value: &Value) -> Result<(), AttributeError> {
        match personality.bios_defaults.iter().find(|default| default.name == name) {
            Some(default) if default.value.accepts(value) => Ok(()),
            Some(_) => Err(AttributeError::BadValue),
            // An attribute that only the fleet file knows is text or number as it was given there.
            None => match self.changed.get(name) {
                Some(known) if std::mem::discriminant(known) == std::mem::discriminant(value) => Ok(()),
                Some(_) => Err(AttributeError::BadValue),
                None => Err(AttributeError::Unknown),
            },
        }
    }

    pub(crate) fn stage(&mut self, attributes: Attributes) {
        self.pending.extend(attributes);
        self.uncommitted = false;
    }

    /// As [`Self::stage`], but POST leaves them alone until [`Self::commit`].
    pub(crate) fn stage_uncommitted(&mut self, attributes: Attributes) {
        self.pending.extend(attributes);
        self.uncommitted = true;
    }

    pub(crate) fn commit(&mut self) {
        self.uncommitted = false;
    }

    pub(crate) fn discard_pending(&mut self) {
        self.pending.clear();
        self.reset_pending = false;
    }

    /// `Bios.ResetBios`: everything staged before is void, the defaults come at the next POST.
    pub(crate) fn stage_reset(&mut self) {
        self.pending.clear();
        self.reset_pending = true;
    }

    /// POST begins. Returns whether the factory defaults were loaded.
    pub(crate) fn apply(&mut self, personality: &Personality) -> bool {
        let reset = std::mem::take(&mut self.reset_pending);
        if reset {
            self.changed.clear();
        }
        if !self.uncommitted {
            self.changed.append(&mut self.pending);
        }
        let defaults = defaults(personality);
        self.changed.retain(|name, value| defaults.get(name) != Some(value));
        reset
    }
}

fn defaults(personality: &Personality) -> Attributes {
    personality
        .bios_defaults
        .iter()
        .map(|default| (default.name.to_owned(), default.value.default_value()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::personality::GENERIC;

    fn attributes(pairs: &[(&str, &str)]) -> Attributes {
        pairs
            .iter()
            .map(|(name, value)| ((*name).to_owned(), Value::from(*value)))
            .collect()
    }

    #[test]
    fn settings_wait_for_post_and_a_reset_voids_what_was_staged_before() {
        let mut bios = Bios::new(&attributes(&[("HyperThreading", "Disabled")]));
        bios.stage(attributes(&[("PowerProfile", "MaxPerf")]));
        assert_eq!(bios.current(&GENERIC)["PowerProfile"], "BalancedPowerPerf");
        assert!(!bios.apply(&GENERIC));
        assert_eq!(bios.current(&GENERIC)["PowerProfile"], "MaxPerf");

        bios.stage(attributes(&[("BootMode", "LegacyBios")]));
        bios.stage_reset();
        bios.stage(attributes(&[("Virtualization", "Disabled")]));
        assert!(bios.apply(&GENERIC));
        assert_eq!(bios.current(&GENERIC), {
            let mut expected = defaults(&GENERIC);
            expected.insert("Virtualization".to_owned(), "Disabled".into());
            expected
        });
        assert!(bios.pending().is_empty());
    }

    #[test]
    fn attributes_are_checked_against_the_registry() {
        let bios = Bios::new(&Attributes::new());
        let table = [
            ("BootMode", Value::from("Uefi"), Ok(())),
            ("BootMode", Value::from("Coreboot"), Err(AttributeError::BadValue)),
            ("PostDelaySeconds", Value::from(61), Err(AttributeError::BadValue)),
            ("PostDelaySeconds", Value::from(60), Ok(())),
            ("AdminPhone", Value::from(1), Err(AttributeError::BadValue)),
            ("NoSuchThing", Value::from("x"), Err(AttributeError::Unknown)),
        ];
        for (name, value, expected) in table {
            assert_eq!(bios.check(&GENERIC, name, &value), expected, "{name}={value}");
        }
    }
}
