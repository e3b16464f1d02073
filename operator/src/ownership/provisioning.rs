//! Whether the holder of an epoch has had its operating system booted. It decides between a network boot and a plain power-on: a
//! server that a tenant shut down must never be imaged again (bugs.md #62). It lives in an annotation, not in status, because
//! status may be lost (S7).

use crds::Server;
use kube::ResourceExt;

/// Annotation on a Server: `<epoch>:Requested` before the provisioning boot is sent, `<epoch>:Booted` once it was seen.
pub const ANNOTATION: &str = "metal.ironcore.dev/provisioning";

/// How far provisioning of the current epoch is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Provisioning {
    /// No provisioning boot was ever sent in this epoch.
    NotBegun,
    /// A provisioning boot may have been sent; the boot override was seen armed before.
    Requested,
    /// The machine was seen running, or its boot override was seen consumed.
    Booted,
}

impl Provisioning {
    /// Reads the annotation; one of another epoch says nothing about this one.
    pub fn of(server: &Server) -> Self {
        let epoch = server.tenancy_epoch();
        let value = server.annotations().get(ANNOTATION);
        match value.and_then(|value| value.split_once(':')) {
            Some((of, "Requested")) if of.parse() == Ok(epoch) => Self::Requested,
            Some((of, "Booted")) if of.parse() == Ok(epoch) => Self::Booted,
            _ => Self::NotBegun,
        }
    }

    /// The annotation's value for `epoch`; `None` for the state that is written as its absence.
    pub fn value(self, epoch: i64) -> Option<String> {
        match self {
            Self::NotBegun => None,
            Self::Requested => Some(format!("{epoch}:Requested")),
            Self::Booted => Some(format!("{epoch}:Booted")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_epoch_counts() {
        let mut server = Server::new("a", crds::ServerSpec::default());
        server.spec.tenancy_epoch = Some(7);
        for (value, expected) in [
            (None, Provisioning::NotBegun),
            (Some("7:Requested"), Provisioning::Requested),
            (Some("7:Booted"), Provisioning::Booted),
            (Some("6:Booted"), Provisioning::NotBegun),
            (Some("garbage"), Provisioning::NotBegun),
        ] {
            server.annotations_mut().clear();
            if let Some(value) = value {
                server.annotations_mut().insert(ANNOTATION.into(), value.into());
            }
            assert_eq!(Provisioning::of(&server), expected, "{value:?}");
        }
        assert_eq!(Provisioning::Booted.value(7).as_deref(), Some("7:Booted"));
    }
}
