//! Whether a ServerMaintenance has the machine (contract sections 2.2 and 4.1). It interrupts a tenancy and does not end it: who holds the
//! server, and what is on its drives, stays as it was. Pure.

use crds::kinds::server::MaintenanceReference;
use crds::{Server, ServerMaintenance};
use kube::ResourceExt;

/// Annotation on a Server whose machine was started for a maintenance: the UID of that maintenance, written before the start is sent. What
/// runs then is nobody's system. Not in the status, which may be lost (S7).
pub const STARTED_ANNOTATION: &str = "metal.ironcore.dev/maintenance-boot";

/// The reference to a maintenance.
pub fn reference(maintenance: &ServerMaintenance) -> MaintenanceReference {
    MaintenanceReference {
        namespace: maintenance.namespace().unwrap_or_default(),
        name: maintenance.name_any(),
        uid: maintenance.uid(),
    }
}

/// Whether the reference means this object. References of older operators carry no UID.
pub fn is(reference: &MaintenanceReference, maintenance: &ServerMaintenance) -> bool {
    Some(&reference.namespace) == maintenance.metadata.namespace.as_ref()
        && Some(&reference.name) == maintenance.metadata.name.as_ref()
        && (reference.uid.is_none() || reference.uid == maintenance.metadata.uid)
}

/// Whether this maintenance has the server.
pub fn has(maintenance: &ServerMaintenance, server: &Server) -> bool {
    let reference = server.spec.server_maintenance_ref.as_ref();
    reference.is_some_and(|reference| is(reference, maintenance))
}

/// For which maintenance the machine was started last, if it was since the last tenant had it.
pub fn started_for(server: &Server) -> Option<&str> {
    server.annotations().get(STARTED_ANNOTATION).map(String::as_str)
}

/// What [`STARTED_ANNOTATION`] says during this maintenance.
pub fn start_mark(reference: &MaintenanceReference) -> String {
    let named = || format!("{}/{}", reference.namespace, reference.name);
    reference.uid.clone().unwrap_or_else(named)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_maintenance_made_again_under_the_same_name_is_another() {
        let mut maintenance = ServerMaintenance::new("m", crds::ServerMaintenanceSpec::default());
        maintenance.metadata.namespace = Some("ns".into());
        maintenance.metadata.uid = Some("new".into());
        for (namespace, name, uid, expected) in [
            ("ns", "m", Some("new"), true),
            ("ns", "m", None, true),
            ("ns", "m", Some("old"), false),
            ("ns", "n", None, false),
            ("other", "m", None, false),
        ] {
            let reference = MaintenanceReference {
                namespace: namespace.into(),
                name: name.into(),
                uid: uid.map(Into::into),
            };
            assert_eq!(is(&reference, &maintenance), expected, "{reference:?}");
        }
    }
}
