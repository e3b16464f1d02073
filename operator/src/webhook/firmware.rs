//! Settings and versions of BIOS and BMC (contract section 4.8): one of a kind per machine, and none is changed or deleted while the
//! maintenance that it asked for is under way.
//!
//! The reference to the machine is optional in three of the four kinds; one without it is in nobody's way (W25).

use crds::keys::{OPERATION_ANNOTATION, operation};
use kube::ResourceExt;
use kube::core::DynamicObject;
use serde_json::Value;

use super::verdict::{Cause, Verdict};

/// One of the four kinds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Firmware {
    pub kind: &'static str,
    pub plural: &'static str,
    /// Field of `spec` that names the machine.
    pub target: &'static str,
}

pub const BIOS_SETTINGS: Firmware = of("BIOSSettings", "biossettings", "serverRef");
pub const BIOS_VERSION: Firmware = of("BIOSVersion", "biosversions", "serverRef");
pub const BMC_SETTINGS: Firmware = of("BMCSettings", "bmcsettings", "BMCRef");
pub const BMC_VERSION: Firmware = of("BMCVersion", "bmcversions", "bmcRef");

const fn of(kind: &'static str, plural: &'static str, target: &'static str) -> Firmware {
    Firmware { kind, plural, target }
}

/// Fields of `spec` that the operator writes while maintenances come and go.
const OF_THE_OPERATOR: [&str; 2] = ["serverMaintenanceRef", "serverMaintenanceRefs"];

impl Firmware {
    /// The machine that an object is for.
    pub(super) fn machine<'a>(&self, object: &'a DynamicObject) -> Option<&'a str> {
        let name = object.data["spec"][self.target]["name"].as_str()?;
        (!name.is_empty()).then_some(name)
    }

    /// The machine that has to be free: of a new object, or one that is given another machine.
    pub(super) fn claimed<'a>(&self, new: &'a DynamicObject, old: Option<&DynamicObject>) -> Option<&'a str> {
        let machine = self.machine(new)?;
        (old.and_then(|old| self.machine(old)) != Some(machine)).then_some(machine)
    }

    pub(super) fn duplicate(&self, name: &str, machine: &str) -> Verdict {
        let field = format!("spec.{}", self.target);
        Verdict::invalid(self.kind, name, &field, &Cause::Duplicate(machine.to_owned()))
    }

    /// What is said of a change during a maintenance.
    pub(super) fn changed_in_maintenance(&self, new: &DynamicObject) -> Verdict {
        let asked = [operation::ALLOW_IN_PROGRESS_UPDATE, operation::ALLOW_IN_PROGRESS_DELETE];
        if asked.contains(&requested(new)) {
            return Verdict::Allowed;
        }
        let name = new.name_any();
        let why = format!("{} {name} is under active maintenance, unable to update", self.kind);
        Verdict::invalid(self.kind, &name, "spec", &Cause::Forbidden(why))
    }

    /// What is said of a deletion during a maintenance.
    pub(super) fn deleted_in_maintenance(&self, old: &DynamicObject) -> Verdict {
        if requested(old) == operation::ALLOW_IN_PROGRESS_DELETE {
            return Verdict::Allowed;
        }
        Verdict::bad_request(&format!(
            "{} {} is under active maintenance, unable to delete; annotate it with {OPERATION_ANNOTATION}={} to delete it \
             nevertheless",
            self.kind,
            old.name_any(),
            operation::ALLOW_IN_PROGRESS_DELETE
        ))
    }
}

/// Whether an update changes what people have asked for.
pub(super) fn is_changed(new: &DynamicObject, old: &DynamicObject) -> bool {
    let asked = |object: &DynamicObject| {
        let mut spec = object.data["spec"].clone();
        if let Some(spec) = spec.as_object_mut() {
            spec.retain(|field, _| !OF_THE_OPERATOR.contains(&field.as_str()));
        }
        spec
    };
    asked(new) != asked(old)
}

/// Namespace and name of every maintenance that an object refers to.
pub(super) fn maintenances(object: &DynamicObject) -> Vec<(String, String)> {
    let spec = &object.data["spec"];
    let many = spec["serverMaintenanceRefs"]
        .as_array()
        .map(Vec::as_slice)
        .unwrap_or_default();
    std::iter::once(&spec["serverMaintenanceRef"])
        // BMCSettings has a level more than BMCVersion.
        .chain(many.iter().map(|item| item.get("serverMaintenanceRef").unwrap_or(item)))
        .filter_map(|reference| Some((text(reference, "namespace")?, text(reference, "name")?)))
        .collect()
}

fn text(reference: &Value, field: &str) -> Option<String> {
    reference[field].as_str().map(str::to_owned)
}

fn requested(object: &DynamicObject) -> &str {
    object
        .annotations()
        .get(OPERATION_ANNOTATION)
        .map(String::as_str)
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn object(spec: Value, requested: Option<&str>) -> DynamicObject {
        let annotations = requested.map(|requested| json!({ OPERATION_ANNOTATION: requested }));
        serde_json::from_value(json!({
            "apiVersion": "metal.ironcore.dev/v1alpha1", "kind": "X", "metadata": { "name": "a", "annotations": annotations }, "spec": spec,
        }))
        .expect("an object")
    }

    #[test]
    fn only_a_machine_that_is_taken_up_has_to_be_free() {
        let with = |name: Option<&str>| object(json!({ "serverRef": name.map(|name| json!({ "name": name })) }), None);
        for (new, old, expected) in [
            (Some("s"), None, Some("s")),
            (Some("s"), Some(None), Some("s")),
            (Some("s"), Some(Some("s")), None),
            (None, None, None),
            (Some(""), None, None),
        ] {
            let (new, old) = (with(new), old.map(with));
            assert_eq!(BIOS_SETTINGS.claimed(&new, old.as_ref()), expected, "{new:?} {old:?}");
        }
        assert_eq!(
            BMC_SETTINGS.machine(&object(json!({ "BMCRef": { "name": "b" } }), None)),
            Some("b")
        );
        assert_eq!(BMC_VERSION.machine(&object(json!(1), None)), None);
    }

    #[test]
    fn every_maintenance_is_found_wherever_it_stands() {
        let reference = json!({ "namespace": "n", "name": "m" });
        for spec in [
            json!({ "serverMaintenanceRef": reference }),
            json!({ "serverMaintenanceRefs": [{ "serverMaintenanceRef": reference }] }),
            json!({ "serverMaintenanceRefs": [reference] }),
        ] {
            assert_eq!(maintenances(&object(spec, None)), [("n".to_owned(), "m".to_owned())]);
        }
        assert!(maintenances(&object(json!({ "serverMaintenanceRefs": [1, {}] }), None)).is_empty());
    }

    #[test]
    fn what_the_operator_writes_is_no_change() {
        let plain = object(json!({ "version": "1" }), None);
        let held = object(
            json!({ "version": "1", "serverMaintenanceRef": { "namespace": "n", "name": "m" } }),
            None,
        );
        assert!(!is_changed(&held, &plain));
        assert!(is_changed(&object(json!({ "version": "2" }), None), &plain));
    }

    #[test]
    fn whoever_insists_may() {
        for (requested, update, delete) in [
            (None, false, false),
            (Some("retry"), false, false),
            (Some("allow-in-progress-update"), true, false),
            (Some("allow-in-progress-delete"), true, true),
        ] {
            let object = object(json!({}), requested);
            assert_eq!(
                BIOS_VERSION.changed_in_maintenance(&object) == Verdict::Allowed,
                update,
                "{requested:?}"
            );
            assert_eq!(
                BIOS_VERSION.deleted_in_maintenance(&object) == Verdict::Allowed,
                delete,
                "{requested:?}"
            );
        }
        let Verdict::Denied(status) = BIOS_VERSION.changed_in_maintenance(&object(json!({}), None)) else {
            panic!("denied");
        };
        assert_eq!(
            status.message,
            "BIOSVersion.metal.ironcore.dev \"a\" is invalid: spec: Forbidden: BIOSVersion a is under active maintenance, unable to update"
        );
    }
}
