//! The catalogue of server models: hardware as a vendor sells it, a file each in `models/`, which `model:` of a fleet file
//! chooses. What the fleet file says itself goes before it.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::spec::{AcceleratorSpec, DriveSpec, MachineSpec, NicSpec, ProcessorSpec, StorageControllerSpec};
use crate::personality::PersonalityName;

/// A server model.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ServerModel {
    /// In a sentence.
    pub description: String,
    /// The personality of its BMC.
    pub personality: PersonalityName,
    pub manufacturer: String,
    /// As the BMC shows it.
    pub model: String,
    pub height_units: u8,
    pub processors: Vec<Several<ProcessorSpec>>,
    #[serde(rename = "memoryGiB")]
    pub memory_gib: u32,
    #[serde(default)]
    pub accelerators: Vec<Several<AcceleratorSpec>>,
    #[serde(default)]
    pub storage_controllers: Vec<StorageControllerSpec>,
    pub drives: Vec<Several<DriveSpec>>,
    pub nics: Vec<Several<NicSpec>>,
}

/// So many of the same. In names, `{index}` counts from 0, `{number}` from 1, `{letter}` from a.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Several<T> {
    pub count: u8,
    pub each: T,
}

/// Texts in which numbers stand in for what differs.
trait Texts {
    fn texts(&mut self) -> Vec<&mut String> {
        Vec::new()
    }
}

impl Texts for ProcessorSpec {}

impl Texts for AcceleratorSpec {}

impl Texts for DriveSpec {
    fn texts(&mut self) -> Vec<&mut String> {
        vec![&mut self.name]
    }
}

impl Texts for NicSpec {
    fn texts(&mut self) -> Vec<&mut String> {
        std::iter::once(&mut self.name).chain(&mut self.adapter).collect()
    }
}

fn expand<T: Clone + Texts>(all: &[Several<T>]) -> Vec<T> {
    let expanded = all.iter().flat_map(|several| {
        (0..several.count).map(|index| {
            let mut one = several.each.clone();
            for text in one.texts() {
                *text = text
                    .replace("{index}", &index.to_string())
                    .replace("{number}", &(index + 1).to_string())
                    .replace("{letter}", &char::from(b'a' + index).to_string());
            }
            one
        })
    });
    expanded.collect()
}

macro_rules! files {
    ($($id:literal),* $(,)?) => {
        [$(($id, include_str!(concat!("../../models/", $id, ".yaml")))),*]
    };
}

static CATALOGUE: LazyLock<BTreeMap<&'static str, ServerModel>> = LazyLock::new(|| {
    let files = files![
        "mt-jade",
        "poweredge-r660",
        "poweredge-r760",
        "poweredge-xe9680",
        "proliant-dl360-gen11",
        "proliant-dl380-gen11",
        "r282-z93",
        "sys-221h-tnr",
        "sys-821ge-tnhr",
        "thinksystem-sr650-v3",
        "thinksystem-sr675-v3",
    ];
    // A test reads all of them, and the files are part of the program.
    let read = |(id, text)| Some((id, serde_saphyr::from_str(text).ok()?));
    files.into_iter().filter_map(read).collect()
});

impl ServerModel {
    /// All of them, by the name that fleet files use.
    pub fn all() -> impl Iterator<Item = (&'static str, &'static ServerModel)> {
        CATALOGUE.iter().map(|(id, model)| (*id, model))
    }

    /// The JSON Schema of a file of the catalogue.
    pub fn json_schema() -> schemars::Schema {
        schemars::schema_for!(ServerModel)
    }
}

impl MachineSpec {
    /// This entry, with what its model says where it says nothing itself. A text that is no model of the catalogue is only shown.
    pub(super) fn with_model(&self) -> MachineSpec {
        let mut machine = self.clone();
        machine.apply_model();
        machine
    }

    fn apply_model(&mut self) {
        let Some(model) = self.model.as_deref().and_then(|id| CATALOGUE.get(id)) else {
            return;
        };
        if self.personality == PersonalityName::default() {
            self.personality = model.personality;
        }
        self.model = Some(model.model.clone());
        self.height_units = self.height_units.or(Some(model.height_units));
        self.manufacturer.get_or_insert_with(|| model.manufacturer.clone());
        self.processors.get_or_insert_with(|| expand(&model.processors));
        self.memory_gib = self.memory_gib.or(Some(model.memory_gib));
        if self.accelerators.is_empty() {
            self.accelerators = expand(&model.accelerators);
        }
        if self.storage_controllers.is_empty() {
            self.storage_controllers.clone_from(&model.storage_controllers);
        }
        self.drives.get_or_insert_with(|| expand(&model.drives));
        self.nics.get_or_insert_with(|| expand(&model.nics));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_is_a_model_without_contradictions() {
        assert_eq!(ServerModel::all().count(), 11);
        for (id, model) in ServerModel::all() {
            let mut machine = MachineSpec {
                name: "node".to_owned(),
                model: Some(id.to_owned()),
                ..MachineSpec::default()
            };
            machine.apply_model();
            assert_eq!(machine.check(), Ok(()), "{id}");
            assert_eq!(machine.model.as_ref(), Some(&model.model));
            let controllers: Vec<&str> = machine.storage_controllers.iter().map(|one| one.id.as_str()).collect();
            for drive in machine.drives.iter().flatten() {
                let own = model.personality.personality().storage_id;
                let known = |id: &String| controllers.contains(&id.as_str()) || id == own;
                assert!(drive.controller.as_ref().is_none_or(known), "{id}: {}", drive.name);
            }
        }
    }

    #[test]
    fn a_fleet_file_has_the_last_word() {
        let mut machine = MachineSpec {
            name: "node".to_owned(),
            model: Some("poweredge-xe9680".to_owned()),
            memory_gib: Some(64),
            ..MachineSpec::default()
        };
        machine.apply_model();
        assert_eq!(machine.memory_gib, Some(64));
        assert_eq!(machine.personality, PersonalityName::Dell);
        assert_eq!(machine.accelerators.len(), 8);
        let names: Vec<&str> = machine.nics.iter().flatten().map(|nic| nic.name.as_str()).collect();
        assert_eq!(names[..3], ["eno1np0", "eno2np1", "ens0f0np0"]);
    }
}
