//! Attribute registries that were read: they are long, and a machine that is being changed is looked at every few seconds.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::bmc::AttributeRegistry;
use crate::identity::SystemUuid;

/// As many as are kept.
const KEPT: usize = 32;

/// A machine and the version of its BIOS.
pub type Key = (SystemUuid, String);

/// The registries read last, the latest one at the end.
#[derive(Default)]
pub struct AttributeRegistries(Mutex<VecDeque<(Key, Arc<AttributeRegistry>)>>);

impl AttributeRegistries {
    pub fn get(&self, key: &Key) -> Option<Arc<AttributeRegistry>> {
        let known = self.lock();
        known
            .iter()
            .find(|(known, _)| known == key)
            .map(|(_, registry)| registry.clone())
    }

    pub fn put(&self, key: Key, registry: Arc<AttributeRegistry>) {
        let mut known = self.lock();
        known.retain(|(known, _)| *known != key);
        if known.len() == KEPT {
            known.pop_front();
        }
        known.push_back((key, registry));
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<(Key, Arc<AttributeRegistry>)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_one_makes_room() {
        let registries = AttributeRegistries::default();
        let key = |number: usize| (SystemUuid::new(&number.to_string()), "1".to_owned());
        for number in 0..=KEPT {
            registries.put(key(number), Arc::default());
        }
        assert!(registries.get(&key(0)).is_none());
        assert!(registries.get(&key(1)).is_some());
        assert!(registries.get(&(SystemUuid::new("1"), "2".to_owned())).is_none());
    }
}
