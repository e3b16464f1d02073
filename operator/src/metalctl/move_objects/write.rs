//! Making what the plan says, and taking it back when something fails.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;

use anyhow::{Context, anyhow};
use k8s_openapi::api::core::v1::Namespace;
use kube::api::{Api, DeleteParams, DynamicObject, Patch, PatchParams, PostParams, Preconditions};
use kube::{Client, ResourceExt};
use serde_json::{Map, Value, json};

use super::item::{Item, Key, essence};
use super::plan::{Course, Plan};

/// Who has written it, in `managedFields`.
const FIELD_MANAGER: &str = "metalctl";

/// Something that was made, to be taken back if need be.
struct Made {
    key: Key,
    api: Api<DynamicObject>,
    uid: String,
}

/// # Errors
/// What failed. Everything that was made is gone again, or the error says what is not.
pub(super) async fn carry_out(
    client: &Client,
    plan: &Plan,
    verbose: bool,
    out: &mut (dyn Write + Send),
) -> anyhow::Result<()> {
    let mut made = Vec::new();
    let failed = tokio::select! {
        biased;
        interrupted = tokio::signal::ctrl_c() => match interrupted {
            Ok(()) => anyhow!("interrupted"),
            Err(error) => anyhow!(error).context("cannot listen to SIGINT"),
        },
        written = make(client, plan, &mut made, verbose, out) => match written {
            Ok(()) => return Ok(()),
            Err(error) => error,
        },
    };
    let left = take_back(made, verbose, out).await;
    if left.is_empty() {
        return Err(failed.context("nothing was moved; what had been made is deleted again"));
    }
    Err(failed.context(format!(
        "something was moved half way, and these could not be deleted again: {}",
        left.join(", ")
    )))
}

async fn make(
    client: &Client,
    plan: &Plan,
    made: &mut Vec<Made>,
    verbose: bool,
    out: &mut (dyn Write + Send),
) -> anyhow::Result<()> {
    let mut uids = plan.known.clone();
    let creating = || plan.steps.iter().filter(|step| step.course == Course::Create);
    let namespaces: BTreeSet<&String> = creating().filter_map(|step| step.item.key.namespace.as_ref()).collect();
    for namespace in namespaces {
        ensure_namespace(client, namespace).await?;
    }
    for step in creating() {
        let (item, api) = (&step.item, step.item.api(client));
        let uid = create(item, &api, &uids, made).await?;
        if let Some(here) = item.uid() {
            uids.insert(here.to_owned(), uid);
        }
        store_status(item, &api, &uids).await?;
        if verbose {
            writeln!(out, "{} created", item.key)?;
        }
    }
    for step in creating().filter(|step| step.twice) {
        let (item, api) = (&step.item, step.item.api(client));
        let mut whole = essence(&item.object, &uids);
        whole.remove("status");
        let patch = Patch::Merge(Value::Object(whole));
        let patched = api.patch(&item.key.name, &parameters(), &patch).await;
        patched.with_context(|| format!("{} cannot be completed", item.key))?;
        store_status(item, &api, &uids).await?;
    }
    Ok(())
}

/// A namespace that had to be made stays, whatever happens: nobody else's objects are deleted with it.
async fn ensure_namespace(client: &Client, name: &str) -> anyhow::Result<()> {
    let namespaces: Api<Namespace> = Api::all(client.clone());
    let found = namespaces.get_opt(name).await;
    if found
        .with_context(|| format!("Namespace {name} cannot be read"))?
        .is_some()
    {
        return Ok(());
    }
    let namespace = serde_json::from_value(json!({ "metadata": { "name": name } }))?;
    let created = namespaces.create(&post(), &namespace).await;
    created.with_context(|| format!("Namespace {name} cannot be created"))?;
    Ok(())
}

async fn create(
    item: &Item,
    api: &Api<DynamicObject>,
    uids: &BTreeMap<String, String>,
    made: &mut Vec<Made>,
) -> anyhow::Result<String> {
    let mut whole = essence(&item.object, uids);
    whole.remove("status");
    whole.insert("apiVersion".to_owned(), json!(item.kind.resource.api_version));
    whole.insert("kind".to_owned(), json!(item.kind.resource.kind));
    let object: DynamicObject = serde_json::from_value(Value::Object(whole))?;
    let created = api.create(&post(), &object).await;
    let created = created.with_context(|| format!("{} cannot be created", item.key))?;
    let uid = created.uid().unwrap_or_default();
    made.push(Made {
        key: item.key.clone(),
        api: api.clone(),
        uid: uid.clone(),
    });
    Ok(uid)
}

async fn store_status(item: &Item, api: &Api<DynamicObject>, uids: &BTreeMap<String, String>) -> anyhow::Result<()> {
    let status = essence(&item.object, uids).remove("status");
    let Some(status) = status.filter(|status| item.kind.has_status && *status != Value::Object(Map::new())) else {
        return Ok(());
    };
    let patch = Patch::Merge(json!({ "status": status }));
    let patched = api.patch_status(&item.key.name, &parameters(), &patch).await;
    patched.with_context(|| format!("the status of {} cannot be stored", item.key))?;
    Ok(())
}

/// Deletes what was made, the last first. Returns what could not be deleted, and why.
async fn take_back(made: Vec<Made>, verbose: bool, out: &mut (dyn Write + Send)) -> Vec<String> {
    let mut left = Vec::new();
    for made in made.into_iter().rev() {
        match delete(&made).await {
            Ok(()) if verbose => {
                // Nobody to tell is no reason to stop.
                let _ = writeln!(out, "{} deleted again", made.key);
            }
            Ok(()) => {}
            Err(error) => left.push(format!("{} ({error})", made.key)),
        }
    }
    left
}

/// Its finalizers go first: no operator is there to remove them.
async fn delete(made: &Made) -> Result<(), kube::Error> {
    let gone = |error: kube::Error| match error {
        kube::Error::Api(status) if status.code == 404 => Ok(()),
        error => Err(error),
    };
    let patch = json!({ "metadata": { "uid": made.uid, "finalizers": null } });
    let freed = made
        .api
        .patch(&made.key.name, &parameters(), &Patch::Merge(patch))
        .await;
    if let Err(error) = freed {
        return gone(error);
    }
    let this_one = DeleteParams::default().preconditions(Preconditions {
        uid: Some(made.uid.clone()),
        resource_version: None,
    });
    made.api
        .delete(&made.key.name, &this_one)
        .await
        .map(|_| ())
        .or_else(gone)
}

fn post() -> PostParams {
    PostParams {
        field_manager: Some(FIELD_MANAGER.to_owned()),
        ..PostParams::default()
    }
}

fn parameters() -> PatchParams {
    PatchParams {
        field_manager: Some(FIELD_MANAGER.to_owned()),
        ..PatchParams::default()
    }
}
