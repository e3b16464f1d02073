//! The objects with which an administrator makes a machine known.

use crate::testbed::MachineInfo;
use base64::Engine as _;
use serde_json::{Value, json};

/// Credentials of a BMC.
pub(crate) fn bmc_secret(machine: &MachineInfo, password: &str) -> Value {
    let encode = |text: &str| base64::engine::general_purpose::STANDARD.encode(text);
    json!({
        "apiVersion": "metal.ironcore.dev/v1alpha1", "kind": "BMCSecret",
        "metadata": { "name": machine.name },
        "data": { "username": encode(&machine.username), "password": encode(password) }
    })
}

/// Its address.
pub(crate) fn bmc(machine: &MachineInfo) -> Value {
    json!({
        "apiVersion": "metal.ironcore.dev/v1alpha1", "kind": "BMC",
        "metadata": { "name": machine.name },
        "spec": {
            "access": { "ip": machine.address, "macAddress": machine.mac },
            "bmcSecretRef": { "name": machine.name },
            "protocol": { "name": "Redfish", "port": machine.port, "scheme": machine.scheme }
        }
    })
}

/// A Server that states how its BMC is reached.
pub(crate) fn server(machine: &MachineInfo) -> Value {
    json!({
        "apiVersion": "metal.ironcore.dev/v1alpha1", "kind": "Server",
        "metadata": { "name": server_name(machine) },
        "spec": {
            "systemUUID": machine.system_uuid,
            "bmc": {
                "address": machine.address,
                "bmcSecretRef": { "name": machine.name },
                "protocol": { "name": "Redfish", "port": machine.port, "scheme": machine.scheme }
            }
        }
    })
}

/// Contract section 3.3: `<bmc name>-system-<index>`; an emulated BMC manages one system.
pub(crate) fn server_name(machine: &MachineInfo) -> String {
    format!("{}-system-0", machine.name)
}

/// An endpoint of the out-of-band network, from which the operator finds out the rest.
pub(crate) fn endpoint(machine: &MachineInfo) -> Value {
    json!({
        "apiVersion": "metal.ironcore.dev/v1alpha1", "kind": "Endpoint",
        "metadata": { "name": machine.name },
        "spec": { "ip": machine.address, "macAddress": machine.mac }
    })
}
