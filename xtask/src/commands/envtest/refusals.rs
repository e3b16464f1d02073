//! What users may not do, administrators included: the refusals of admission policy and webhooks, word for word.

use super::life::SERVER;
use super::said;
use crds::kinds::endpoint::EndpointSpec;
use crds::{BMC, BMCSecret, Endpoint, Server};
use kube::Client;
use kube::api::{Api, Patch, PatchParams, PostParams};
use miette::{Context, IntoDiagnostic};
use serde_json::{Value, json};

/// Merge patches of a Server that are refused, and a part of the message.
fn server_edits() -> [(Value, &'static str); 6] {
    [
        (
            json!({ "spec": { "tenancyEpoch": 1_000 } }),
            "spec.tenancyEpoch is kept by the operator",
        ),
        (
            json!({ "spec": { "residueEpoch": 1 } }),
            "spec.residueEpoch is kept by the operator",
        ),
        (
            json!({ "spec": { "residueDrives": [{ "name": "sda" }] } }),
            "spec.residueDrives is kept by the operator",
        ),
        (
            json!({ "spec": { "serverClaimRef": { "namespace": "default", "name": "mine" } } }),
            "spec.serverClaimRef is set and cleared by the operator",
        ),
        (
            json!({ "metadata": { "annotations": { "metal.ironcore.dev/parked": "true" } } }),
            "the annotation metal.ironcore.dev/parked is kept by the operator",
        ),
        (
            json!({ "metadata": { "annotations": { "metal.ironcore.dev/provisioning": "mine" } } }),
            "the annotation metal.ironcore.dev/provisioning is kept by the operator",
        ),
    ]
}

/// Merge patches of a Server that are everybody's business.
fn allowed_edits() -> [Value; 4] {
    [
        json!({ "spec": { "reclaimPolicy": "Recycle", "unclaimable": false } }),
        json!({ "metadata": { "labels": { "rack": "7" }, "annotations": { "example.com/note": "mine" } } }),
        json!({ "spec": { "taints": [{ "key": "example.com/broken", "effect": "NoBind" }] } }),
        json!({ "spec": { "taints": null } }),
    ]
}

/// As a tool does that has checked a Server.
async fn write_condition(servers: &Api<Server>, type_: &str) -> Result<Server, kube::Error> {
    let mut server = servers.get(SERVER).await?;
    let condition = serde_json::from_value(json!({
        "type": type_, "status": "False", "reason": "Checked", "message": "", "lastTransitionTime": "2026-01-01T00:00:00Z",
    }));
    let conditions = &mut server.status.get_or_insert_default().conditions;
    conditions.retain(|condition| condition.type_ != type_);
    conditions.extend(condition.ok());
    servers.replace_status(SERVER, &PostParams::default(), &server).await
}

pub(super) async fn all(client: &Client) -> miette::Result<()> {
    let servers: Api<Server> = Api::all(client.clone());
    let parameters = PatchParams::default();
    for (patch, message) in server_edits() {
        let answer = servers.patch(SERVER, &parameters, &Patch::Merge(&patch)).await;
        refused(&patch.to_string(), answer.map(|_| ()), message)?;
    }
    let status = json!({ "status": { "state": "Available", "powerState": "Paused" } });
    let said_of_status = "status is what the operator has seen; only the operator writes it";
    let answer = servers.patch_status(SERVER, &parameters, &Patch::Merge(&status)).await;
    refused("status of a Server", answer.map(|_| ()), said_of_status)?;
    let answer = write_condition(&servers, "Discovered").await;
    refused("a condition of the operator", answer.map(|_| ()), said_of_status)?;
    write_condition(&servers, "BurnedIn").await.into_diagnostic()?;
    said("a condition that a readiness rule may ask for can be written by others");
    let bmcs: Api<BMC> = Api::all(client.clone());
    let status = json!({ "status": { "powerState": "Off", "sku": "mine" } });
    let answer = bmcs.patch_status("node", &parameters, &Patch::Merge(&status)).await;
    refused("status of a BMC", answer.map(|_| ()), said_of_status)?;
    said("edits of what only the operator writes are refused, to administrators too");
    for patch in allowed_edits() {
        servers
            .patch(SERVER, &parameters, &Patch::Merge(&patch))
            .await
            .into_diagnostic()
            .wrap_err_with(|| format!("{patch} is refused"))?;
    }
    said("edits of everything else are allowed");
    webhooks(client).await
}

async fn webhooks(client: &Client) -> miette::Result<()> {
    let endpoints: Api<Endpoint> = Api::all(client.clone());
    let spec = |mac: &str| EndpointSpec {
        mac_address: Some(mac.to_owned()),
        ip: Some("127.0.0.1".to_owned()),
    };
    let twin = Endpoint::new("twin", spec("23-11-8a-33-cf-ea"));
    let answer = endpoints.create(&PostParams::default(), &twin).await;
    refused(
        "an Endpoint with the MAC address of another",
        answer.map(|_| ()),
        "admission webhook \"vendpoint-v1alpha1.kb.io\" denied the request: Endpoint.metal.ironcore.dev \"twin\" is invalid: \
         spec.macAddress: Duplicate value: \"23-11-8a-33-cf-ea\"",
    )?;
    let secrets: Api<BMCSecret> = Api::all(client.clone());
    let mut secret = BMCSecret::new(
        "fixed",
        [("username".to_owned(), k8s_openapi::ByteString(b"a".to_vec()))].into(),
    );
    secret.immutable = Some(true);
    secrets
        .create(&PostParams::default(), &secret)
        .await
        .into_diagnostic()
        .wrap_err("a BMCSecret cannot be created")?;
    let patch = json!({ "data": { "username": "Yg==" } });
    let answer = secrets
        .patch("fixed", &PatchParams::default(), &Patch::Merge(&patch))
        .await;
    refused(
        "a change of an immutable BMCSecret",
        answer.map(|_| ()),
        "data: Forbidden: data field is immutable and cannot be updated",
    )?;
    secrets
        .delete("fixed", &kube::api::DeleteParams::default())
        .await
        .into_diagnostic()?;
    said("the webhooks are asked, and refuse");
    Ok(())
}

fn refused(what: &str, answer: Result<(), kube::Error>, message: &str) -> miette::Result<()> {
    match answer {
        Ok(()) => miette::bail!("{what}: it was allowed"),
        Err(kube::Error::Api(status)) if status.message.contains(message) => Ok(()),
        Err(error) => miette::bail!("{what}: refused, but with other words: {error}"),
    }
}
