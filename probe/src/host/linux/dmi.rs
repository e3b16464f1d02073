//! Firmware identity from `/sys/class/dmi/id`. Serial numbers are readable by root only.

use std::path::Path;

use super::files;
use crate::model::{BiosInformation, BoardInformation, SystemInfo, SystemInformation};

pub(super) fn read(root: &Path) -> SystemInfo {
    let directory = root.join("sys/class/dmi/id");
    let text = |name: &str| files::text(directory.join(name));
    SystemInfo {
        bios_information: BiosInformation {
            vendor: text("bios_vendor"),
            version: text("bios_version"),
            date: text("bios_date"),
        },
        system_information: SystemInformation {
            manufacturer: text("sys_vendor"),
            product_name: text("product_name"),
            version: text("product_version"),
            serial_number: text("product_serial"),
            uuid: text("product_uuid"),
            sku_number: text("product_sku"),
            family: text("product_family"),
        },
        board_information: BoardInformation {
            manufacturer: text("board_vendor"),
            product: text("board_name"),
            version: text("board_version"),
            serial_number: text("board_serial"),
            asset_tag: text("board_asset_tag"),
        },
    }
}
