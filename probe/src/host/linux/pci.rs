//! PCI functions from `/sys/bus/pci/devices`, with names from the PCI ID database where it is installed.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;

use super::files;
use crate::model::PciDevice;

/// Where distributions keep the database.
const DATABASES: [&str; 2] = ["usr/share/misc/pci.ids", "usr/share/hwdata/pci.ids"];
const NUMA_NODE_UNKNOWN: i32 = -1;

pub(super) fn read(root: &Path) -> io::Result<Vec<PciDevice>> {
    let database = DATABASES
        .iter()
        .find_map(|path| fs::read(root.join(path)).ok())
        .unwrap_or_default();
    let names = Names::parse(&String::from_utf8_lossy(&database));
    let devices = files::entries(&root.join("sys/bus/pci/devices"))?
        .into_iter()
        .map(|(address, path)| {
            let id = |name: &str| files::text(path.join(name)).trim_start_matches("0x").to_owned();
            let (vendor_id, product_id) = (id("vendor"), id("device"));
            PciDevice {
                address,
                vendor: names.vendors.get(&vendor_id).cloned().unwrap_or_default(),
                product: names
                    .products
                    .get(&(vendor_id.clone(), product_id.clone()))
                    .cloned()
                    .unwrap_or_default(),
                numa_node_id: files::number(path.join("numa_node")).unwrap_or(NUMA_NODE_UNKNOWN),
                vendor_id,
                product_id,
            }
        })
        .collect();
    Ok(devices)
}

#[derive(Default)]
struct Names {
    vendors: BTreeMap<String, String>,
    products: BTreeMap<(String, String), String>,
}

impl Names {
    /// `vendor  name`, below it `<tab>device  name`, below that subsystems; classes follow at the end.
    fn parse(database: &str) -> Self {
        let mut names = Self::default();
        let mut vendor = "";
        for line in database.lines().filter(|line| !line.starts_with('#')) {
            if line.starts_with("C ") {
                break;
            }
            let Some((id, name)) = line.trim_start().split_once("  ") else {
                continue;
            };
            match line.len() - line.trim_start().len() {
                0 => {
                    vendor = id;
                    names.vendors.insert(id.to_owned(), name.to_owned());
                }
                1 => {
                    names
                        .products
                        .insert((vendor.to_owned(), id.to_owned()), name.to_owned());
                }
                _ => {}
            }
        }
        names
    }
}
