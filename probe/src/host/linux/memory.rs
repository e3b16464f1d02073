//! Memory modules from the SMBIOS tables of the firmware, or else the total from `/proc/meminfo`.

use std::fs;
use std::io;
use std::path::Path;

use crate::model::MemoryDevice;

/// SMBIOS structure types (DMTF DSP0134).
const TYPE_MEMORY_DEVICE: u8 = 17;
const TYPE_END_OF_TABLE: u8 = 127;
/// Names of the memory type enumeration (DSP0134 §7.18.2) that servers of today have.
const MEMORY_TYPES: [(u8, &str); 10] = [
    (0x18, "DDR3"),
    (0x1a, "DDR4"),
    (0x1b, "LPDDR"),
    (0x1d, "LPDDR3"),
    (0x1e, "LPDDR4"),
    (0x1f, "Logical non-volatile device"),
    (0x20, "HBM"),
    (0x21, "HBM2"),
    (0x22, "DDR5"),
    (0x23, "LPDDR5"),
];

pub(super) fn read(root: &Path) -> io::Result<Vec<MemoryDevice>> {
    // Readable by root only, and absent in some virtual machines.
    if let Ok(table) = fs::read(root.join("sys/firmware/dmi/tables/DMI")) {
        let modules = modules(&table);
        if !modules.is_empty() {
            return Ok(modules);
        }
    }
    let meminfo = fs::read_to_string(root.join("proc/meminfo"))?;
    Ok(total(&meminfo).into_iter().collect())
}

/// All the memory the kernel has, as one device.
fn total(meminfo: &str) -> Option<MemoryDevice> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kibibytes: i64 = line.trim().trim_end_matches("kB").trim().parse().ok()?;
    Some(MemoryDevice {
        size_bytes: kibibytes.saturating_mul(1024),
        device_locator: "total".to_owned(),
        memory_type: "Unknown".to_owned(),
        ..MemoryDevice::default()
    })
}

/// The populated slots. Stops at the first structure that is not well-formed: the rest of a table cannot be trusted.
fn modules(table: &[u8]) -> Vec<MemoryDevice> {
    let mut modules = Vec::new();
    let mut rest = table;
    while let Some((structure, next)) = Structure::split(rest) {
        match structure.kind() {
            TYPE_END_OF_TABLE => break,
            TYPE_MEMORY_DEVICE => modules.extend(structure.memory_device()),
            _ => {}
        }
        rest = next;
    }
    modules
}

/// One structure: a formatted area, then its strings.
struct Structure<'a> {
    formatted: &'a [u8],
    strings: Vec<&'a [u8]>,
}

impl<'a> Structure<'a> {
    fn split(table: &'a [u8]) -> Option<(Self, &'a [u8])> {
        let length = usize::from(*table.get(1)?);
        let formatted = table.get(..length).filter(|formatted| formatted.len() >= 4)?;
        let mut rest = table.get(length..)?;
        let mut strings = Vec::new();
        loop {
            let end = rest.iter().position(|byte| *byte == 0)?;
            let string = &rest[..end];
            rest = &rest[end + 1..];
            if string.is_empty() {
                break;
            }
            strings.push(string);
        }
        // A structure without strings ends with two zeros all the same.
        if strings.is_empty() {
            rest = rest.strip_prefix(&[0]).unwrap_or(rest);
        }
        Some((Self { formatted, strings }, rest))
    }

    fn kind(&self) -> u8 {
        self.formatted[0]
    }

    /// Older tables are shorter; what they lack is zero.
    fn byte(&self, offset: usize) -> u8 {
        self.formatted.get(offset).copied().unwrap_or_default()
    }

    fn word(&self, offset: usize) -> u16 {
        u16::from_le_bytes([self.byte(offset), self.byte(offset + 1)])
    }

    fn string(&self, offset: usize) -> String {
        let index = usize::from(self.byte(offset));
        let bytes = index
            .checked_sub(1)
            .and_then(|index| self.strings.get(index))
            .copied()
            .unwrap_or_default();
        String::from_utf8_lossy(bytes).trim().to_owned()
    }

    /// DSP0134 §7.18; nothing for an empty slot.
    fn memory_device(&self) -> Option<MemoryDevice> {
        let with_unit = |value: u16, unit: &str| {
            if value == 0 {
                String::new()
            } else {
                format!("{value} {unit}")
            }
        };
        Some(MemoryDevice {
            size_bytes: self.memory_size().filter(|size| *size > 0)?,
            device_set: match self.byte(0x0f) {
                0 | 0xff => String::new(),
                set => set.to_string(),
            },
            device_locator: self.string(0x10),
            bank_locator: self.string(0x11),
            memory_type: MEMORY_TYPES
                .iter()
                .find(|(code, _)| *code == self.byte(0x12))
                .map_or("Unknown", |(_, name)| name)
                .to_owned(),
            speed: with_unit(self.word(0x15), "MT/s"),
            vendor: self.string(0x17),
            serial_number: self.string(0x18),
            asset_tag: self.string(0x19),
            part_number: self.string(0x1a),
            configured_memory_speed: with_unit(self.word(0x20), "MT/s"),
            minimum_voltage: with_unit(self.word(0x22), "mV"),
            maximum_voltage: with_unit(self.word(0x24), "mV"),
            configured_voltage: with_unit(self.word(0x26), "mV"),
        })
    }

    /// In bytes; nothing if unknown.
    fn memory_size(&self) -> Option<i64> {
        match self.word(0x0c) {
            0xffff => None,
            0x7fff => {
                let extended = u32::from_le_bytes([self.byte(0x1c), self.byte(0x1d), self.byte(0x1e), self.byte(0x1f)]);
                Some(i64::from(extended & 0x7fff_ffff) << 20)
            }
            kibibytes if kibibytes & 0x8000 != 0 => Some(i64::from(kibibytes & 0x7fff) << 10),
            mebibytes => Some(i64::from(mebibytes) << 20),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A memory device structure of SMBIOS 3.2 with the given size fields.
    fn memory_device(size: u16, extended: u32) -> Vec<u8> {
        let mut structure = vec![0; 0x28];
        structure[0] = TYPE_MEMORY_DEVICE;
        structure[1] = 0x28;
        structure[0x0c..0x0e].copy_from_slice(&size.to_le_bytes());
        structure[0x10] = 1;
        structure[0x11] = 2;
        structure[0x12] = 0x22;
        structure[0x15..0x17].copy_from_slice(&4800_u16.to_le_bytes());
        structure[0x17] = 3;
        structure[0x1a] = 9;
        structure[0x1c..0x20].copy_from_slice(&extended.to_le_bytes());
        structure[0x26..0x28].copy_from_slice(&1100_u16.to_le_bytes());
        structure.extend_from_slice(b"A1\0Bank 0\0Samsung \0\0");
        structure
    }

    #[test]
    fn modules_of_a_table() {
        let mut table = vec![0, 4, 0, 0, 0, 0];
        table.extend(memory_device(0x7fff, 65_536));
        table.extend(memory_device(0, 0));
        table.extend(memory_device(16_384, 0));
        table.extend(memory_device(0x8000 | 512, 0));
        table.extend(memory_device(0xffff, 0));
        table.extend([TYPE_END_OF_TABLE, 4, 0, 0, 0, 0]);
        table.extend(memory_device(1, 0));
        let modules = modules(&table);
        let sizes: Vec<_> = modules.iter().map(|module| module.size_bytes).collect();
        assert_eq!(sizes, [64 << 30, 16 << 30, 512 << 10]);
        let expected = MemoryDevice {
            size_bytes: 64 << 30,
            device_locator: "A1".into(),
            bank_locator: "Bank 0".into(),
            memory_type: "DDR5".into(),
            speed: "4800 MT/s".into(),
            vendor: "Samsung".into(),
            configured_voltage: "1100 mV".into(),
            ..MemoryDevice::default()
        };
        assert_eq!(modules[0], expected);
    }

    #[test]
    fn the_total_of_the_kernel() {
        let device = total("MemTotal:       16303520 kB\nMemFree:  1 kB\n").expect("a total");
        assert_eq!(device.size_bytes, 16_303_520 * 1024);
        assert_eq!(total("nothing"), None);
    }

    proptest! {
        #[test]
        fn broken_tables_do_no_harm(table in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = modules(&table);
        }
    }
}
