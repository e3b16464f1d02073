//! Where the programs of a control plane are.

use std::fmt;
use std::path::{Path, PathBuf};

/// Names the folder, for every tool of the Kubernetes world.
pub const VARIABLE: &str = "KUBEBUILDER_ASSETS";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Program {
    Etcd,
    ApiServer,
    ControllerManager,
}

impl Program {
    const ALL: [Self; 3] = [Self::Etcd, Self::ApiServer, Self::ControllerManager];

    pub fn name(self) -> &'static str {
        match self {
            Self::Etcd => "etcd",
            Self::ApiServer => "kube-apiserver",
            Self::ControllerManager => "kube-controller-manager",
        }
    }
}

/// A folder that has all of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assets {
    folder: PathBuf,
}

/// There is no real control plane on this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MissingAssets {
    /// Nobody said where.
    NoFolder,
    /// The folder lacks some.
    Programs {
        folder: PathBuf,
        missing: Vec<&'static str>,
    },
}

impl std::error::Error for MissingAssets {}

impl fmt::Display for MissingAssets {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoFolder => write!(
                formatter,
                "a real control plane is needed: set {VARIABLE} to a folder with etcd, kube-apiserver and \
                 kube-controller-manager (setup-envtest gives the first two; the third is built from the Go module \
                 k8s.io/kubernetes)"
            ),
            Self::Programs { folder, missing } => write!(
                formatter,
                "{} ({VARIABLE}) lacks {}",
                folder.display(),
                missing.join(", ")
            ),
        }
    }
}

impl Assets {
    /// The folder that is given, else that of the environment.
    ///
    /// # Errors
    /// There is none, or a program is missing.
    pub fn find(given: Option<&Path>) -> Result<Self, MissingAssets> {
        let folder = given
            .map(Path::to_owned)
            .or_else(|| {
                std::env::var_os(VARIABLE)
                    .filter(|value| !value.is_empty())
                    .map(PathBuf::from)
            })
            .ok_or(MissingAssets::NoFolder)?;
        let missing: Vec<_> = Program::ALL
            .map(Program::name)
            .into_iter()
            .filter(|name| !folder.join(name).is_file())
            .collect();
        if missing.is_empty() {
            Ok(Self { folder })
        } else {
            Err(MissingAssets::Programs { folder, missing })
        }
    }

    pub fn program(&self, program: Program) -> PathBuf {
        self.folder.join(program.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_named() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        std::fs::write(folder.path().join("etcd"), "").expect("a file");
        let missing = Assets::find(Some(folder.path()))
            .expect_err("two are missing")
            .to_string();
        assert!(
            missing.ends_with("(KUBEBUILDER_ASSETS) lacks kube-apiserver, kube-controller-manager"),
            "{missing}"
        );
        for program in Program::ALL {
            std::fs::write(folder.path().join(program.name()), "").expect("a file");
        }
        let assets = Assets::find(Some(folder.path())).expect("all are there");
        assert_eq!(assets.program(Program::Etcd), folder.path().join("etcd"));
    }
}
