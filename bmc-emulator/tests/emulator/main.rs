//! The emulator seen from outside. One binary, because linking is the slowest part of testing.

mod accounts;
mod actions;
mod bad_hardware;
mod conformance;
mod faults;
mod files;
mod hostile;
mod jobs;
mod life_cycle;
mod logs;
mod network;
mod query;
mod raid;
mod redfish;
mod replay;
mod sensors;
mod server_sent_events;
mod ssdp;
mod support;
mod telemetry;
mod tls;
mod typed_client;
mod update;
mod vendors;
mod virtual_media;
