//! Where the BMC of a server is, and how one gets in.

use anyhow::{Context, anyhow, bail};
use crds::kinds::bmc::ConsoleProtocolName;
use crds::{BMC, BMCSecret, Endpoint, Server, keys};
use kube::api::Api;
use kube::{Client, ResourceExt};

use crate::bmc::Credentials;
use crate::ssh::Host;

/// Where SSH listens unless `spec.consoleProtocol` says otherwise.
const SSH_PORT: u16 = 22;

/// How one gets to a console.
#[derive(Clone, Debug)]
pub struct Access {
    pub host: Host,
    pub credentials: Credentials,
    /// The key by which the BMC is known, in OpenSSH's format, if somebody has said so.
    pub host_key: Option<String>,
}

/// Reads the Server, its BMC, Endpoint and BMCSecret.
///
/// # Errors
/// What is missing, or what else the BMC speaks.
pub async fn resolve(client: &Client, name: &str, port: Option<u16>) -> anyhow::Result<Access> {
    let server: Server = Api::all(client.clone())
        .get(name)
        .await
        .with_context(|| format!("Server {name}"))?;
    let (address, secret, bmc) = match (&server.spec.bmc_ref, &server.spec.bmc) {
        (Some(reference), _) => {
            let bmcs: Api<BMC> = Api::all(client.clone());
            let bmc = bmcs
                .get(&reference.name)
                .await
                .with_context(|| format!("BMC {}", reference.name))?;
            (
                address(client, &bmc).await?,
                bmc.spec.bmc_secret_ref.name.clone(),
                Some(bmc),
            )
        }
        (None, Some(inline)) => (inline.address.clone(), inline.bmc_secret_ref.name.clone(), None),
        (None, None) => bail!("Server {name} has neither a bmcRef nor a bmc"),
    };
    let port = match port {
        Some(port) => port,
        None => bmc.as_ref().map_or(Ok(SSH_PORT), |bmc| self::port(bmc, &address))?,
    };
    let secrets: Api<BMCSecret> = Api::all(client.clone());
    let secret = secrets
        .get(&secret)
        .await
        .with_context(|| format!("BMCSecret {secret}"))?;
    Ok(Access {
        host: Host { address, port },
        credentials: Credentials::new(secret.value("username")?, secret.value("password")?),
        host_key: bmc.and_then(|bmc| bmc.annotations().get(keys::SSH_HOST_KEY_ANNOTATION).cloned()),
    })
}

async fn address(client: &Client, bmc: &BMC) -> anyhow::Result<String> {
    let name = bmc.name_any();
    if let Some(ip) = bmc.spec.access.as_ref().and_then(|access| access.ip.clone()) {
        return Ok(ip);
    }
    let reference = bmc.spec.endpoint_ref.as_ref();
    let reference = reference.ok_or_else(|| anyhow!("BMC {name} says nowhere where it is"))?;
    let endpoints: Api<Endpoint> = Api::all(client.clone());
    let endpoint = endpoints.get(&reference.name).await;
    let endpoint = endpoint.with_context(|| format!("Endpoint {} of BMC {name}", reference.name))?;
    endpoint
        .spec
        .ip
        .ok_or_else(|| anyhow!("Endpoint {} has no IP address", reference.name))
}

/// Where the BMC says that its console is.
fn port(bmc: &BMC, address: &str) -> anyhow::Result<u16> {
    let Some(console) = &bmc.spec.console_protocol else {
        return Ok(SSH_PORT);
    };
    if console.name == ConsoleProtocolName::Ipmi {
        bail!(
            "the console of BMC {} is serial over LAN (consoleProtocol IPMI), which metalctl does not speak. Try: ipmitool -I lanplus -H {address} -p {} -U USER \
             sol activate; or --port if there is SSH, too",
            bmc.name_any(),
            console.port
        );
    }
    u16::try_from(console.port).with_context(|| format!("port {} of BMC {} is none", console.port, bmc.name_any()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_console_is_where_the_bmc_says() {
        for (console, expected) in [
            (json!(null), Some(22)),
            (json!({ "name": "SSH", "port": 2200 }), Some(2200)),
            (json!({ "name": "SSHLenovo", "port": 22 }), Some(22)),
            (json!({ "name": "IPMI", "port": 623 }), None),
            (json!({ "name": "SSH", "port": 70000 }), None),
        ] {
            let bmc: BMC = serde_json::from_value(json!({
                "apiVersion": "metal.ironcore.dev/v1alpha1", "kind": "BMC", "metadata": { "name": "a" },
                "spec": {
                    "bmcSecretRef": { "name": "a" }, "protocol": { "name": "Redfish", "port": 443 }, "consoleProtocol": console,
                },
            }))
            .unwrap();
            assert_eq!(port(&bmc, "192.0.2.1").ok(), expected, "{console}");
        }
    }
}
