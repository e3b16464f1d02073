//! The two faces of one configuration: read with the names of Butane, written with the names of Ignition.

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// Declares types that are read in snake case and written in camel case, without absent members.
macro_rules! sections {
    ($($(#[$meta:meta])* $name:ident { $($(#[$field_meta:meta])* $field:ident: $type:ty,)* })*) => {$(
        $(#[$meta])*
        #[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
        #[serde(rename_all(serialize = "camelCase", deserialize = "snake_case"), deny_unknown_fields, default)]
        struct $name {
            $($(#[$field_meta])* #[serde(skip_serializing_if = "is_default")] $field: $type,)*
        }
    )*};
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// A Butane file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Document {
    pub(super) variant: String,
    pub(super) version: String,
    #[serde(default)]
    ignition: Ignition,
    #[serde(default)]
    kernel_arguments: KernelArguments,
    #[serde(default)]
    passwd: Passwd,
    #[serde(default)]
    storage: Storage,
    #[serde(default)]
    systemd: Systemd,
}

impl Document {
    /// The Ignition document, without empty sections.
    pub(super) fn into_ignition(self, version: &str) -> Value {
        let mut ignition = json!(self.ignition);
        ignition["version"] = json!(version);
        let mut document = json!({ "ignition": ignition });
        for (section, content) in [
            ("kernelArguments", json!(self.kernel_arguments)),
            ("passwd", json!(self.passwd)),
            ("storage", json!(self.storage)),
            ("systemd", json!(self.systemd)),
        ] {
            if content.as_object().is_some_and(|members| !members.is_empty()) {
                document[section] = content;
            }
        }
        document
    }
}

sections! {
    Ignition { config: Config, timeouts: Timeouts, security: Security, proxy: Proxy, }
    Config { merge: Vec<Resource>, replace: Option<Resource>, }
    Timeouts { http_response_headers: Option<u32>, http_total: Option<u32>, }
    Security { tls: Tls, }
    Tls { certificate_authorities: Vec<Resource>, }
    Proxy { http_proxy: Option<String>, https_proxy: Option<String>, no_proxy: Vec<String>, }

    KernelArguments { should_exist: Vec<String>, should_not_exist: Vec<String>, }

    Passwd { users: Vec<User>, groups: Vec<Group>, }
    User {
        name: String,
        password_hash: Option<String>,
        ssh_authorized_keys: Vec<String>,
        uid: Option<u32>,
        gecos: Option<String>,
        home_dir: Option<String>,
        no_create_home: Option<bool>,
        primary_group: Option<String>,
        groups: Vec<String>,
        no_user_group: Option<bool>,
        no_log_init: Option<bool>,
        shell: Option<String>,
        should_exist: Option<bool>,
        system: Option<bool>,
    }
    Group {
        name: String,
        gid: Option<u32>,
        password_hash: Option<String>,
        should_exist: Option<bool>,
        system: Option<bool>,
    }

    Storage {
        disks: Vec<Disk>,
        raid: Vec<Raid>,
        filesystems: Vec<Filesystem>,
        luks: Vec<Luks>,
        files: Vec<File>,
        directories: Vec<Directory>,
        links: Vec<Link>,
    }
    Disk { device: String, wipe_table: Option<bool>, partitions: Vec<Partition>, }
    Partition {
        label: Option<String>,
        number: u32,
        #[serde(rename(serialize = "sizeMiB"))]
        size_mib: Option<u64>,
        #[serde(rename(serialize = "startMiB"))]
        start_mib: Option<u64>,
        type_guid: Option<String>,
        guid: Option<String>,
        wipe_partition_entry: Option<bool>,
        should_exist: Option<bool>,
        resize: Option<bool>,
    }
    Raid { name: String, level: Option<String>, devices: Vec<String>, spares: Option<u32>, options: Vec<String>, }
    Filesystem {
        device: String,
        path: Option<String>,
        format: Option<String>,
        label: Option<String>,
        uuid: Option<String>,
        wipe_filesystem: Option<bool>,
        options: Vec<String>,
        mount_options: Vec<String>,
    }
    Luks {
        name: String,
        device: Option<String>,
        key_file: Option<Resource>,
        label: Option<String>,
        uuid: Option<String>,
        options: Vec<String>,
        wipe_volume: Option<bool>,
        clevis: Option<Clevis>,
        discard: Option<bool>,
        open_options: Vec<String>,
    }
    Clevis { tpm2: Option<bool>, threshold: Option<u32>, tang: Vec<Tang>, custom: Option<ClevisCustom>, }
    Tang { url: String, thumbprint: Option<String>, advertisement: Option<String>, }
    ClevisCustom { pin: Option<String>, config: Option<String>, needs_network: Option<bool>, }
    File {
        path: String,
        overwrite: Option<bool>,
        contents: Option<Resource>,
        append: Vec<Resource>,
        mode: Option<u32>,
        user: Owner,
        group: Owner,
    }
    Directory { path: String, overwrite: Option<bool>, mode: Option<u32>, user: Owner, group: Owner, }
    Link {
        path: String,
        target: Option<String>,
        hard: Option<bool>,
        overwrite: Option<bool>,
        user: Owner,
        group: Owner,
    }
    Owner { id: Option<u32>, name: Option<String>, }

    Systemd { units: Vec<Unit>, }
    Unit {
        name: String,
        enabled: Option<bool>,
        mask: Option<bool>,
        contents: Option<String>,
        dropins: Vec<Dropin>,
    }
    Dropin { name: String, contents: Option<String>, }

    HttpHeader { name: String, value: Option<String>, }
    Verification { hash: Option<String>, }

    /// A resource as Ignition has it.
    IgnitionResource {
        source: Option<String>,
        compression: Option<String>,
        http_headers: Vec<HttpHeader>,
        verification: Verification,
    }
}

/// A resource as Butane has it: from a URL, or written down in place.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default, into = "IgnitionResource")]
struct Resource {
    inline: Option<String>,
    source: Option<String>,
    compression: Option<String>,
    http_headers: Vec<HttpHeader>,
    verification: Verification,
}

impl From<Resource> for IgnitionResource {
    fn from(resource: Resource) -> Self {
        let inline = resource
            .inline
            .map(|text| format!("data:,{}", utf8_percent_encode(&text, NON_ALPHANUMERIC)));
        Self {
            source: inline.or(resource.source),
            compression: resource.compression,
            http_headers: resource.http_headers,
            verification: resource.verification,
        }
    }
}
