//! The update itself: recorded, then sent, once.

use crds::firmware::{UpdatePolicy, UpgradeIntent, UpgradeTask, VersionState};
use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::api::Api;

use super::machine::Versioned;
use super::note;
use super::state::ISSUED;
use crate::bmc::{BmcError, Credentials, UpdateRequest};
use crate::conditions::{self, Wish, seconds, seconds_up};
use crate::context::Context;
use crate::controllers::Error;
use crate::controllers::firmware::maintenance::Maintenances;
use crate::controllers::firmware::object;

/// Sends the update, if the machines are still in the maintenances of the object. `false`: look again later.
pub(super) async fn update<K: Versioned>(
    context: &Context,
    version: &mut K,
    maintenances: &Maintenances,
    known: Vec<String>,
) -> Result<bool, Error> {
    let image = version.template().image.clone();
    let credentials = match &image.secret_ref {
        None => None,
        Some(reference) => {
            let namespace = reference.namespace.clone().unwrap_or_default();
            let name = reference.name.clone().unwrap_or_default();
            match credentials(context, &namespace, &name).await? {
                Ok(credentials) => Some(credentials),
                Err(message) => {
                    note(context, version, &Wish::no(ISSUED, "ImageSecretUnusable", message)).await?;
                    return Ok(false);
                }
            }
        }
    };
    let request = UpdateRequest {
        image_uri: image.uri,
        transfer_protocol: image.transfer_protocol,
        credentials,
        force: version.template().update_policy == Some(UpdatePolicy::Force),
    };
    let client = version.read(context).await?.client;
    if !maintenances.confirm(context).await? {
        return Ok(false);
    }
    let old = version.status();
    let mut recorded = old.clone();
    let now = context.now();
    recorded.upgrade_task = None;
    recorded.upgrade_intent = Some(UpgradeIntent {
        id: format!("{}-{}", object::key(version), now.as_millisecond()),
        issued_at: Time(seconds_up(now)),
        known_tasks: known,
    });
    let message = "The update is being sent to the BMC";
    conditions::set(
        &mut recorded.conditions,
        &Wish::no(ISSUED, "UpgradeIssuing", message),
        now,
    );
    *version = object::write_status(context, version, &old, &recorded).await?;
    // What follows must not outlive the lease under which it was recorded.
    let in_time = context
        .leadership
        .valid_for(context.options.bmc.bmc_request_timeout.get());
    tracing::info!(
        object = object::key(version),
        image = request.image_uri,
        in_time,
        "sending a firmware update"
    );
    let sent = match in_time {
        true => client.simple_update(&request).await,
        false => Err(BmcError::Closed),
    };
    let mut new = recorded.clone();
    let now = context.now();
    let wish = match sent {
        Ok(task) => {
            new.upgrade_task = Some(UpgradeTask {
                uri: task.map(|task| task.as_str().to_owned()),
                since: Some(Time(seconds(now))),
                ..UpgradeTask::default()
            });
            Wish::yes(ISSUED, "UpgradeIssued", "The BMC has taken the update in")
        }
        Err(error) if error.may_have_been_executed() => {
            tracing::warn!(object = object::key(version), %error, "the BMC may have taken the update in");
            // The record stays: the tasks of the BMC will tell.
            return Ok(false);
        }
        Err(error) => {
            tracing::warn!(object = object::key(version), %error, "the update was not sent, or refused");
            new.upgrade_intent = None;
            if is_final(&error) {
                new.state = Some(VersionState::Failed);
                Wish::no(
                    ISSUED,
                    "UpgradeIssueFailed",
                    format!("The BMC has refused the update: {error}"),
                )
            } else {
                Wish::no(ISSUED, "UpgradeNotSent", error.condition_message())
            }
        }
    };
    conditions::set(&mut new.conditions, &wish, now);
    *version = object::write_status(context, version, &recorded, &new).await?;
    Ok(true)
}

/// Whether sending it again would be answered in the same way (contract section 9.7).
fn is_final(error: &BmcError) -> bool {
    matches!(
        error,
        BmcError::Http { sent: true, .. } | BmcError::Protocol { sent: true, .. } | BmcError::Unsupported { .. }
    )
}

/// User name and password for the server that the image comes from; or why there are none.
async fn credentials(
    context: &Context,
    namespace: &str,
    name: &str,
) -> Result<Result<Credentials, String>, kube::Error> {
    let api: Api<Secret> = context.api_in(namespace);
    let secret = match api.get_opt(name).await {
        Ok(Some(secret)) => secret,
        Ok(None) => return Ok(Err(format!("Secret {namespace}/{name} of the image is not there"))),
        Err(kube::Error::Api(status)) if status.code == 403 => {
            return Ok(Err(format!(
                "The operator may not read Secret {namespace}/{name} of the image"
            )));
        }
        Err(error) => return Err(error),
    };
    let data = secret.data.unwrap_or_default();
    let value = |key: &str| {
        let value = data.get(key).and_then(|value| String::from_utf8(value.0.clone()).ok());
        value.ok_or_else(|| format!("Secret {namespace}/{name} of the image has no key {key}"))
    };
    Ok(value("username").and_then(|username| Ok(Credentials::new(username, value("password")?))))
}
