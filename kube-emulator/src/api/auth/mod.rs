//! Who asks, and whether they may.
//!
//! | module | subject |
//! |---|---|
//! | `identity` | bearer tokens, the administrator's and those of service accounts; impersonation |
//! | [`rbac`] | roles and bindings |
//! | [`tokens`] | tokens of service accounts, by TokenRequest |

mod identity;
pub(crate) mod rbac;
pub(crate) mod tokens;

pub(crate) use identity::{User, authenticate, impersonated};
