//! Whether a Server is the object that its tenancy began with, or came back from a backup. A restore gives every object a new UID, so that the
//! reference to its holder, which is one by UID, fits nobody any more. Without this mark that would look like a claim that was deleted and
//! made anew under the same name, whose machine has to be released (bugs.md #10); with it, it is a tenant that must not be touched (S7).

use crds::Server;
use kube::ResourceExt;

/// Annotation on a Server: its own UID when a claim took it, or took it again after a restore.
pub const ANNOTATION: &str = "metal.ironcore.dev/bound-as";

/// Whether the object was made anew since its claim took it. One that was bound by an older operator does not say.
pub fn is_restored(server: &Server) -> bool {
    let bound_as = server.annotations().get(ANNOTATION);
    bound_as.is_some_and(|uid| Some(uid) != server.metadata.uid.as_ref())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_uid_is_another_life() {
        let mut server = Server::new("a", crds::ServerSpec::default());
        server.metadata.uid = Some("one".into());
        assert!(!is_restored(&server));
        server.annotations_mut().insert(ANNOTATION.into(), "one".into());
        assert!(!is_restored(&server));
        server.metadata.uid = Some("two".into());
        assert!(is_restored(&server));
    }
}
