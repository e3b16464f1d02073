//! BMCUser: an account on a BMC, and its password (contract section 3.6).
//!
//! | module | subject |
//! |---|---|
//! | `decision` | what the account needs next. Pure |
//! | `password` | passwords that a BMC takes |
//!
//! The account may be the one that the operator itself logs in with. Then the BMC object names the new secret as soon as the password is
//! set; after a crash in between, the old password is refused, and the new one, which is stored already, is tried instead: once, as the
//! pool's back-off after refused logins counts for it, too.

mod decision;
mod password;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crds::{BMC, BMCSecret, BMCUser, BMCUserStatus, LocalObjectReference, keys};
use k8s_openapi::ByteString;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::api::{Api, Patch, PostParams};
use kube::runtime::controller::Action;
use kube::{Resource, ResourceExt};
use serde_json::json;

use self::decision::{Observed, Step};
use super::bmc::{AccessError, access};
use super::{Error, ensure_finalizer, is_ignored, remove_finalizer};
use crate::bmc::{Account, Accounts, BmcAccess, BmcClient, BmcError, Credentials};
use crate::conditions::seconds;
use crate::context::{Context, is_conflict, is_not_found, parameters};
use crate::events::{Happening, table};

const CONTROLLER: &str = "bmcuser-controller";

/// One pass over one BMCUser.
///
/// # Errors
/// See [`Error`]; the pass is repeated with growing pauses.
pub async fn reconcile(context: Arc<Context>, user: Arc<BMCUser>) -> Result<Action, Error> {
    let result = if user.metadata.deletion_timestamp.is_some() {
        delete(&context, &user).await
    } else if is_ignored(&*user) {
        return Ok(Action::await_change());
    } else {
        pass(&context, BMCUser::clone(&user)).await
    };
    match result {
        Ok(Some(pause)) => Ok(Action::requeue(pause)),
        Ok(None) => Ok(Action::await_change()),
        Err(Error::Kube(error)) if is_conflict(&error) => Ok(Action::requeue(context.settings.resource.interval)),
        Err(error) => {
            if let Error::Bmc(error @ (BmcError::Http { .. } | BmcError::Unsupported { .. })) = &error {
                tell(&context, &user, error).await;
            }
            Err(error)
        }
    }
}

/// What the BMC refuses, people have to know.
async fn tell(context: &Context, user: &BMCUser, error: &BmcError) {
    let happening = Happening {
        told: &table::ACCOUNT_REFUSED,
        note: format!("The BMC does not take the account: {}", error.condition_message()),
        occurrence: user.metadata.generation.unwrap_or_default(),
    };
    context.events.record(CONTROLLER, user, happening).await;
}

async fn pass(context: &Context, mut user: BMCUser) -> Result<Option<Duration>, Error> {
    let Some(reference) = user.spec.bmc_ref.clone() else {
        return Ok(None);
    };
    if let Some(with_finalizer) = ensure_finalizer(&context.api(), &user, keys::finalizer::BMC_USER).await? {
        user = with_finalizer;
    }
    let bmc = context.caches.bmcs.get(&reference.name).ok_or(AccessError::Missing {
        kind: "BMC",
        name: reference.name,
    })?;
    let access = access::of_bmc(context, &bmc)?;
    let session = log_in(context, &user, &access).await?;
    let account = session.account(&user);
    let old = user.status.clone().unwrap_or_default();
    let mut new = old.clone();
    new.id = account.map(|account| account.id.clone());
    new.password_expiration = account.and_then(|account| account.password_expiration).map(Time);
    let step = decision::decide(&Observed {
        user: &user,
        exists: account.is_some(),
        expiration: new.password_expiration.as_ref().map(|time| time.0),
        now: context.now(),
    });
    match step {
        Step::Store => {
            write(context, &user, &old, &new).await?;
            store(context, &user, &bmc, &session.accounts).await?;
            // The event of what was written brings us back.
            Ok(Some(context.settings.resource.interval))
        }
        Step::Set => {
            set(context, &user, &bmc, &access, &session).await?;
            new.effective_bmc_secret_ref = user.spec.bmc_secret_ref.clone();
            new.last_rotation = Some(Time(seconds(context.now())));
            write(context, &user, &old, &new).await?;
            Ok(Some(context.settings.resource.interval))
        }
        Step::Rest(left) => {
            write(context, &user, &old, &new).await?;
            let look = context.options.controllers.bmc_discovery_interval.get();
            Ok(Some(left.map_or(look, |left| left.min(look))))
        }
    }
}

async fn write(context: &Context, user: &BMCUser, old: &BMCUserStatus, new: &BMCUserStatus) -> Result<(), Error> {
    context.write_status(&context.api(), user, old, new).await?;
    Ok(())
}

/// The BMC, as far as an administrator sees its accounts.
struct Session {
    client: BmcClient,
    accounts: Accounts,
    /// The stored password, and not the one that the BMC object names, is that of the operator's own account.
    with_the_new_password: bool,
}

impl Session {
    fn account(&self, user: &BMCUser) -> Option<&Account> {
        let mut accounts = self.accounts.accounts.iter();
        accounts.find(|account| account.user_name == user.spec.user_name)
    }
}

async fn log_in(context: &Context, user: &BMCUser, access: &BmcAccess) -> Result<Session, Error> {
    let client = context.bmcs.client(access).await?;
    let error = match client.accounts().await {
        Ok(accounts) => {
            return Ok(Session {
                client,
                accounts,
                with_the_new_password: false,
            });
        }
        Err(error) => error,
    };
    let under_way = user.spec.bmc_secret_ref.is_some()
        && user.spec.bmc_secret_ref.as_ref()
            != user
                .status
                .as_ref()
                .and_then(|status| status.effective_bmc_secret_ref.as_ref());
    if !matches!(error, BmcError::Unauthorized { .. }) || !under_way || !is_own(user, access) {
        return Err(error.into());
    }
    let credentials = stored(context, user).await?;
    let client = context.bmcs.client(&with(access, credentials)).await?;
    let accounts = client.accounts().await?;
    Ok(Session {
        client,
        accounts,
        with_the_new_password: true,
    })
}

/// Whether the account is the one that the operator itself logs in with.
fn is_own(user: &BMCUser, access: &BmcAccess) -> bool {
    user.spec.user_name == access.credentials.username
}

fn with(access: &BmcAccess, credentials: Credentials) -> BmcAccess {
    BmcAccess {
        credentials,
        ..access.clone()
    }
}

/// User name and password as they are to be.
async fn stored(context: &Context, user: &BMCUser) -> Result<Credentials, Error> {
    let name = user
        .spec
        .bmc_secret_ref
        .as_ref()
        .map(|reference| reference.name.clone());
    let name = name.unwrap_or_default();
    let secret = match context.caches.secrets.get(&name) {
        Some(secret) => Some(BMCSecret::clone(&secret)),
        // It may have been stored a moment ago.
        None => context.api::<BMCSecret>().get_opt(&name).await?,
    };
    let secret = secret.ok_or(AccessError::Missing {
        kind: "BMCSecret",
        name,
    })?;
    let password = secret.value("password").map_err(AccessError::from)?;
    Ok(Credentials::new(user.spec.user_name.clone(), password))
}

/// Stores a new password, and lets the spec name it. A request is consumed by the same write.
async fn store(context: &Context, user: &BMCUser, bmc: &BMC, accounts: &Accounts) -> Result<(), Error> {
    let name = decision::next_secret(user);
    let uid = user.uid().unwrap_or_default();
    let mut rng = context.seed.stream(&format!("bmc-user/{uid}/{name}"));
    let manufacturer = bmc.status.as_ref().and_then(|status| status.manufacturer.as_deref());
    let password = password::generate(&mut rng, manufacturer.unwrap_or_default(), accounts.max_password_length);
    let data = BTreeMap::from([
        (
            "username".to_owned(),
            ByteString(user.spec.user_name.as_bytes().to_vec()),
        ),
        ("password".to_owned(), ByteString(password.as_bytes().to_vec())),
    ]);
    let mut secret = BMCSecret::new(&name, data);
    secret.immutable = Some(true);
    secret.metadata.owner_references = user.controller_owner_ref(&()).map(|owner| vec![owner]);
    let api: Api<BMCSecret> = context.api();
    match api.create(&PostParams::default(), &secret).await {
        Ok(_) => {}
        Err(kube::Error::Api(status)) if status.is_already_exists() => {
            // Ours, from a pass that was cut short: nobody has set it yet, and it is as good as a new one.
            let found = api.get_opt(&name).await?;
            let ours = |secret: &BMCSecret| secret.owner_references().iter().any(|owner| owner.uid == uid);
            if !found.as_ref().is_some_and(ours) {
                let message = format!(
                    "BMCSecret {name} exists and does not belong to BMCUser {}",
                    user.name_any()
                );
                return Err(Error::Invalid(message));
            }
        }
        Err(error) => return Err(error.into()),
    }
    let mut patch = json!({
        "metadata": { "resourceVersion": user.resource_version() },
        "spec": { "bmcSecretRef": { "name": name } },
    });
    if decision::is_requested(user) {
        patch["metadata"]["annotations"] = json!({ keys::OPERATION_ANNOTATION: null });
    }
    let users: Api<BMCUser> = context.api();
    users
        .patch(&user.name_any(), &parameters(), &Patch::Merge(patch))
        .await?;
    tracing::info!(user = %user.name_any(), secret = name, "a new password is stored");
    Ok(())
}

/// Makes the account what the spec says. Again and again until that is on record.
async fn set(context: &Context, user: &BMCUser, bmc: &BMC, access: &BmcAccess, session: &Session) -> Result<(), Error> {
    let credentials = stored(context, user).await?;
    let role = &user.spec.role_id;
    if !session.with_the_new_password {
        let done = match session.account(user) {
            Some(account) => session.client.set_account(account, &credentials.password, role).await,
            None => session.client.create_account(&credentials, role).await,
        };
        match done {
            Ok(()) => {}
            // One that keeps a history of passwords refuses the same one again.
            Err(BmcError::Http { status, .. })
                if status < 500
                    && session.account(user).is_some()
                    && is_right(context, access, credentials.clone()).await => {}
            Err(error) => return Err(error.into()),
        }
    }
    tracing::info!(user = %user.name_any(), bmc = %bmc.name_any(), "the password of an account is set");
    if is_own(user, access) {
        keep_access(context, user, bmc).await?;
    }
    Ok(())
}

/// Whether somebody can log in with these.
async fn is_right(context: &Context, access: &BmcAccess, credentials: Credentials) -> bool {
    let access = with(access, credentials);
    let Ok(client) = context.bmcs.client(&access).await else {
        return false;
    };
    let right = client.managers().await.is_ok();
    context.bmcs.forget(&access).await;
    right
}

/// From now on the operator logs in with the new password.
async fn keep_access(context: &Context, user: &BMCUser, bmc: &BMC) -> Result<(), Error> {
    let wanted: Option<&LocalObjectReference> = user.spec.bmc_secret_ref.as_ref();
    if wanted == Some(&bmc.spec.bmc_secret_ref) {
        return Ok(());
    }
    let patch = json!({
        "metadata": { "resourceVersion": bmc.resource_version() },
        "spec": { "bmcSecretRef": wanted },
    });
    let api: Api<BMC> = context.api();
    api.patch(&bmc.name_any(), &parameters(), &Patch::Merge(patch)).await?;
    Ok(())
}

/// The account goes with its object, unless it is the operator's own.
async fn delete(context: &Context, user: &BMCUser) -> Result<Option<Duration>, Error> {
    let finalizer = keys::finalizer::BMC_USER;
    if !user.finalizers().iter().any(|present| present == finalizer) {
        return Ok(None);
    }
    if let Some(bmc) = bmc_of(context, user).await? {
        let access = access::of_bmc(context, &bmc)?;
        if is_own(user, &access) {
            disown(context, user, &bmc).await?;
        } else {
            let session = log_in(context, user, &access).await?;
            let known = user.status.as_ref().and_then(|status| status.id.as_ref());
            // One that is gone already is no obstacle (W43); one that this object never had is not touched.
            if let Some(account) = session.account(user)
                && known == Some(&account.id)
            {
                session.client.delete_account(account).await?;
            }
        }
    }
    match remove_finalizer(&context.api(), user, finalizer).await {
        Ok(_) => Ok(None),
        Err(error) if is_not_found(&error) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// The operator goes on logging in with this secret: it must not go with its owner.
async fn disown(context: &Context, user: &BMCUser, bmc: &BMC) -> Result<(), Error> {
    let api: Api<BMCSecret> = context.api();
    let name = &bmc.spec.bmc_secret_ref.name;
    let Some(secret) = api.get_opt(name).await? else {
        return Ok(());
    };
    let owners = secret.owner_references();
    let others: Vec<_> = owners
        .iter()
        .filter(|owner| Some(&owner.uid) != user.metadata.uid.as_ref())
        .collect();
    if others.len() == owners.len() {
        return Ok(());
    }
    let patch = json!({ "metadata": {
        "resourceVersion": secret.resource_version(),
        "ownerReferences": (!others.is_empty()).then_some(others),
    } });
    api.patch(name, &parameters(), &Patch::Merge(patch)).await?;
    Ok(())
}

/// `None` when the API server says that there is none (any more).
async fn bmc_of(context: &Context, user: &BMCUser) -> Result<Option<BMC>, Error> {
    match &user.spec.bmc_ref {
        None => Ok(None),
        Some(reference) => Ok(context.api::<BMC>().get_opt(&reference.name).await?),
    }
}
