//! Redfish over `nv-redfish`: its schema types, its vendor quirks (`CompatBmc`) and its `Bmc` trait, which [`call::Call`]
//! implements over our HTTP edge.
//!
//! Where documents are read raw beside their typed form, it is because the generated enums do not keep spellings that they
//! do not know, `Action` drops `@Redfish.AllowableValues`, and one malformed optional property must not hide a whole system
//! (bugs.md #68, #69).

mod accounts;
mod answer;
mod attribute_registry;
mod bios;
mod boot;
mod breaker;
mod call;
mod document;
mod erase;
mod events;
mod gate;
mod inventory;
mod manager_attributes;
mod managers;
mod protocol;
mod session;
mod systems;
mod task;
mod update_service;
mod vendor;

pub(super) use call::{Call, Endpoint, Shared};
pub(super) use gate::LoginGate;
