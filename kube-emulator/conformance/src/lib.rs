//! What an API server answers, as data: checks that any cluster can be put to, and the answers of a real one.
//!
//! | module | what lives there |
//! |---|---|
//! | [`suite`] | the checks: `checks/<topic>.yaml`, read strictly |
//! | [`connection`], `kubeconfig` | plain HTTP to a cluster, as whom one likes |
//! | [`runner`], `watch` | plays checks, and writes down what was answered |
//! | `normalise` | what differs from run to run (uids, times, revisions) gets a name that does not |
//! | [`corpus`] | the answers of a real server: `corpus/<topic>.json`, recorded by `cargo xtask conformance record` |
//! | [`compare`] | two answers, place by place |
//! | [`differences`] | what is known to differ, and why that is all right: `differences.yaml`, `DIFFERENCES.md` |
//! | [`embedded`] | a `kube-emulator` to put to the checks |
//!
//! Checks say nothing of what is right: the real server's answer is.

pub mod compare;
pub mod connection;
pub mod corpus;
pub mod differences;
pub mod embedded;
mod kubeconfig;
mod normalise;
pub mod runner;
pub mod suite;
mod watch;
