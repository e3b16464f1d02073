//! Butane YAML (variant `fcos`) → Ignition JSON (specification 3.x).
//!
//! Translates everything that stands by itself. What needs files next to the configuration (`local`, `trees`) or is
//! shorthand for whole disk layouts (`boot_device`, `with_mount_unit`) is refused, never dropped: half a configuration
//! is worse than none.

mod document;

use document::Document;

/// Versions of the `fcos` variant and the Ignition specification each stands for.
const VERSIONS: [(&str, &str); 7] = [
    ("1.0.0", "3.0.0"),
    ("1.1.0", "3.1.0"),
    ("1.2.0", "3.2.0"),
    ("1.3.0", "3.2.0"),
    ("1.4.0", "3.3.0"),
    ("1.5.0", "3.4.0"),
    ("1.6.0", "3.5.0"),
];

/// Why a configuration cannot be translated. Holds no part of it, because ignitions carry credentials.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ButaneError {
    #[error("the configuration is not UTF-8 text")]
    NotText,
    #[error(
        "line {line}, column {column}: not a Butane configuration, or a part that is not translated here \
         (local files, trees, boot_device, with_mount_unit)"
    )]
    Malformed { line: u64, column: u64 },
    #[error("the variant is not \"fcos\"; deliver Ignition JSON without format \"fcos\" for any other")]
    UnsupportedVariant,
    #[error("this version of the fcos variant is not known; known are 1.0.0 to 1.6.0")]
    UnsupportedVersion,
}

/// Translates a configuration to the JSON that Ignition fetches.
///
/// # Errors
/// See [`ButaneError`].
pub fn to_ignition(butane: &[u8]) -> Result<Vec<u8>, ButaneError> {
    let text = std::str::from_utf8(butane).map_err(|_| ButaneError::NotText)?;
    let options = serde_saphyr::options! {
        // `mode: 0644` is octal in the YAML that Butane reads.
        legacy_octal_numbers: true,
    };
    let document: Document = serde_saphyr::from_str_with_options(text, options).map_err(|error| {
        let location = error.location().unwrap_or(serde_saphyr::Location::UNKNOWN);
        ButaneError::Malformed {
            line: location.line(),
            column: location.column(),
        }
    })?;
    if document.variant != "fcos" {
        return Err(ButaneError::UnsupportedVariant);
    }
    let (_, version) = VERSIONS
        .iter()
        .find(|(butane, _)| *butane == document.version)
        .ok_or(ButaneError::UnsupportedVersion)?;
    Ok(document.into_ignition(version).to_string().into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn translate(butane: &str) -> serde_json::Value {
        let ignition = to_ignition(butane.as_bytes()).expect(butane);
        serde_json::from_slice(&ignition).expect("JSON")
    }

    #[test]
    fn the_discovery_template() {
        insta::assert_json_snapshot!(translate(
            r#"
variant: fcos
version: "1.3.0"
systemd:
  units:
    - name: var-lib-containerd.mount
      enabled: true
      contents: |-
        [Mount]
        What=tmpfs
        Where=/var/lib/containerd
    - name: containerd.service
      dropins:
        - name: 10-mount.conf
          contents: |
            [Unit]
            Requires=var-lib-containerd.mount
    - name: metalprobe.service
      enabled: true
      contents: |-
        [Service]
        ExecStart=/usr/bin/ctr run --rm --net-host --privileged ghcr.io/p:1 metalprobe ./launch.sh --server-uuid=u
storage: {}
passwd:
  users:
    - name: metal
      password_hash: "$2a$10$abc"
      groups: [ "wheel" ]
      ssh_authorized_keys: [ "ssh-ed25519 AAAA\n" ]
"#
        ));
    }

    #[test]
    fn files_disks_and_everything_else() {
        insta::assert_json_snapshot!(translate(
            r#"
variant: fcos
version: 1.5.0
ignition:
  config:
    merge:
      - source: http://config.example/base.ign
        verification: { hash: sha256-00 }
  timeouts: { http_total: 30 }
  security: { tls: { certificate_authorities: [ { source: "https://ca.example" } ] } }
  proxy: { https_proxy: "http://proxy:3128", no_proxy: [ example.com ] }
kernel_arguments: { should_exist: [ quiet ] }
storage:
  disks:
    - device: /dev/nvme0n1
      wipe_table: true
      partitions:
        - { label: data, number: 1, size_mib: 100, start_mib: 1, type_guid: 0FC63DAF-8483-4772-8E79-3D69D8477DE4 }
  raid: [ { name: md0, level: raid1, devices: [ /dev/sda, /dev/sdb ] } ]
  filesystems:
    - { device: /dev/disk/by-partlabel/data, path: /data, format: xfs, wipe_filesystem: true, mount_options: [ ro ] }
  luks: [ { name: secret, device: /dev/sdc, clevis: { tpm2: true } } ]
  files:
    - path: /etc/hostname
      mode: 0644
      overwrite: true
      contents: { inline: "node 1ä\n" }
      user: { name: core }
    - path: /etc/remote
      contents: { source: "https://files.example/x", http_headers: [ { name: A, value: b } ], compression: gzip }
      append: [ { inline: "more" } ]
  directories: [ { path: /srv, mode: 0755, group: { id: 5 } } ]
  links: [ { path: /etc/localtime, target: ../usr/share/zoneinfo/UTC, hard: false } ]
passwd:
  users: [ { name: core, uid: 1000, home_dir: /home/core, no_create_home: true, should_exist: true } ]
  groups: [ { name: ops, gid: 500 } ]
systemd: { units: [ { name: a.service, mask: true } ] }
"#
        ));
    }

    #[test]
    fn versions() {
        for (butane, ignition) in VERSIONS {
            let translated = translate(&format!("{{variant: fcos, version: {butane}}}"));
            assert_eq!(translated, serde_json::json!({ "ignition": { "version": ignition } }));
        }
    }

    #[test]
    fn what_cannot_be_translated_is_refused_without_repeating_it() {
        let at = |line, column| ButaneError::Malformed { line, column };
        for (text, expected) in [
            ("variant: flatcar\nversion: 1.0.0\n", ButaneError::UnsupportedVariant),
            ("variant: fcos\nversion: 9.0.0\n", ButaneError::UnsupportedVersion),
            ("variant: fcos\nversion: 1.3.0\nboot_device: {}\n", at(3, 1)),
            ("variant: fcos\nversion: 1.3.0\npasswd:\n  users: canary\n", at(4, 10)),
            (
                "variant: fcos\nversion: 1.3.0\nstorage:\n  files:\n    - path: /a\n      contents:\n        local: canary\n",
                at(7, 9),
            ),
        ] {
            let error = to_ignition(text.as_bytes()).expect_err(text);
            assert_eq!(error, expected, "{text}");
            assert!(!format!("{error} {error:?}").contains("canary"));
        }
        assert_eq!(to_ignition(&[0xff]), Err(ButaneError::NotText));
    }
}
