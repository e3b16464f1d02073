//! Which cluster: a kubeconfig, or that of the pod.

use std::path::Path;

use anyhow::{Context, anyhow};
use kube::config::{KubeConfigOptions, Kubeconfig, KubeconfigError};

/// The kubelet sets it in every container; whoever has it runs in a cluster.
const IN_CLUSTER: &str = "KUBERNETES_SERVICE_HOST";

/// The given kubeconfig, else that of the pod, else the default one.
///
/// # Errors
/// What is wrong with it, without its content.
pub async fn kube_config(given: Option<&Path>) -> anyhow::Result<kube::Config> {
    let (kubeconfig, origin) = match given.filter(|paths| !paths.as_os_str().is_empty()) {
        Some(paths) => (
            read_kubeconfig(paths),
            "--kubeconfig (environment KUBECONFIG) cannot be used",
        ),
        None if std::env::var_os(IN_CLUSTER).is_some() => {
            return kube::Config::incluster().with_context(|| {
                format!("{IN_CLUSTER} is set, but this is no pod with a service account; give --kubeconfig")
            });
        }
        None => (
            Kubeconfig::read().map_err(without_content),
            "neither --kubeconfig (environment KUBECONFIG) is given nor is this a pod, and the default kubeconfig cannot \
             be used",
        ),
    };
    kube::Config::from_custom_kubeconfig(kubeconfig.context(origin)?, &KubeConfigOptions::default())
        .await
        .context(origin)
}

/// The given kubeconfig, and in it the given context.
///
/// # Errors
/// What is wrong with it, without its content.
pub async fn kube_config_in(given: &Path, context: Option<&str>) -> anyhow::Result<kube::Config> {
    let origin = || format!("the kubeconfig {} cannot be used", given.display());
    let options = KubeConfigOptions {
        context: context.map(str::to_owned),
        ..KubeConfigOptions::default()
    };
    let kubeconfig = read_kubeconfig(given).with_context(origin)?;
    kube::Config::from_custom_kubeconfig(kubeconfig, &options)
        .await
        .with_context(origin)
}

/// `KUBECONFIG` may name several files; the first one that says something wins.
fn read_kubeconfig(paths: &Path) -> anyhow::Result<Kubeconfig> {
    std::env::split_paths(paths).try_fold(Kubeconfig::default(), |merged, path| {
        let next = Kubeconfig::read_from(&path)
            .map_err(without_content)
            .with_context(|| path.display().to_string())?;
        Ok(merged.merge(next)?)
    })
}

/// What the YAML parser says quotes the file, and what it quotes may be the administrator's key.
fn without_content(error: KubeconfigError) -> anyhow::Error {
    match error {
        KubeconfigError::Parse(error) => match error.location() {
            Some(place) => anyhow!(
                "line {}, column {} is not as in a kubeconfig",
                place.line(),
                place.column()
            ),
            None => anyhow!("not a kubeconfig"),
        },
        KubeconfigError::ReadConfig(error, _) => error.into(),
        other => other.into(),
    }
}
