//! A cluster of `kind`, made for a run and deleted after it. Operator, machines and boot server are in this process, and reach it as those
//! of any existing cluster do.

use crate::commands::docker;
use async_trait::async_trait;
use miette::{Context, IntoDiagnostic};
use scenarios::script::Scenario;
use scenarios::testbed::TestbedError;
use scenarios::testbed::cluster::existing::Existing;
use scenarios::testbed::cluster::provider::{Lent, Provider};
use std::path::{Path, PathBuf};
use xshell::{Shell, cmd};

const CREATION: &str = "180s";

/// Is deleted with this value, unless it is to be kept.
pub(super) struct Kind {
    name: String,
    folder: tempfile::TempDir,
    inside: Existing,
    keep: bool,
    /// Where logs go when something fails.
    logs: PathBuf,
}

/// What is asked for.
pub(super) struct Wish {
    pub node_image: Option<String>,
    pub config: Option<PathBuf>,
    pub keep: bool,
    pub deploy: PathBuf,
    pub logs: PathBuf,
}

impl Kind {
    /// Creates the cluster.
    pub(super) fn create(wish: Wish) -> miette::Result<Self> {
        let shell = Shell::new().into_diagnostic()?;
        docker::needs_daemon()?;
        needs(
            &shell,
            "kind",
            "go install sigs.k8s.io/kind@v0.30.0, or see https://kind.sigs.k8s.io",
        )?;
        let folder = tempfile::tempdir().into_diagnostic().wrap_err("no temporary folder")?;
        let (name, kubeconfig) = (
            format!("metal-e2e-{}", std::process::id()),
            folder.path().join("kubeconfig"),
        );
        let config = wish.config.iter().map(|file| format!("--config={}", file.display()));
        let image = wish.node_image.iter().map(|image| format!("--image={image}"));
        let options: Vec<String> = config.chain(image).collect();
        eprintln!("creating the kind cluster {name}");
        let kind = Self {
            inside: Existing {
                kubeconfig: Some(kubeconfig.clone()),
                context: None,
                deploy: wish.deploy,
            },
            name: name.clone(),
            folder,
            keep: wish.keep,
            logs: wish.logs,
        };
        cmd!(
            shell,
            "kind create cluster --name {name} --kubeconfig {kubeconfig} --wait {CREATION} {options...}"
        )
        .quiet()
        .run()
        .into_diagnostic()
        .wrap_err("kind cannot create a cluster")?;
        Ok(kind)
    }

    fn kubeconfig(&self) -> &Path {
        self.inside.kubeconfig.as_deref().unwrap_or(self.folder.path())
    }
}

fn needs(shell: &Shell, program: &str, help: &str) -> miette::Result<()> {
    if cmd!(shell, "{program} --version")
        .quiet()
        .ignore_stdout()
        .ignore_stderr()
        .run()
        .is_err()
    {
        miette::bail!(
            help = help.to_owned(),
            "`{program}` is needed for this cluster, and cannot be started"
        );
    }
    Ok(())
}

#[async_trait]
impl Provider for Kind {
    fn name(&self) -> &'static str {
        "kind"
    }

    fn at_most(&self) -> Option<usize> {
        self.inside.at_most()
    }

    async fn lend(&self, scenario: &Scenario) -> Result<Option<Lent>, TestbedError> {
        self.inside.lend(scenario).await
    }

    async fn take_back(&self, lent: Lent) -> Result<(), TestbedError> {
        self.inside.take_back(lent).await
    }

    fn failed(&self) -> Result<(), TestbedError> {
        let failed = |error: xshell::Error| TestbedError::failed("the logs of the cluster cannot be exported", error);
        let (name, logs) = (&self.name, &self.logs);
        let shell = Shell::new().map_err(failed)?;
        cmd!(shell, "kind export logs {logs} --name {name}")
            .quiet()
            .run()
            .map_err(failed)?;
        eprintln!("logs of the cluster: {}", logs.display());
        Ok(())
    }
}

impl Drop for Kind {
    fn drop(&mut self) {
        if self.keep {
            let kept = self.logs.with_file_name("kubeconfig");
            if std::fs::copy(self.kubeconfig(), &kept).is_ok() {
                eprintln!("the cluster {} stays: KUBECONFIG={}", self.name, kept.display());
            }
            return;
        }
        let (name, kubeconfig) = (&self.name, self.kubeconfig());
        let deleted = Shell::new().and_then(|shell| {
            cmd!(shell, "kind delete cluster --name {name} --kubeconfig {kubeconfig}")
                .quiet()
                .run()
        });
        if let Err(error) = deleted {
            eprintln!("the cluster {name} could not be deleted: {error}");
        }
    }
}
