//! A machine's life on a real cluster.

use super::said;
use crds::kinds::endpoint::EndpointSpec;
use crds::kinds::server_claim::ServerClaimSpec;
use crds::{Endpoint, Power, Server, ServerClaim};
use kube::api::{Api, DeleteParams, PostParams};
use kube::runtime::wait::{Condition, await_condition};
use kube::{Client, Resource};
use miette::{Context, IntoDiagnostic};
use scenarios::testbed::MachineInfo;
use serde::de::DeserializeOwned;
use std::fmt::Debug;
use std::time::Duration;

/// Of a machine that is made 120 times as fast, on a busy computer.
const PATIENCE: Duration = Duration::from_secs(180);
pub(super) const SERVER: &str = "node-system-0";
const CLAIM: &str = "tenant";

/// Registers the machine, and waits until it is offered.
pub(super) async fn to_available(client: &Client, machine: &MachineInfo) -> miette::Result<()> {
    let endpoint = Endpoint::new(
        &machine.name,
        EndpointSpec {
            mac_address: Some(machine.mac.clone()),
            ip: Some(machine.address.clone()),
        },
    );
    Api::<Endpoint>::all(client.clone())
        .create(&PostParams::default(), &endpoint)
        .await
        .into_diagnostic()
        .wrap_err("the Endpoint cannot be created")?;
    in_state(client, "Available").await?;
    said("an Endpoint became an Available Server");
    Ok(())
}

/// A tenant comes and goes.
pub(super) async fn claim_and_release(client: &Client) -> miette::Result<()> {
    let claims: Api<ServerClaim> = Api::namespaced(client.clone(), "default");
    let claim = ServerClaim::new(
        CLAIM,
        ServerClaimSpec {
            power: Power::On,
            image: format!("{}/tenant-os:v1", scenarios::testbed::IMAGE_REGISTRY),
            server_ref: None,
            server_selector: None,
            ignition_secret_ref: None,
            user_data_ref: None,
            tolerations: Vec::new(),
        },
    );
    claims
        .create(&PostParams::default(), &claim)
        .await
        .into_diagnostic()
        .wrap_err("the ServerClaim cannot be created")?;
    in_state(client, "Reserved").await?;
    said("a ServerClaim got it");
    claims.delete(CLAIM, &DeleteParams::default()).await.into_diagnostic()?;
    wait("the claim is gone", claims, CLAIM, |claim: Option<&ServerClaim>| {
        claim.is_none()
    })
    .await?;
    in_state(client, "Available").await?;
    said("released and wiped, it is Available again");
    Ok(())
}

async fn in_state(client: &Client, state: &str) -> miette::Result<()> {
    let servers: Api<Server> = Api::all(client.clone());
    let reached = move |server: Option<&Server>| {
        let status = server.and_then(|server| server.status.as_ref());
        status
            .and_then(|status| status.state.as_ref())
            .is_some_and(|now| now.as_str() == state)
    };
    wait(&format!("Server {SERVER} in state {state}"), servers, SERVER, reached).await
}

async fn wait<K>(what: &str, api: Api<K>, name: &str, condition: impl Condition<K>) -> miette::Result<()>
where
    K: Resource + Clone + Debug + DeserializeOwned + Send + 'static,
    K::DynamicType: Default,
{
    tokio::time::timeout(PATIENCE, await_condition(api, name, condition))
        .await
        .map_err(|_| {
            miette::miette!(
                help = "its log is in the folder of --logs",
                "{what}: not within {} seconds",
                PATIENCE.as_secs()
            )
        })?
        .into_diagnostic()
        .wrap_err_with(|| what.to_owned())?;
    Ok(())
}
