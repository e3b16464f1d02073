//! The TPM: what the firmware has measured since the last POST, by the registers of the TCG's PC Client profile.

use sha2::{Digest, Sha256};

type Register = [u8; 32];

/// What is measured into a register. Others stay as a reset leaves them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Measured {
    /// PCR 0: the firmware.
    Firmware,
    /// PCR 4: what it has handed over to.
    BootLoader,
    /// PCR 7: whether it has verified that.
    SecureBoot,
}

impl Measured {
    pub(crate) const ALL: [Measured; 3] = [Measured::Firmware, Measured::BootLoader, Measured::SecureBoot];

    pub(crate) fn register(self) -> u8 {
        match self {
            Measured::Firmware => 0,
            Measured::BootLoader => 4,
            Measured::SecureBoot => 7,
        }
    }
}

#[derive(Debug, Default)]
pub(crate) struct Tpm {
    /// Nothing before the first POST.
    registers: Option<Box<[Register; 3]>>,
}

impl Tpm {
    /// A machine that was reset has measured nothing.
    pub(super) fn reset(&mut self) {
        self.registers = Some(Box::default());
    }

    /// Extends a register: its value depends on all that was measured into it, and on the order.
    pub(super) fn extend(&mut self, measured: Measured, what: &[u8]) {
        let registers = self.registers.get_or_insert_default();
        let register = &mut registers[measured as usize];
        let mut hash = Sha256::new();
        hash.update(*register);
        hash.update(Sha256::digest(what));
        *register = hash.finalize().into();
    }

    pub(crate) fn read(&self, measured: Measured) -> Register {
        self.registers
            .as_ref()
            .map_or([0; 32], |registers| registers[measured as usize])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn registers_depend_on_everything_since_the_reset() {
        let value = |events: &[&str]| {
            let mut tpm = Tpm::default();
            tpm.extend(Measured::BootLoader, b"before");
            tpm.reset();
            for event in events {
                tpm.extend(Measured::BootLoader, event.as_bytes());
            }
            assert_eq!(tpm.read(Measured::Firmware), [0; 32]);
            tpm.read(Measured::BootLoader)
        };
        assert_eq!(value(&["a", "b"]), value(&["a", "b"]));
        assert_ne!(value(&["a", "b"]), value(&["b", "a"]));
        assert_ne!(value(&["a"]), value(&[]));
    }
}
