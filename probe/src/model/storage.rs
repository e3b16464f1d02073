//! Block devices.

use serde::{Deserialize, Serialize};

/// One block device with a device behind it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct BlockDevice {
    /// Device path below `/sys`.
    pub path: String,
    /// Kernel name, such as `nvme0n1`.
    pub name: String,
    pub rotational: bool,
    pub removable: bool,
    pub read_only: bool,
    pub vendor: String,
    pub model: String,
    pub serial: String,
    pub wwid: String,
    pub physical_block_size: u64,
    pub logical_block_size: u64,
    #[serde(rename = "hWSectorSize")]
    pub hw_sector_size: u64,
    pub size_bytes: u64,
    /// 0 when unknown: the Go type of this member has no sign.
    #[serde(rename = "numaNodeID")]
    pub numa_node_id: u64,
}
