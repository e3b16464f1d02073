//! What is said about a Server. Pure.

use std::collections::BTreeMap;

use crds::Server;
use kube::ResourceExt;

/// Prefix of labels and annotations that are said to the machine.
const PREFIX: &str = "metadata.metal.ironcore.dev/";

const SERVER_NAME: &str = "server-name";
pub(super) const USER_DATA: &str = "user-data";

/// Keys that nobody else may give a value (W26).
pub(super) const RESERVED: [&str; 2] = [SERVER_NAME, USER_DATA];

/// Later ones win: static, annotations, labels. The name of the Server is nobody's to say but ours.
pub(super) fn fields(server: &Server, fixed: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    let mut fields = fixed.clone();
    for entries in [server.annotations(), server.labels()] {
        for (key, value) in entries {
            if let Some(key) = key.strip_prefix(PREFIX)
                && !RESERVED.contains(&key)
            {
                fields.insert(key.to_owned(), value.clone());
            }
        }
    }
    fields.insert(SERVER_NAME.to_owned(), server.name_any());
    fields
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_win_and_names_are_ours() {
        let mut server = Server::new("rack7-system-0", crds::ServerSpec::default());
        for (key, value) in [("rack", "annotated"), ("zone", "annotated")] {
            server.annotations_mut().insert(format!("{PREFIX}{key}"), value.into());
        }
        for (key, value) in [("rack", "7"), ("server-name", "forged"), ("user-data", "forged")] {
            server.labels_mut().insert(format!("{PREFIX}{key}"), value.into());
        }
        server.labels_mut().insert("rack".into(), "not said".into());
        let fixed = [("zone", "fixed"), ("region", "fixed")];
        let fixed = fixed.map(|(key, value)| (key.to_owned(), value.to_owned())).into();
        let expected = [
            ("rack", "7"),
            ("region", "fixed"),
            ("server-name", "rack7-system-0"),
            ("zone", "annotated"),
        ];
        let expected = expected.map(|(key, value)| (key.to_owned(), value.to_owned()));
        assert_eq!(fields(&server, &fixed), expected.into());
    }
}
