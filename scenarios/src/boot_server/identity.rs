//! A Server, as far as an index of identities needs it: the watch tells of every change of every Server, and most of what an
//! object holds is about something else. What is not wanted is passed over without being read.

use std::borrow::Cow;

use crds::{Server, SystemUuid};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::Resource;
use serde::{Deserialize, Deserializer};

/// Name and UUID of a Server.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Identity {
    #[serde(deserialize_with = "read_metadata")]
    pub(super) metadata: ObjectMeta,
    pub(super) spec: IdentitySpec,
}

#[derive(Clone, Debug, Deserialize)]
pub(super) struct IdentitySpec {
    #[serde(rename = "systemUUID")]
    pub(super) system_uuid: SystemUuid,
}

/// What a watch needs.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Metadata {
    name: Option<String>,
    resource_version: Option<String>,
}

fn read_metadata<'de, D: Deserializer<'de>>(deserializer: D) -> Result<ObjectMeta, D::Error> {
    let Metadata { name, resource_version } = Metadata::deserialize(deserializer)?;
    Ok(ObjectMeta {
        name,
        resource_version,
        ..ObjectMeta::default()
    })
}

impl Resource for Identity {
    type DynamicType = ();
    type Scope = <Server as Resource>::Scope;

    fn kind((): &()) -> Cow<'_, str> {
        Server::kind(&())
    }

    fn group((): &()) -> Cow<'_, str> {
        Server::group(&())
    }

    fn version((): &()) -> Cow<'_, str> {
        Server::version(&())
    }

    fn plural((): &()) -> Cow<'_, str> {
        Server::plural(&())
    }

    fn meta(&self) -> &ObjectMeta {
        &self.metadata
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        &mut self.metadata
    }
}

#[cfg(test)]
mod tests {
    use crds::ServerSpec;
    use kube::ResourceExt as _;

    use super::*;

    #[test]
    fn it_is_read_from_a_server() {
        let mut server = Server::new("s1", ServerSpec::default());
        server.spec.system_uuid = SystemUuid::new("ab");
        server.metadata.resource_version = Some("7".to_owned());
        let text = serde_json::to_string(&server).expect("plain data");
        let identity: Identity = serde_json::from_str(&text).expect("a server");
        assert_eq!(identity.spec.system_uuid, server.spec.system_uuid);
        assert_eq!(
            (identity.name_any(), identity.resource_version()),
            ("s1".to_owned(), Some("7".to_owned()))
        );
    }
}
