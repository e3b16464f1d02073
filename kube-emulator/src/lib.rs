//! An in-process Kubernetes API server: the embedded default cluster of tests and simulations. It knows nothing of
//! metal, and it is a test double: whatever serves real users runs on real Kubernetes.
//!
//! | module | what lives there |
//! |---|---|
//! | [`emulator`](KubeEmulator) | the server as a whole: settings, router, controllers, observers |
//! | [`front_end`](FrontEnd) | one of several API servers over the same store, with a watch cache that may lag |
//! | [`restore`](KubeEmulator::restore) | what backups do to a cluster: objects come back, status is lost |
//! | [`journal`](KubeEmulator::kept_in) | a cluster that goes on after a restart |
//! | `store` | ordered tables, one global revision, bounded history, watchers |
//! | `resource` | what is served: built-in kinds as a table, definitions of custom ones, printer columns |
//! | `schema` | structural schemas: pruning, defaulting, validation, CEL rules |
//! | `patch`, `apply` | JSON, merge and strategic patches; field ownership and server-side apply |
//! | `selector` | label and field selectors |
//! | `api` | the HTTP face: paths, negotiation, verbs, watches, discovery, OpenAPI, Status bodies |
//! | `controllers` | garbage collection, namespace life cycle, contents of every namespace |
//! | [`serve`] | HTTPS on a socket, kubeconfig |
//!
//! The same [`axum::Router`] is called in memory or over HTTPS. Nothing is spawned: watches are streams their reader
//! polls, controllers run in the future of [`KubeEmulator::run_controllers`].

mod api;
mod apply;
mod controllers;
mod edges;
mod emulator;
mod front_end;
mod journal;
mod patch;
mod resource;
mod restore;
mod schema;
mod selector;
pub mod serve;
mod store;

pub use edges::Clock;
pub use emulator::{KubeEmulator, Settings};
pub use front_end::FrontEnd;
pub use journal::JournalError;
pub use restore::RestoreError;
pub use store::{Commit, CommitEvent, Observer};
