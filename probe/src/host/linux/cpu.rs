//! Processors from `/proc/cpuinfo`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::Path;

use crate::model::CpuInfo;

pub(super) fn read(root: &Path) -> io::Result<Vec<CpuInfo>> {
    Ok(parse(&fs::read_to_string(root.join("proc/cpuinfo"))?))
}

/// One entry per package. Architectures without packages in this file (Arm) have one.
fn parse(cpuinfo: &str) -> Vec<CpuInfo> {
    let mut packages: BTreeMap<i64, (CpuInfo, BTreeSet<String>)> = BTreeMap::new();
    for block in cpuinfo.split("\n\n") {
        let fields: BTreeMap<&str, &str> = block
            .lines()
            .filter_map(|line| line.split_once(':'))
            .map(|(key, value)| (key.trim(), value.trim()))
            .collect();
        let Some(processor) = fields.get("processor") else {
            continue;
        };
        let value = |names: &[&str]| {
            names
                .iter()
                .find_map(|name| fields.get(name))
                .copied()
                .unwrap_or_default()
        };
        let id = value(&["physical id"]).parse().unwrap_or_default();
        let (package, cores) = packages.entry(id).or_insert_with(|| {
            let package = CpuInfo {
                id,
                vendor: value(&["vendor_id", "CPU implementer"]).to_owned(),
                model: value(&["model name", "CPU part"]).to_owned(),
                capabilities: value(&["flags", "Features"])
                    .split_whitespace()
                    .map(str::to_owned)
                    .collect(),
                ..CpuInfo::default()
            };
            (package, BTreeSet::new())
        });
        package.total_hardware_threads += 1;
        cores.insert(fields.get("core id").unwrap_or(processor).to_string());
        package.total_cores = u32::try_from(cores.len()).unwrap_or(u32::MAX);
    }
    packages.into_values().map(|(package, _)| package).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packages_cores_and_threads() {
        let thread = |processor, package, core| {
            format!(
                "processor\t: {processor}\nvendor_id\t: GenuineIntel\nmodel name\t: Xeon 1\nphysical id\t: {package}\n\
                 core id\t\t: {core}\nflags\t\t: fpu vme\n"
            )
        };
        let text = [thread(0, 0, 0), thread(1, 1, 0), thread(2, 0, 1), thread(3, 0, 1)].join("\n");
        let packages = parse(&text);
        let counts: Vec<_> = packages
            .iter()
            .map(|p| (p.id, p.total_cores, p.total_hardware_threads))
            .collect();
        assert_eq!(counts, [(0, 2, 3), (1, 1, 1)]);
        assert_eq!(
            (packages[0].vendor.as_str(), packages[0].model.as_str()),
            ("GenuineIntel", "Xeon 1")
        );
        assert_eq!(packages[0].capabilities, ["fpu", "vme"]);
    }

    #[test]
    fn arm_has_one_package() {
        let text = "processor\t: 0\nFeatures\t: fp asimd\nCPU implementer\t: 0x41\nCPU part\t: 0xd0c\n\n\
                    processor\t: 1\nFeatures\t: fp asimd\nCPU implementer\t: 0x41\nCPU part\t: 0xd0c\n\n\
                    Serial\t: 1234\n";
        let packages = parse(text);
        assert_eq!(packages.len(), 1);
        assert_eq!((packages[0].total_cores, packages[0].total_hardware_threads), (2, 2));
        assert_eq!(
            (packages[0].vendor.as_str(), packages[0].model.as_str()),
            ("0x41", "0xd0c")
        );
    }
}
