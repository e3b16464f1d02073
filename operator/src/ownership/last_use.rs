//! When a machine last had a tenant. The one that has rested longest is lent out first, so that all of them wear alike. An annotation, written by
//! the very patch that ends the tenancy: status may be lost, and parking and maintenance are no use.

use crds::Server;
use jiff::Timestamp;
use kube::ResourceExt;

use crate::conditions::seconds;

/// Annotation on a Server: when its last tenancy ended, with the machine clean.
pub const ANNOTATION: &str = "metal.ironcore.dev/last-used";

/// When the last tenancy ended; `None` for a machine that has had none, as far as anybody remembers.
pub fn of(server: &Server) -> Option<Timestamp> {
    server.annotations().get(ANNOTATION)?.parse().ok()
}

/// The annotation's value.
pub fn value(at: Timestamp) -> String {
    seconds(at).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let mut server = Server::new("a", crds::ServerSpec::default());
        assert_eq!(of(&server), None);
        let at: Timestamp = "2026-03-01T12:00:00.7Z".parse().unwrap();
        server.annotations_mut().insert(ANNOTATION.into(), value(at));
        assert_eq!(of(&server), Some(seconds(at)));
        server.annotations_mut().insert(ANNOTATION.into(), "yesterday".into());
        assert_eq!(of(&server), None);
    }
}
