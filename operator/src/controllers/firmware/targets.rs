//! Which objects mean which server or BMC: whoever changes wakes those that work on it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use kube::ResourceExt;

use crate::runtime::Change;

/// Names of objects of one kind by what they mean, kept up to date by the watch of that kind.
#[derive(Default)]
pub struct Targets(Mutex<Known>);

#[derive(Default)]
struct Known {
    objects: BTreeMap<String, BTreeSet<String>>,
    targets: BTreeMap<String, String>,
}

impl Targets {
    /// Notes what the object means now.
    pub fn changed<K: ResourceExt>(&self, change: &Change<K>, target: Option<&str>) {
        let name = change.object().name_any();
        let target = match change {
            Change::Present(_) => target,
            Change::Gone(_) => None,
        };
        let mut known = self.lock();
        if known.targets.get(&name).map(String::as_str) == target {
            return;
        }
        if let Some(former) = known.targets.remove(&name)
            && let Some(objects) = known.objects.get_mut(&former)
        {
            objects.remove(&name);
            if objects.is_empty() {
                known.objects.remove(&former);
            }
        }
        if let Some(target) = target {
            known.targets.insert(name.clone(), target.to_owned());
            known.objects.entry(target.to_owned()).or_default().insert(name);
        }
    }

    /// The objects that mean this.
    pub fn of(&self, target: &str) -> Vec<String> {
        self.lock().objects.get(target).into_iter().flatten().cloned().collect()
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Labels of what sets choose from: a set looks again when they change, and not with every word of a status.
#[derive(Default)]
pub struct Labels(Mutex<BTreeMap<String, BTreeMap<String, String>>>);

impl Labels {
    /// Notes the labels of an object. Whether they are others than before.
    pub fn changed<K: ResourceExt>(&self, change: &Change<K>) -> bool {
        let (name, labels) = (change.object().name_any(), change.object().labels().clone());
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match change {
            Change::Present(_) => known.insert(name, labels.clone()) != Some(labels),
            Change::Gone(_) => known.remove(&name).is_some(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use crds::{BIOSSettings, BIOSSettingsSpec};

    use super::*;

    #[test]
    fn objects_are_found_by_what_they_mean() {
        let targets = Targets::default();
        let object = |name: &str| Arc::new(BIOSSettings::new(name, BIOSSettingsSpec::default()));
        targets.changed(&Change::Present(object("a")), Some("s-0"));
        targets.changed(&Change::Present(object("b")), Some("s-0"));
        targets.changed(&Change::Present(object("c")), None);
        assert_eq!(targets.of("s-0"), ["a", "b"]);
        targets.changed(&Change::Present(object("a")), Some("s-1"));
        targets.changed(&Change::Gone(object("b")), Some("s-0"));
        assert_eq!(
            (targets.of("s-0"), targets.of("s-1")),
            (Vec::new(), vec!["a".to_owned()])
        );
    }
}
