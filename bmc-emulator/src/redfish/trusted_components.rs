//! The TPM: a `TrustedComponent` of the chassis, and its `ComponentIntegrity`, which shows what was measured (DSP0268).

use serde_json::{Value, json};

use super::context::{Answer, Context, collection, link};
use crate::machine::tpm::Measured;

const INTEGRITIES: &str = "/redfish/v1/ComponentIntegrity";
const TPM: &str = "TPM";

pub(super) fn uri(cx: &Context<'_>) -> String {
    format!("{}/TrustedComponents", cx.chassis_uri())
}

/// Whether the BMC shows a TPM: it has to know it, and there has to be one.
pub(super) fn has_tpm(cx: &Context<'_>) -> bool {
    cx.personality().trusted_components && cx.machine.tpm.is_some()
}

/// `TrustedModules` of the system.
pub(super) fn modules(cx: &Context<'_>) -> Vec<Value> {
    let module = json!({
        "InterfaceType": "TPM2_0",
        "FirmwareVersion": FIRMWARE,
        "Status": { "State": "Enabled", "Health": "OK" },
    });
    cx.machine.tpm.iter().map(|_| module.clone()).collect()
}

const FIRMWARE: &str = "7.2.2.0";

pub(super) fn route(cx: &mut Context<'_>, rest: &[&str]) -> Answer {
    let uri = uri(cx);
    match rest {
        [] => cx.read_only(|cx| {
            let members = has_tpm(cx).then(|| format!("{uri}/{TPM}"));
            collection(&uri, "TrustedComponentCollection", "Trusted Components", members)
        }),
        [TPM] if has_tpm(cx) => cx.read_only(|cx| {
            json!({
                "@odata.type": "#TrustedComponent.v1_3_2.TrustedComponent",
                "@odata.id": format!("{uri}/{TPM}"),
                "Id": TPM,
                "Name": "Trusted Platform Module",
                "TrustedComponentType": "Discrete",
                "Manufacturer": "Emulated Silicon",
                "FirmwareVersion": FIRMWARE,
                "Status": { "State": "Enabled", "Health": "OK" },
                "Links": {
                    "ComponentsProtected": [link(cx.system_uri())],
                    "ComponentIntegrity": [link(format!("{INTEGRITIES}/{TPM}"))],
                },
            })
        }),
        _ => cx.not_found(),
    }
}

/// `ComponentIntegrity`.
pub(super) fn integrity_route(cx: &mut Context<'_>, rest: &[&str]) -> Answer {
    if !cx.personality().trusted_components {
        return cx.not_found();
    }
    match rest {
        [] => cx.read_only(|cx| {
            let members = has_tpm(cx).then(|| format!("{INTEGRITIES}/{TPM}"));
            collection(
                INTEGRITIES,
                "ComponentIntegrityCollection",
                "Component Integrity",
                members,
            )
        }),
        [TPM] if has_tpm(cx) => cx.read_only(integrity),
        _ => cx.not_found(),
    }
}

fn integrity(cx: &mut Context<'_>) -> Value {
    let measurements = cx.machine.tpm.iter().flat_map(|tpm| {
        Measured::ALL.map(|measured| {
            json!({
                "PCR": measured.register(),
                "MeasurementHashAlgorithm": "TPM_ALG_SHA256",
                "Measurement": hex::encode(tpm.read(measured)),
            })
        })
    });
    json!({
        "@odata.type": "#ComponentIntegrity.v1_3_0.ComponentIntegrity",
        "@odata.id": format!("{INTEGRITIES}/{TPM}"),
        "Id": TPM,
        "Name": "Integrity of the host, as its TPM has measured it",
        "ComponentIntegrityType": "TPM",
        "ComponentIntegrityTypeVersion": "2.0",
        "ComponentIntegrityEnabled": true,
        "TargetComponentURI": format!("{}/{TPM}", uri(cx)),
        "Status": { "State": "Enabled", "Health": "OK" },
        "TPM": { "MeasurementSet": { "Measurements": measurements.collect::<Vec<_>>() } },
        "Links": { "ComponentsProtected": [link(cx.system_uri())] },
    })
}
