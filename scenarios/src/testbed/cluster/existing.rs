//! A cluster that exists, and has other things in it. Scenarios install what they need, under a label, and take it away again; where
//! something of the same name is there without the label, nothing is touched at all.

use super::provider::{Access, Lent, Provider};
use crate::engine::cluster::FIELD_MANAGER;
use crate::envtest::{install, service_account};
use crate::script::Scenario;
use crate::script::kinds::{self, KnownKind};
use crate::testbed::{MANAGER_NAMESPACE, TestbedError};
use async_trait::async_trait;
use kube::api::{Api, DeleteParams, DynamicObject, ListParams, Patch, PatchParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::discovery::{Scope, pinned_kind};
use kube::{Client, Config, ResourceExt as _};
use serde_json::json;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::time::Instant;

/// On everything that was installed for scenarios.
const LABEL: &str = "metal.ironcore.dev/installed-by";
const INSTALLER: &str = "scenarios";
/// A namespace takes the longest.
const REMOVAL: Duration = Duration::from_secs(120);
const LOOK_AGAIN: Duration = Duration::from_millis(500);

/// A cluster, by its kubeconfig.
#[derive(Clone, Debug)]
pub struct Existing {
    /// Default: what KUBECONFIG says.
    pub kubeconfig: Option<PathBuf>,
    /// Default: the current one.
    pub context: Option<String>,
    /// `operator/deploy`: kinds, roles and policy come from there.
    pub deploy: PathBuf,
}

/// What was there before.
struct Before {
    client: Client,
    uids: BTreeSet<String>,
}

#[async_trait]
impl Provider for Existing {
    fn name(&self) -> &'static str {
        "kubeconfig"
    }

    /// Kinds like Server are not namespaced.
    fn at_most(&self) -> Option<usize> {
        Some(1)
    }

    async fn lend(&self, scenario: &Scenario) -> Result<Option<Lent>, TestbedError> {
        // A second one of this process finds the provider installed, which is just as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let kubeconfig = self.read()?;
        let options = KubeConfigOptions {
            context: self.context.clone(),
            ..KubeConfigOptions::default()
        };
        let config = Config::from_custom_kubeconfig(kubeconfig.clone(), &options)
            .await
            .map_err(|error| failed("the kubeconfig leads to no cluster", &error))?;
        let client = Client::try_from(config.clone()).map_err(|error| failed("there is no client", &error))?;
        let all = install::everything(&self.deploy)?;
        if left_behind(&client, &all).await? {
            remove(&client, &all, None).await?;
        }
        let wanted = install::needed_by(scenario, all);
        let before = Before {
            uids: uids(&client).await?,
            client: client.clone(),
        };
        for object in &wanted {
            let mut object = object.clone();
            object.labels_mut().insert(LABEL.to_owned(), INSTALLER.to_owned());
            install::apply(&client, "operator/deploy", object).await?;
        }
        install::established(&client).await?;
        let token = service_account::token(client.clone(), MANAGER_NAMESPACE, install::SERVICE_ACCOUNT).await?;
        let mut operator = config.clone();
        operator.auth_info = kube::config::AuthInfo {
            token: Some(token.into()),
            ..Default::default()
        };
        Ok(Some(Lent {
            access: Access {
                user: config,
                operator,
                kubeconfig: serde_saphyr::to_string(&kubeconfig)
                    .map_err(|error| failed("the kubeconfig cannot be written", &error))?,
            },
            keep: Box::new(before),
        }))
    }

    async fn take_back(&self, lent: Lent) -> Result<(), TestbedError> {
        let Ok(before) = lent.keep.downcast::<Before>() else {
            return Ok(());
        };
        let wanted = install::everything(&self.deploy)?;
        remove(&before.client, &wanted, Some(&before.uids)).await
    }
}

impl Existing {
    fn read(&self) -> Result<Kubeconfig, TestbedError> {
        let read = match &self.kubeconfig {
            Some(path) => Kubeconfig::read_from(path),
            None => Kubeconfig::read(),
        };
        read.map_err(|error| {
            let which = self.kubeconfig.as_deref().map(Path::display);
            let which = which.map_or_else(|| "KUBECONFIG".to_owned(), |path| path.to_string());
            failed(
                &format!("{which} cannot be read; name a cluster by --kubeconfig"),
                &error,
            )
        })
    }
}

/// Whether an earlier run was not able to take away what it had installed.
async fn left_behind(client: &Client, wanted: &[DynamicObject]) -> Result<bool, TestbedError> {
    let mut left = false;
    for object in wanted {
        let Some(found) = find(client, object).await? else {
            continue;
        };
        if found.labels().get(LABEL).is_none_or(|by| by != INSTALLER) {
            let kind = object.types.clone().unwrap_or_default().kind;
            return Err(TestbedError::Unsupported {
                what: "running scenarios on this cluster".to_owned(),
                why: format!(
                    "it has a {kind} {} that was not installed by scenarios; they touch nothing of others",
                    object.name_any()
                ),
            });
        }
        left = true;
    }
    Ok(left)
}

async fn find(client: &Client, object: &DynamicObject) -> Result<Option<DynamicObject>, TestbedError> {
    let api = api(client, object).await?;
    api.get_opt(&object.name_any())
        .await
        .map_err(|error| failed(&format!("{} cannot be read", object.name_any()), &error))
}

async fn api(client: &Client, object: &DynamicObject) -> Result<Api<DynamicObject>, TestbedError> {
    let types = object.types.clone().unwrap_or_default();
    let kind = kube::core::GroupVersionKind::try_from(&types)
        .map_err(|error| failed(&format!("{} has no kind", object.name_any()), &error))?;
    let (resource, capabilities) = pinned_kind(client, &kind)
        .await
        .map_err(|error| failed(&format!("{} is not served", types.kind), &error))?;
    let namespace = object.namespace();
    Ok(match (capabilities.scope, namespace) {
        (Scope::Namespaced, Some(namespace)) => Api::namespaced_with(client.clone(), &namespace, &resource),
        (Scope::Namespaced, None) => Api::default_namespaced_with(client.clone(), &resource),
        (Scope::Cluster, _) => Api::all_with(client.clone(), &resource),
    })
}

fn is_ours(kind: KnownKind) -> bool {
    kind.group == crds::GROUP
}

/// UIDs of objects of kinds that are not ours.
async fn uids(client: &Client) -> Result<BTreeSet<String>, TestbedError> {
    let mut uids = BTreeSet::new();
    for kind in kinds::ALL.into_iter().filter(|kind| !is_ours(*kind)) {
        uids.extend(list(client, kind).await?.into_iter().filter_map(|object| object.uid()));
    }
    Ok(uids)
}

async fn list(client: &Client, kind: KnownKind) -> Result<Vec<DynamicObject>, TestbedError> {
    let api: Api<DynamicObject> = Api::all_with(client.clone(), &kind.api_resource());
    match api.list(&ListParams::default()).await {
        Ok(list) => Ok(list.items),
        // Its definition is gone already.
        Err(kube::Error::Api(status)) if status.code == 404 => Ok(Vec::new()),
        Err(error) => Err(failed(&format!("{} cannot be listed", kind.plural), &error)),
    }
}

/// Takes away everything that scenarios have made and installed. Without knowledge of what was `before`, what they have made of other
/// kinds stays.
async fn remove(
    client: &Client,
    wanted: &[DynamicObject],
    before: Option<&BTreeSet<String>>,
) -> Result<(), TestbedError> {
    for kind in kinds::ALL {
        for object in list(client, kind).await? {
            let is_new = || before.is_some_and(|before| object.uid().is_some_and(|uid| !before.contains(&uid)));
            if is_ours(kind) || (is_new() && is_made_by_scenarios(&object)) {
                delete(client, kind, &object).await?;
            }
        }
    }
    for object in wanted.iter().rev() {
        let api = api(client, object).await?;
        gone(api.delete(&object.name_any(), &DeleteParams::default()).await.map(drop))?;
    }
    let began = Instant::now();
    for object in wanted {
        while find(client, object).await?.is_some() {
            if began.elapsed() > REMOVAL {
                return Err(failed(
                    "the cluster cannot be left clean",
                    &format!("{} stays", object.name_any()),
                ));
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }
    Ok(())
}

/// By a scenario itself, or about what it has made. What the operator makes goes with its owners.
fn is_made_by_scenarios(object: &DynamicObject) -> bool {
    let is_written = object
        .managed_fields()
        .iter()
        .any(|entry| entry.manager.as_deref() == Some(FIELD_MANAGER));
    let about = object
        .data
        .pointer("/involvedObject/apiVersion")
        .and_then(|version| version.as_str());
    is_written || about.is_some_and(|version| version.starts_with(crds::GROUP))
}

/// Nobody is left who would take finalizers away.
async fn delete(client: &Client, kind: KnownKind, object: &DynamicObject) -> Result<(), TestbedError> {
    let resource = kind.api_resource();
    let api: Api<DynamicObject> = match object.namespace() {
        Some(namespace) => Api::namespaced_with(client.clone(), &namespace, &resource),
        None => Api::all_with(client.clone(), &resource),
    };
    let name = object.name_any();
    gone(api.delete(&name, &DeleteParams::default()).await.map(drop))?;
    if is_ours(kind) && !object.finalizers().is_empty() {
        let patch = Patch::Merge(json!({ "metadata": { "finalizers": null } }));
        gone(
            api.patch_metadata(&name, &PatchParams::default(), &patch)
                .await
                .map(drop),
        )?;
    }
    Ok(())
}

/// What is gone already is gone.
fn gone(result: Result<(), kube::Error>) -> Result<(), TestbedError> {
    match result {
        Err(kube::Error::Api(status)) if status.code == 404 => Ok(()),
        Err(error) => Err(failed("the cluster cannot be left clean", &error)),
        Ok(()) => Ok(()),
    }
}

fn failed(what: &str, error: &dyn std::fmt::Display) -> TestbedError {
    TestbedError::failed(what, error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_have_made_is_not_taken_away() {
        let object = |document: serde_json::Value| -> DynamicObject { serde_json::from_value(document).unwrap() };
        let by = |manager: &str| object(json!({ "metadata": { "managedFields": [{ "manager": manager }] } }));
        let about = |version: &str| object(json!({ "metadata": {}, "involvedObject": { "apiVersion": version } }));
        for (object, expected) in [
            (by("scenarios"), true),
            (by("kubectl"), false),
            (about("metal.ironcore.dev/v1alpha1"), true),
            (about("v1"), false),
        ] {
            assert_eq!(is_made_by_scenarios(&object), expected, "{object:?}");
        }
    }
}
