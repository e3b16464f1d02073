//! Whether it is that BMC that answers. Nobody else is told its password.

use std::path::PathBuf;

use russh::keys::{PublicKey, check_known_hosts_path};

use crate::ssh::Host;

/// Whose key counts.
#[derive(Clone, Debug)]
pub enum Trust {
    /// `--skip-host-key-validation`.
    Anybody,
    /// This one, in OpenSSH's format: the BMC object says so.
    Pinned(String),
    /// Those in the file.
    KnownHosts(PathBuf),
}

/// # Errors
/// Why the key does not count, and what to do.
pub fn judge(trust: &Trust, host: &Host, key: &PublicKey) -> Result<(), String> {
    let mut bare = key.clone();
    bare.set_comment("");
    let shown = bare.to_openssh().map_err(|error| error.to_string())?;
    let Host { address, port } = host;
    match trust {
        Trust::Anybody => Ok(()),
        Trust::Pinned(expected) => {
            let same = expected.split_whitespace().take(2).eq(shown.split_whitespace().take(2));
            same.then_some(()).ok_or_else(|| {
                format!(
                    "{address} shows the key {shown}, which is not the one in the annotation {} of its BMC. Nobody was told the password",
                    crds::keys::SSH_HOST_KEY_ANNOTATION
                )
            })
        }
        Trust::KnownHosts(file) => match check_known_hosts_path(address, *port, key, file) {
            Ok(true) => Ok(()),
            Ok(false) => Err(format!(
                "{} does not know {address}, which shows the key {shown}. If that is right: ssh-keyscan -p {port} {address} >> {}; or trust anybody by \
                 --skip-host-key-validation",
                file.display(),
                file.display()
            )),
            Err(russh::keys::Error::KeyChanged { line }) => Err(format!(
                "{address} shows the key {shown}, and line {line} of {} says another. Nobody was told the password",
                file.display()
            )),
            Err(error) => Err(format!("{} cannot be used: {error}", file.display())),
        },
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJdD7y3aLq454yWBdwLWbieU1ebz9/cu7/QEXn9OIeZJ";
    const OTHER: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIA6rWI3G1sz07DnfFlrouTcysQlj2P+jpNSOEWD9OJ3X";

    #[test]
    fn who_counts() {
        let folder = tempfile::tempdir().unwrap();
        let file = |content: &str| {
            let file = folder.path().join(format!("hosts-{}", content.len()));
            fs::write(&file, content).unwrap();
            Trust::KnownHosts(file)
        };
        let (host, key) = (
            Host {
                address: "192.0.2.1".into(),
                port: 2200,
            },
            PublicKey::from_openssh(KEY).unwrap(),
        );
        for (trust, expected) in [
            (Trust::Anybody, None),
            (Trust::Pinned(KEY.into()), None),
            (Trust::Pinned(format!("{KEY} bmc@rack")), None),
            (Trust::Pinned(OTHER.into()), Some("is not the one in the annotation")),
            (file(&format!("[192.0.2.1]:2200 {KEY}\n")), None),
            (file(&format!("192.0.2.1 {KEY}\n")), Some("does not know 192.0.2.1")),
            (file(&format!("[192.0.2.1]:2200 {OTHER}\n# \n")), Some("line 1")),
            (
                Trust::KnownHosts(folder.path().join("none")),
                Some("does not know 192.0.2.1"),
            ),
        ] {
            let judged = judge(&trust, &host, &key);
            match expected {
                None => assert_eq!(judged, Ok(()), "{trust:?}"),
                Some(text) => assert!(
                    judged.clone().is_err_and(|error| error.contains(text)),
                    "{trust:?}: {judged:?}"
                ),
            }
        }
    }
}
