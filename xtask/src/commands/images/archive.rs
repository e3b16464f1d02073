//! An image with one layer, as an archive: an OCI image layout, with the index that `docker load` reads beside it. The same content gives the
//! same bytes.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::io::{self, Write as _};
use webpki_root_certs::TLS_SERVER_ROOT_CERTS;

/// Mozilla's authorities, where programs look for those of the system.
const AUTHORITIES: &str = "etc/ssl/certs/ca-certificates.crt";

/// The beginning of time, so that an image depends on its content only.
const CREATED: &str = "1970-01-01T00:00:00Z";

/// What an image is made of.
pub(super) struct Image {
    /// With its tag.
    pub(super) name: String,
    /// Name of the binary, at the root of the image.
    pub(super) binary: &'static str,
    pub(super) as_root: bool,
}

impl Image {
    /// The archive.
    pub(super) fn archive(&self, binary: &[u8]) -> io::Result<Vec<u8>> {
        let layer = self.layer(binary)?;
        let packed = packed(&layer)?;
        let config = json!({
            "architecture": architecture(),
            "os": "linux",
            "created": CREATED,
            "config": {
                "Entrypoint": [format!("/{}", self.binary)],
                "User": if self.as_root { "0:0" } else { "65532:65532" },
                "Labels": {
                    "org.opencontainers.image.title": self.binary,
                    "org.opencontainers.image.version": env!("CARGO_PKG_VERSION"),
                    "org.opencontainers.image.licenses": env!("CARGO_PKG_LICENSE"),
                },
            },
            "rootfs": { "type": "layers", "diff_ids": [digest(&layer)] },
            "history": [{ "created": CREATED, "created_by": "cargo xtask images" }],
        })
        .to_string();
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": descriptor("application/vnd.oci.image.config.v1+json", config.as_bytes()),
            "layers": [descriptor("application/vnd.oci.image.layer.v1.tar+gzip", &packed)],
        })
        .to_string();
        let mut entry = descriptor("application/vnd.oci.image.manifest.v1+json", manifest.as_bytes());
        entry["annotations"] = json!({
            "io.containerd.image.name": format!("docker.io/library/{}", self.name),
            "org.opencontainers.image.ref.name": self.name.rsplit(':').next(),
        });
        let index = json!({
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.index.v1+json",
            "manifests": [entry],
        });
        let for_docker = json!([{
            "Config": blob(config.as_bytes()),
            "RepoTags": [self.name],
            "Layers": [blob(&packed)],
        }]);
        let mut archive = tar::Builder::new(Vec::new());
        append(&mut archive, "oci-layout", br#"{"imageLayoutVersion":"1.0.0"}"#, 0o644)?;
        append(&mut archive, "index.json", index.to_string().as_bytes(), 0o644)?;
        append(&mut archive, "manifest.json", for_docker.to_string().as_bytes(), 0o644)?;
        for content in [config.as_bytes(), manifest.as_bytes(), &packed] {
            append(&mut archive, &blob(content), content, 0o644)?;
        }
        archive.into_inner()
    }

    fn layer(&self, binary: &[u8]) -> io::Result<Vec<u8>> {
        let mut layer = tar::Builder::new(Vec::new());
        append(&mut layer, self.binary, binary, 0o755)?;
        append(&mut layer, AUTHORITIES, authorities().as_bytes(), 0o644)?;
        layer.into_inner()
    }
}

/// Without any, clients that trust what the system trusts do not start.
fn authorities() -> String {
    let pem = |certificate: &[u8]| {
        let text = STANDARD.encode(certificate);
        let lines = text.as_bytes().chunks(64).map(String::from_utf8_lossy);
        let lines: Vec<_> = lines.collect();
        format!(
            "-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n",
            lines.join("\n")
        )
    };
    TLS_SERVER_ROOT_CERTS
        .iter()
        .map(|certificate| pem(certificate))
        .collect()
}

fn append(archive: &mut tar::Builder<Vec<u8>>, path: &str, content: &[u8], mode: u32) -> io::Result<()> {
    let mut header = tar::Header::new_ustar();
    header.set_size(content.len() as u64);
    header.set_mode(mode);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    archive.append_data(&mut header, path, content)
}

fn packed(content: &[u8]) -> io::Result<Vec<u8>> {
    let mut packer = GzEncoder::new(Vec::new(), Compression::default());
    packer.write_all(content)?;
    packer.finish()
}

fn descriptor(media_type: &str, content: &[u8]) -> Value {
    json!({ "mediaType": media_type, "digest": digest(content), "size": content.len() })
}

fn digest(content: &[u8]) -> String {
    format!("sha256:{}", hex::encode(Sha256::digest(content)))
}

/// Where a blob is in the layout.
fn blob(content: &[u8]) -> String {
    format!("blobs/sha256/{}", hex::encode(Sha256::digest(content)))
}

/// As Go and OCI name what this program was compiled for.
fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;
    use std::io::Read as _;

    fn files(archive: &[u8]) -> BTreeMap<String, Vec<u8>> {
        let mut archive = tar::Archive::new(archive);
        let entries = archive.entries().expect("an archive");
        entries
            .map(|entry| {
                let mut entry = entry.expect("an entry");
                let path = entry.path().expect("a path").display().to_string();
                let mut content = Vec::new();
                entry.read_to_end(&mut content).expect("content");
                (path, content)
            })
            .collect()
    }

    #[test]
    fn an_image_is_a_layout_that_holds_together() {
        let image = Image {
            name: "metal-operator:v1".to_owned(),
            binary: "metal-operator",
            as_root: false,
        };
        let archive = image.archive(b"ELF").expect("an archive");
        assert_eq!(archive, image.archive(b"ELF").expect("the same again"));
        let files = files(&archive);
        let json = |content: &[u8]| -> Value { serde_json::from_slice(content).expect("JSON") };
        let of = |descriptor: &Value| -> Vec<u8> {
            let digest = descriptor["digest"].as_str().expect("a digest");
            let content = files[&format!("blobs/{}", digest.replace(':', "/"))].clone();
            assert_eq!(descriptor["size"], content.len());
            assert_eq!(super::digest(&content), digest);
            content
        };
        let manifest = json(&of(&json(&files["index.json"])["manifests"][0]));
        let config = json(&of(&manifest["config"]));
        assert_eq!(config["config"]["Entrypoint"], json!(["/metal-operator"]));
        assert_eq!(config["config"]["User"], "65532:65532");
        let mut layer = Vec::new();
        flate2::read::GzDecoder::new(&of(&manifest["layers"][0])[..])
            .read_to_end(&mut layer)
            .expect("packed");
        assert_eq!(config["rootfs"]["diff_ids"], json!([super::digest(&layer)]));
        assert_eq!(
            super::tests::files(&layer),
            BTreeMap::from([
                ("metal-operator".to_owned(), b"ELF".to_vec()),
                (AUTHORITIES.to_owned(), authorities().into_bytes()),
            ])
        );
        let for_docker = &json(&files["manifest.json"])[0];
        assert!(files.contains_key(for_docker["Config"].as_str().expect("a path")));
    }
}
