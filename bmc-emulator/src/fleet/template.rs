//! Templates: one entry of a fleet file that stands for many machines, and checks of single entries.

use std::collections::BTreeSet;

use super::Mockups;
use super::error::FleetError;
use super::spec::{BmcSpec, FleetSpec, MachineSpec};
use crate::mockup::Mockup;
use crate::personality::PersonalityName;

const PLACEHOLDER: &str = "{index}";

/// One specification per machine, each checked.
pub(super) fn expand(spec: &FleetSpec, mockups: &Mockups) -> Result<Vec<MachineSpec>, FleetError> {
    let mut machines = Vec::new();
    for template in &spec.machines {
        let template = match &template.mockup {
            Some(name) => mockup(template, name, mockups)?.complete(template),
            None => template.with_model(),
        };
        template.check().map_err(|message| FleetError::Invalid {
            machine: template.name.clone(),
            message,
        })?;
        match template.count {
            None => machines.push(template),
            Some(count) => machines.extend((0..count).map(|index| template.instance(index))),
        }
    }
    Ok(machines)
}

fn mockup<'a>(template: &MachineSpec, name: &str, mockups: &'a Mockups) -> Result<&'a Mockup, FleetError> {
    mockups.get(name).ok_or_else(|| FleetError::MockupNotLoaded {
        machine: template.name.clone(),
        mockup: name.to_owned(),
    })
}

impl MachineSpec {
    /// What is wrong with this entry, if anything.
    pub(super) fn check(&self) -> Result<(), String> {
        if self.name.is_empty() {
            return Err("a machine needs a name".to_owned());
        }
        if self.mockup.is_some() && self.personality != PersonalityName::default() {
            return Err("a recorded machine brings its personality along; leave personality or mockup out".to_owned());
        }
        if self.behind.is_some() && self.mockup.is_some() {
            return Err("a recorded machine has a BMC of its own; leave behind or mockup out".to_owned());
        }
        if self.behind.is_some() && self.bmc != BmcSpec::default() {
            return Err("it is behind the BMC of another machine, and has none of its own; leave bmc out".to_owned());
        }
        if self.count.is_some() && self.system_uuid.is_some() {
            return Err(
                "a template with count cannot fix systemUUID; leave it out to get one derived for each".to_owned(),
            );
        }
        if self.count.is_some()
            && self
                .bmc
                .address
                .as_ref()
                .is_some_and(|address| !address.contains(PLACEHOLDER))
        {
            return Err("bmc.address of a template needs {index} in it, or leave it out to get one each".to_owned());
        }
        let drives = self.drives.iter().flatten().map(|drive| &drive.name);
        let nics = self.nics.iter().flatten().map(|nic| &nic.name);
        let mut names = BTreeSet::new();
        for name in drives.chain(nics) {
            if name.is_empty() || name.contains('/') {
                return Err(format!(
                    "{name:?} cannot be the name of a drive or NIC; use the kernel name, like sda or eno1"
                ));
            }
            if !names.insert(name) {
                return Err(format!("two drives or NICs are called {name:?}"));
            }
        }
        self.check_volumes()?;
        if let Some(device) = self.boot_order.iter().flatten().find(|device| {
            let defaults =
                (self.drives.is_none() && *device == "nvme0n1") || (self.nics.is_none() && *device == "eno1");
            !defaults && !names.contains(device)
        }) {
            return Err(format!(
                "bootOrder names {device:?}, which is neither a drive nor a NIC of this machine"
            ));
        }
        Ok(())
    }

    fn check_volumes(&self) -> Result<(), String> {
        let mut members = BTreeSet::new();
        for volume in &self.volumes {
            let id = &volume.controller;
            let controller = self.storage_controllers.iter().find(|known| known.id == *id);
            if controller.is_none_or(|controller| !controller.raid_types.contains(&volume.raid_type)) {
                return Err(format!(
                    "a volume wants {:?} of the storage controller {id:?}, which storageControllers does not say it can do",
                    volume.raid_type
                ));
            }
            if !volume.raid_type.takes(volume.drives.len()) {
                return Err(format!(
                    "{:?} cannot be made of {} drives",
                    volume.raid_type,
                    volume.drives.len()
                ));
            }
            for name in &volume.drives {
                let mut drives = self.drives.iter().flatten();
                if !drives.any(|drive| drive.name == *name && drive.controller.as_ref() == Some(id)) {
                    return Err(format!(
                        "a volume names the drive {name:?}, which the controller {id:?} does not have"
                    ));
                }
                if !members.insert(name) {
                    return Err(format!("two volumes name the drive {name:?}"));
                }
            }
        }
        Ok(())
    }

    fn instance(&self, index: u32) -> MachineSpec {
        let mut machine = self.clone();
        machine.count = None;
        if !machine.name.contains(PLACEHOLDER) {
            machine.name = format!("{}-{PLACEHOLDER}", machine.name);
        }
        let number = index.to_string();
        for text in machine.texts() {
            if text.contains(PLACEHOLDER) {
                *text = text.replace(PLACEHOLDER, &number);
            }
        }
        machine
    }

    /// Every text in which a placeholder makes sense.
    fn texts(&mut self) -> impl Iterator<Item = &mut String> {
        let drives = self
            .drives
            .iter_mut()
            .flatten()
            .flat_map(|drive| drive.serial_number.iter_mut());
        let nics = self.nics.iter_mut().flatten().flat_map(|nic| {
            let neighbor = nic.neighbor.iter_mut().flat_map(|neighbor| {
                [
                    &mut neighbor.system_name,
                    &mut neighbor.port_id,
                    &mut neighbor.port_description,
                    &mut neighbor.chassis_id,
                ]
            });
            nic.mac_address.iter_mut().chain(neighbor)
        });
        std::iter::once(&mut self.name)
            .chain(self.behind.as_mut())
            .chain(self.model.as_mut())
            .chain(self.sku.as_mut())
            .chain(self.serial_number.as_mut())
            .chain(self.boot.server_url.as_mut())
            .chain(self.bmc.address.as_mut())
            .chain(self.bmc.mac_address.as_mut())
            .chain(std::iter::once(&mut self.bmc.username))
            .chain(drives)
            .chain(nics)
    }
}
