//! UEFI Secure Boot: what is wanted, and what the last POST has put into force.

#[derive(Debug)]
pub(crate) struct SecureBoot {
    pub wanted: bool,
    pub in_force: bool,
    /// Without a platform key the firmware is in setup mode, and verifies nothing.
    pub has_platform_key: bool,
}

/// `ResetKeysType`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum KeysReset {
    ResetAllKeysToDefault,
    DeleteAllKeys,
    DeletePK,
}

impl KeysReset {
    pub(crate) const ALL: [KeysReset; 3] = [
        KeysReset::ResetAllKeysToDefault,
        KeysReset::DeleteAllKeys,
        KeysReset::DeletePK,
    ];

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            KeysReset::ResetAllKeysToDefault => "ResetAllKeysToDefault",
            KeysReset::DeleteAllKeys => "DeleteAllKeys",
            KeysReset::DeletePK => "DeletePK",
        }
    }
}

impl Default for SecureBoot {
    /// As delivered: keys, but not enabled.
    fn default() -> Self {
        Self {
            wanted: false,
            in_force: false,
            has_platform_key: true,
        }
    }
}

impl SecureBoot {
    pub(crate) fn reset_keys(&mut self, reset: KeysReset) {
        self.has_platform_key = reset == KeysReset::ResetAllKeysToDefault;
    }

    pub(crate) fn enter_post(&mut self) {
        self.in_force = self.wanted && self.has_platform_key;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_verified_before_a_post_and_without_keys() {
        let mut secure_boot = SecureBoot {
            wanted: true,
            ..SecureBoot::default()
        };
        assert!(!secure_boot.in_force);
        secure_boot.enter_post();
        assert!(secure_boot.in_force);
        secure_boot.reset_keys(KeysReset::DeletePK);
        secure_boot.enter_post();
        assert!(!secure_boot.in_force);
        secure_boot.reset_keys(KeysReset::ResetAllKeysToDefault);
        secure_boot.enter_post();
        assert!(secure_boot.in_force);
    }
}
