//! What the firmware tries to boot: boot options, their order, and the override of the next boot(s).

use serde::Serialize;

use super::drive::DriveName;

/// Redfish `BootSource` values a machine can be told to boot from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum BootTarget {
    None,
    Pxe,
    Hdd,
    Cd,
    Usb,
    BiosSetup,
    UefiHttp,
    /// What Supermicro calls a virtual CD ([`crate::Quirk::VirtualCdIsUsbCd`]); no value of the schema.
    UsbCd,
}

impl BootTarget {
    pub(crate) const ALL: [BootTarget; 7] = [
        BootTarget::None,
        BootTarget::Pxe,
        BootTarget::Hdd,
        BootTarget::Cd,
        BootTarget::Usb,
        BootTarget::BiosSetup,
        BootTarget::UefiHttp,
    ];

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            BootTarget::None => "None",
            BootTarget::Pxe => "Pxe",
            BootTarget::Hdd => "Hdd",
            BootTarget::Cd => "Cd",
            BootTarget::Usb => "Usb",
            BootTarget::BiosSetup => "BiosSetup",
            BootTarget::UefiHttp => "UefiHttp",
            BootTarget::UsbCd => "UsbCd",
        }
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|target| target.as_str() == text)
    }
}

/// Redfish `BootSourceOverrideEnabled`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum OverrideEnabled {
    Disabled,
    Once,
    Continuous,
}

impl OverrideEnabled {
    pub(crate) const ALL: [OverrideEnabled; 3] = [
        OverrideEnabled::Disabled,
        OverrideEnabled::Once,
        OverrideEnabled::Continuous,
    ];

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            OverrideEnabled::Disabled => "Disabled",
            OverrideEnabled::Once => "Once",
            OverrideEnabled::Continuous => "Continuous",
        }
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|enabled| enabled.as_str() == text)
    }
}

/// Redfish `BootSourceOverrideMode`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum OverrideMode {
    UEFI,
    Legacy,
}

impl OverrideMode {
    pub(crate) const ALL: [OverrideMode; 2] = [OverrideMode::UEFI, OverrideMode::Legacy];

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            OverrideMode::UEFI => "UEFI",
            OverrideMode::Legacy => "Legacy",
        }
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|mode| mode.as_str() == text)
    }
}

/// The boot source override of a system (`ComputerSystem.Boot`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BootOverride {
    pub enabled: OverrideEnabled,
    pub target: BootTarget,
    pub mode: OverrideMode,
    /// `HttpBootUri`: where `UefiHttp` fetches from instead of what DHCP says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub http_boot_uri: Option<String>,
}

impl Default for BootOverride {
    fn default() -> Self {
        Self {
            enabled: OverrideEnabled::Disabled,
            target: BootTarget::None,
            mode: OverrideMode::UEFI,
            http_boot_uri: None,
        }
    }
}

/// Something the firmware can try.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum BootDevice {
    Network {
        nic: String,
    },
    Drive {
        drive: DriveName,
    },
    /// A virtual medium. Only an override chooses it.
    Media {
        slot: String,
        optical: bool,
    },
}

impl BootDevice {
    pub(crate) fn label(&self) -> String {
        match self {
            BootDevice::Network { nic } => format!("network:{nic}"),
            BootDevice::Drive { drive } => format!("drive:{drive}"),
            BootDevice::Media { slot, .. } => format!("media:{slot}"),
        }
    }
}

/// An entry of the firmware's boot manager (`BootOption`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct BootOption {
    /// `BootOptionReference`, for example `Boot0001`.
    pub reference: String,
    pub device: BootDevice,
}

/// What one boot is going to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum BootPlan {
    /// Stay in the setup menu until someone resets the machine.
    Setup,
    Try {
        devices: Vec<BootDevice>,
        http_boot_uri: Option<String>,
        from_override: bool,
    },
}

/// Boot options, order and override of one machine.
#[derive(Debug)]
pub(crate) struct Boot {
    pub options: Vec<BootOption>,
    /// References in the order they are tried.
    pub order: Vec<String>,
    pub factory_order: Vec<String>,
    /// An order that waits for the next POST.
    pub staged_order: Option<Vec<String>>,
    pub override_: BootOverride,
}

impl Boot {
    /// Options are numbered from 1 in the order of `devices`; that is also the factory's boot order unless
    /// `factory_order` (indices into `devices`) says otherwise.
    pub(crate) fn new(devices: Vec<BootDevice>, factory_order: &[usize]) -> Self {
        let options: Vec<BootOption> = devices
            .into_iter()
            .enumerate()
            .map(|(index, device)| BootOption {
                reference: format!("Boot{:04X}", index + 1),
                device,
            })
            .collect();
        let factory_order: Vec<String> = factory_order
            .iter()
            .map(|index| options[*index].reference.clone())
            .collect();
        Self::with_options(options, factory_order)
    }

    /// Options as some firmware has numbered them.
    pub(crate) fn with_options(options: Vec<BootOption>, factory_order: Vec<String>) -> Self {
        Self {
            options,
            order: factory_order.clone(),
            factory_order,
            staged_order: None,
            override_: BootOverride::default(),
        }
    }

    /// A new drive is tried last.
    pub(crate) fn add_drive(&mut self, drive: DriveName) {
        let is_free = |reference: &String| self.options.iter().all(|option| option.reference != *reference);
        let numbers = (1..=self.options.len() + 1).map(|number| format!("Boot{number:04X}"));
        let Some(reference) = numbers.into_iter().find(is_free) else {
            return;
        };
        self.order.push(reference.clone());
        self.factory_order.push(reference.clone());
        self.options.push(BootOption {
            reference,
            device: BootDevice::Drive { drive },
        });
    }

    pub(crate) fn remove_drive(&mut self, drive: &DriveName) {
        let is_gone =
            |option: &mut BootOption| matches!(&option.device, BootDevice::Drive { drive: known } if known == drive);
        for option in self.options.extract_if(.., is_gone).collect::<Vec<_>>() {
            let orders = [&mut self.order, &mut self.factory_order]
                .into_iter()
                .chain(&mut self.staged_order);
            for order in orders {
                order.retain(|reference| *reference != option.reference);
            }
        }
    }

    pub(crate) fn device(&self, reference: &str) -> Option<&BootDevice> {
        self.options
            .iter()
            .find(|option| option.reference == reference)
            .map(|option| &option.device)
    }

    /// POST begins: staged settings take effect.
    pub(crate) fn enter_post(&mut self, factory_defaults: bool) {
        if factory_defaults {
            self.order = self.factory_order.clone();
        }
        if let Some(order) = self.staged_order.take() {
            self.order = order;
        }
    }

    /// POST is over: decides what to boot and consumes a one-time override, whether or not the boot will succeed
    /// (DSP0268, `BootSourceOverrideEnabled`: "Once" reverts to Disabled after one boot).
    /// `media` is what is inserted.
    pub(crate) fn plan(&mut self, media: &[BootDevice]) -> BootPlan {
        let chosen = self.override_.clone();
        if chosen.enabled == OverrideEnabled::Once {
            self.override_.enabled = OverrideEnabled::Disabled;
            self.override_.target = BootTarget::None;
            self.override_.http_boot_uri = None;
        }
        let ordered: Vec<BootDevice> = self
            .order
            .iter()
            .filter_map(|reference| self.device(reference))
            .cloned()
            .collect();
        let wanted: fn(&BootDevice) -> bool = match (chosen.enabled, chosen.target) {
            (OverrideEnabled::Disabled, _) | (_, BootTarget::None) => {
                return BootPlan::Try {
                    devices: ordered,
                    http_boot_uri: None,
                    from_override: false,
                };
            }
            (_, BootTarget::BiosSetup) => return BootPlan::Setup,
            (_, BootTarget::Pxe | BootTarget::UefiHttp) => |device| matches!(device, BootDevice::Network { .. }),
            (_, BootTarget::Cd | BootTarget::UsbCd) => {
                |device| matches!(device, BootDevice::Media { optical: true, .. })
            }
            (_, BootTarget::Usb) => |device| matches!(device, BootDevice::Media { optical: false, .. }),
            (_, BootTarget::Hdd) => |device| matches!(device, BootDevice::Drive { .. }),
        };
        // Devices that are not in the boot order can still be chosen by an override.
        let known = self
            .options
            .iter()
            .map(|option| &option.device)
            .chain(media)
            .filter(|device| !ordered.contains(device));
        let mut devices: Vec<BootDevice> = ordered
            .iter()
            .chain(known)
            .filter(|device| wanted(device))
            .cloned()
            .collect();
        devices.extend(ordered.into_iter().filter(|device| !wanted(device)));
        let http_boot_uri = chosen.http_boot_uri.filter(|_| chosen.target == BootTarget::UefiHttp);
        BootPlan::Try {
            devices,
            http_boot_uri,
            from_override: true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn boot() -> Boot {
        let drive = |name: &str| BootDevice::Drive {
            drive: DriveName(name.to_owned()),
        };
        let nic = |name: &str| BootDevice::Network { nic: name.to_owned() };
        Boot::new(vec![drive("sda"), drive("sdb"), nic("eno1"), nic("eno2")], &[0, 2, 1])
    }

    fn labels(plan: &BootPlan) -> Vec<String> {
        match plan {
            BootPlan::Setup => vec!["setup".to_owned()],
            BootPlan::Try { devices, .. } => devices.iter().map(BootDevice::label).collect(),
        }
    }

    #[test]
    fn plans() {
        let ordered = ["drive:sda", "network:eno1", "drive:sdb"];
        let network_first = ["network:eno1", "network:eno2", "drive:sda", "drive:sdb"];
        let table: [(OverrideEnabled, BootTarget, &[&str]); 6] = [
            (OverrideEnabled::Disabled, BootTarget::Pxe, &ordered),
            (OverrideEnabled::Once, BootTarget::None, &ordered),
            (OverrideEnabled::Once, BootTarget::Pxe, &network_first),
            (OverrideEnabled::Continuous, BootTarget::UefiHttp, &network_first),
            (
                OverrideEnabled::Once,
                BootTarget::Hdd,
                &["drive:sda", "drive:sdb", "network:eno1"],
            ),
            (OverrideEnabled::Once, BootTarget::BiosSetup, &["setup"]),
        ];
        for (enabled, target, expected) in table {
            let mut boot = boot();
            boot.override_.enabled = enabled;
            boot.override_.target = target;
            assert_eq!(labels(&boot.plan(&[])), expected, "{enabled:?} {target:?}");
        }
    }

    #[test]
    fn media_are_booted_when_they_are_asked_for_and_inserted() {
        let disc = BootDevice::Media {
            slot: "CD1".to_owned(),
            optical: true,
        };
        for (target, media, first) in [
            (BootTarget::Cd, vec![disc.clone()], "media:CD1"),
            (BootTarget::Cd, vec![], "drive:sda"),
            (BootTarget::Usb, vec![disc.clone()], "drive:sda"),
            (BootTarget::None, vec![disc], "drive:sda"),
        ] {
            let mut boot = boot();
            boot.override_.enabled = OverrideEnabled::Once;
            boot.override_.target = target;
            assert_eq!(labels(&boot.plan(&media))[0], first, "{target:?}");
        }
    }

    #[test]
    fn a_one_time_override_is_consumed_and_a_continuous_one_is_not() {
        let mut boot = boot();
        boot.override_.enabled = OverrideEnabled::Once;
        boot.override_.target = BootTarget::Pxe;
        boot.plan(&[]);
        assert_eq!(boot.override_, BootOverride::default());
        assert_eq!(labels(&boot.plan(&[]))[0], "drive:sda");

        boot.override_.enabled = OverrideEnabled::Continuous;
        boot.override_.target = BootTarget::Pxe;
        for _ in 0..3 {
            assert_eq!(labels(&boot.plan(&[]))[0], "network:eno1");
        }
    }

    #[test]
    fn factory_defaults_come_before_what_was_staged_after_them() {
        let mut boot = boot();
        boot.order = vec!["Boot0004".to_owned()];
        boot.enter_post(true);
        assert_eq!(boot.order, ["Boot0001", "Boot0003", "Boot0002"]);
        boot.staged_order = Some(vec!["Boot0002".to_owned()]);
        boot.enter_post(true);
        assert_eq!(boot.order, ["Boot0002"]);
    }
}
