//! `--cluster`: where scenarios find a cluster.
//!
//! | module | subject |
//! |---|---|
//! | [`kind`] | a cluster of kind, for one run |

mod kind;

use crate::repository::Repository;
use miette::IntoDiagnostic;
use scenarios::envtest::assets::Assets;
use scenarios::envtest::provider::Envtest;
use scenarios::testbed::cluster::existing::Existing;
use scenarios::testbed::cluster::provider::{Embedded, Provider};
use std::path::PathBuf;

/// Which cluster.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Choice {
    /// Which cluster it happens on.
    #[arg(long, value_enum, value_name = "CLUSTER", default_value_t = Cluster::Embedded)]
    cluster: Cluster,
    /// For `envtest`: folder with etcd, kube-apiserver and kube-controller-manager; default: what KUBEBUILDER_ASSETS says.
    #[arg(long, value_name = "DIR")]
    assets: Option<PathBuf>,
    /// For `kubeconfig`: the file; default: what KUBECONFIG says.
    #[arg(long, value_name = "FILE")]
    kubeconfig: Option<PathBuf>,
    /// For `kubeconfig`: the context; default: the current one.
    #[arg(long, value_name = "CONTEXT")]
    context: Option<String>,
    /// For `kind`: the image of the node; default: what kind takes.
    #[arg(long, value_name = "IMAGE")]
    node_image: Option<String>,
    /// For `kind`: its configuration file.
    #[arg(long, value_name = "FILE")]
    kind_config: Option<PathBuf>,
    /// For `kind`: do not delete the cluster afterwards.
    #[arg(long)]
    keep: bool,
    /// For `envtest`: keep the logs of control planes there.
    #[arg(long, value_name = "DIR")]
    cluster_logs: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Cluster {
    /// In this process, in memory.
    Embedded,
    /// A real etcd, kube-apiserver and kube-controller-manager on this machine, for each scenario.
    Envtest,
    /// One that exists. What scenarios install there is taken away again; nothing of others is touched.
    Kubeconfig,
    /// One that `kind` makes for this run.
    Kind,
}

impl Choice {
    pub(crate) fn is_embedded(&self) -> bool {
        self.cluster == Cluster::Embedded
    }

    /// # Errors
    /// Something that this cluster needs is not there; the error says how to get it.
    pub(crate) fn provider(&self, repository: &Repository) -> miette::Result<Box<dyn Provider>> {
        Ok(match self.cluster {
            Cluster::Embedded => Box::new(Embedded),
            Cluster::Kind => Box::new(kind::Kind::create(kind::Wish {
                node_image: self.node_image.clone(),
                config: self.kind_config.clone(),
                keep: self.keep,
                deploy: repository.path("operator/deploy"),
                logs: repository.path("target/kind/logs"),
            })?),
            Cluster::Kubeconfig => Box::new(Existing {
                kubeconfig: self.kubeconfig.clone(),
                context: self.context.clone(),
                deploy: repository.path("operator/deploy"),
            }),
            Cluster::Envtest => Box::new(Envtest {
                assets: Assets::find(self.assets.as_deref()).into_diagnostic()?,
                deploy: repository.path("operator/deploy"),
                logs: self.cluster_logs.clone(),
            }),
        })
    }
}
