//! The ServerBootConfiguration controller (contract section 3.2): an empty state becomes `Pending`. `Ready` and `Error` are the boot
//! server's to say.

use std::sync::Arc;

use crds::{BootConfigurationState, ServerBootConfiguration};
use kube::ResourceExt;
use kube::runtime::controller::Action;

use super::{Error, is_ignored};
use crate::context::{Context, is_conflict, is_not_found};

/// One pass over one ServerBootConfiguration.
///
/// # Errors
/// The API server's.
pub async fn reconcile(context: Arc<Context>, configuration: Arc<ServerBootConfiguration>) -> Result<Action, Error> {
    let old = configuration.status.clone().unwrap_or_default();
    let deleting = configuration.metadata.deletion_timestamp.is_some();
    if deleting || is_ignored(&*configuration) || old.state.is_some() {
        return Ok(Action::await_change());
    }
    let mut new = old.clone();
    new.state = Some(BootConfigurationState::Pending);
    let api = context.api_in(&configuration.namespace().unwrap_or_default());
    match context.write_status(&api, &*configuration, &old, &new).await {
        Ok(_) => {}
        // The boot server was faster, or the object is gone.
        Err(error) if is_conflict(&error) || is_not_found(&error) => {}
        Err(error) => return Err(error.into()),
    }
    Ok(Action::await_change())
}
