//! What transition rules have let pass unchanged. Most writes leave most of an object as it is, and rules that compare it with itself
//! say the same about it again.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde_json::Value;

/// More than the objects of a large cluster; then it starts anew.
const CAPACITY: usize = 16 * 1024;

/// Texts of values, of which the rules of one node are known to say nothing.
#[derive(Debug, Default)]
pub(super) struct Passed(Mutex<BTreeSet<String>>);

impl Passed {
    /// Whether this value is known; if not, whether `passes` says that it passes, which is remembered.
    pub(super) fn check(&self, value: &Value, passes: impl FnOnce() -> bool) {
        let text = value.to_string();
        if self.lock().contains(&text) || !passes() {
            return;
        }
        let mut known = self.lock();
        if known.len() >= CAPACITY {
            known.clear();
        }
        known.insert(text);
    }

    fn lock(&self) -> MutexGuard<'_, BTreeSet<String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_has_passed_is_not_checked_again() {
        let passed = Passed::default();
        let mut asked = Vec::new();
        for (value, passes) in [(1, true), (1, false), (2, false), (2, true), (2, true)] {
            passed.check(&json!({ "epoch": value }), || {
                asked.push(value);
                passes
            });
        }
        assert_eq!(asked, [1, 2, 2]);
    }
}
