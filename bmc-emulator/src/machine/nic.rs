//! Network interfaces, and how the firmware boots over each of them.

use std::net::IpAddr;

use crate::fleet::spec::{NeighborSpec, NicSpec};

#[derive(Debug)]
pub(crate) struct Nic {
    pub name: String,
    /// The card it is a port of; absent: one of its own.
    pub adapter: Option<String>,
    pub manufacturer: Option<String>,
    pub model: Option<String>,
    pub mac_address: String,
    pub ips: Vec<IpAddr>,
    pub speed_mbps: u32,
    pub neighbor: Option<NeighborSpec>,
    pub link_up: bool,
    pub boot_mode: NicBootMode,
    /// What its boot ROM fetches in the mode `HTTP`, instead of what DHCP says.
    pub boot_media_uri: Option<String>,
}

/// `BootMode` of a `NetworkDeviceFunction`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NicBootMode {
    Disabled,
    Pxe,
    Http,
}

impl NicBootMode {
    pub(crate) const ALL: [NicBootMode; 3] = [NicBootMode::Disabled, NicBootMode::Pxe, NicBootMode::Http];

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            NicBootMode::Disabled => "Disabled",
            NicBootMode::Pxe => "PXE",
            NicBootMode::Http => "HTTP",
        }
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|mode| mode.as_str() == text)
    }
}

impl Nic {
    pub(super) fn new(spec: &NicSpec, mac_address: impl FnOnce(&NicSpec) -> String) -> Self {
        Self {
            name: spec.name.clone(),
            adapter: spec.adapter.clone(),
            manufacturer: spec.manufacturer.clone(),
            model: spec.model.clone(),
            mac_address: spec.mac_address.clone().unwrap_or_else(|| mac_address(spec)),
            ips: spec.ips.clone(),
            speed_mbps: spec.speed_mbps,
            neighbor: spec.neighbor.clone(),
            link_up: true,
            boot_mode: NicBootMode::Pxe,
            boot_media_uri: None,
        }
    }

    /// `Id` of the `NetworkAdapter`.
    pub(crate) fn adapter(&self) -> &str {
        self.adapter.as_deref().unwrap_or(&self.name)
    }
}
