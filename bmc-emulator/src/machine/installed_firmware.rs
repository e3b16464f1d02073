//! Which firmware runs on a machine, and which waits for the next POST.

use crate::personality::Personality;

/// What can be updated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Component {
    Bios,
    Bmc,
}

impl Component {
    pub(crate) const ALL: [Component; 2] = [Component::Bios, Component::Bmc];

    /// `Id` in the firmware inventory.
    pub(crate) fn id(self, personality: &Personality) -> &'static str {
        match self {
            Component::Bios => personality.firmware_ids.bios,
            Component::Bmc => personality.firmware_ids.bmc,
        }
    }
}

/// Versions, where they are no longer those from the factory.
#[derive(Debug, Default)]
pub(crate) struct InstalledFirmware {
    bios: Option<String>,
    bmc: Option<String>,
    /// Written, and loaded by the next POST.
    staged_bios: Option<String>,
}

impl InstalledFirmware {
    pub(crate) fn version(&self, component: Component, personality: &Personality) -> String {
        let (updated, factory) = match component {
            Component::Bios => (&self.bios, personality.bios_version),
            Component::Bmc => (&self.bmc, personality.manager_firmware),
        };
        updated.clone().unwrap_or_else(|| factory.to_owned())
    }

    /// The BMC's firmware takes effect with its restart, the BIOS with the next POST.
    pub(crate) fn write(&mut self, component: Component, version: String) {
        match component {
            Component::Bios => self.staged_bios = Some(version),
            Component::Bmc => self.bmc = Some(version),
        }
    }

    pub(crate) fn enter_post(&mut self) {
        if let Some(version) = self.staged_bios.take() {
            self.bios = Some(version);
        }
    }
}
