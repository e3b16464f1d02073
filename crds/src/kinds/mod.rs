//! One file per kind, named as the kind. A kind's status is in the same file unless it is long.

pub mod bmc;
pub mod bmc_secret;
pub mod bmc_user;
pub mod endpoint;
pub mod server;
pub mod server_boot_configuration;
pub mod server_claim;
pub mod server_cleanup;
pub mod server_readiness_rule;
pub mod server_status;
