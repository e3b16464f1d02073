//! One file per kind, named as the kind. A kind's status is in the same file unless it is long.

pub mod bios_settings;
pub mod bios_settings_set;
pub mod bios_version;
pub mod bios_version_set;
pub mod bmc;
pub mod bmc_secret;
pub mod bmc_settings;
pub mod bmc_settings_set;
pub mod bmc_user;
pub mod bmc_version;
pub mod bmc_version_set;
pub mod endpoint;
pub mod server;
pub mod server_boot_configuration;
pub mod server_claim;
pub mod server_cleanup;
pub mod server_maintenance;
pub mod server_readiness_rule;
pub mod server_status;
