//! How to reach a BMC: address, port, scheme and credentials from the API objects (contract section 3.0).

use crds::kinds::bmc_secret::MissingKey;
use crds::{BMC, BMCSecret, Server, shared};
use kube::ResourceExt;

use crate::bmc::{
    BmcAccess, CA_KEY, Credentials, FINGERPRINT_KEY, ProtocolName, Scheme, Trust, TrustError, UnsupportedProtocol,
};
use crate::context::Context;

/// Why a BMC cannot be addressed. Each says which object to mend.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AccessError {
    #[error("server {0} has neither a BMCRef nor a BMC configured")]
    NoBmc(String),
    #[error("{kind} {name} is referenced and does not exist (yet)")]
    Missing { kind: &'static str, name: String },
    #[error("{kind} {name} has no IP address")]
    NoAddress { kind: &'static str, name: String },
    #[error("{name}: port {port} is not a TCP port")]
    Port { name: String, port: i32 },
    #[error("{name}: scheme `{scheme}` is neither http nor https")]
    Scheme { name: String, scheme: String },
    #[error(transparent)]
    Protocol(#[from] UnsupportedProtocol),
    #[error(transparent)]
    Secret(#[from] MissingKey),
    #[error("BMCSecret {secret}: {source}")]
    Trust { secret: String, source: TrustError },
}

/// Access to the BMC of a server: that of its BMC object, or its own. Where both are stated, the object counts.
///
/// # Errors
/// [`AccessError`].
pub fn of_server(context: &Context, server: &Server) -> Result<BmcAccess, AccessError> {
    if let Some(reference) = &server.spec.bmc_ref {
        let bmc = context
            .caches
            .bmcs
            .get(&reference.name)
            .ok_or_else(|| AccessError::Missing {
                kind: "BMC",
                name: reference.name.clone(),
            })?;
        return of_bmc(context, &bmc);
    }
    let name = server.name_any();
    let Some(inline) = &server.spec.bmc else {
        return Err(AccessError::NoBmc(name));
    };
    let address = inline.address.clone();
    access(context, &name, &inline.protocol, address, &inline.bmc_secret_ref.name)
}

/// Access to a BMC.
///
/// # Errors
/// [`AccessError`].
pub fn of_bmc(context: &Context, bmc: &BMC) -> Result<BmcAccess, AccessError> {
    let name = bmc.name_any();
    let (_, ip) = network(context, bmc)?;
    access(context, &name, &bmc.spec.protocol, ip, &bmc.spec.bmc_secret_ref.name)
}

/// MAC and IP address of a BMC, stated in place or by its Endpoint.
///
/// # Errors
/// [`AccessError`].
pub fn network(context: &Context, bmc: &BMC) -> Result<(Option<String>, String), AccessError> {
    if let Some(access) = &bmc.spec.access {
        let ip = access.ip.clone().ok_or_else(|| AccessError::NoAddress {
            kind: "BMC",
            name: bmc.name_any(),
        })?;
        return Ok((access.mac_address.clone(), ip));
    }
    let name = bmc
        .spec
        .endpoint_ref
        .as_ref()
        .map(|reference| reference.name.clone())
        .unwrap_or_default();
    let endpoint = context
        .caches
        .endpoints
        .get(&name)
        .ok_or_else(|| AccessError::Missing {
            kind: "Endpoint",
            name: name.clone(),
        })?;
    let ip = endpoint
        .spec
        .ip
        .clone()
        .ok_or(AccessError::NoAddress { kind: "Endpoint", name })?;
    Ok((endpoint.spec.mac_address.clone(), ip))
}

/// What the secret says about certificates, if anything.
fn trust(secret: &BMCSecret) -> Result<Trust, AccessError> {
    let (ca, fingerprints) = (secret.value(CA_KEY).ok(), secret.value(FINGERPRINT_KEY).ok());
    Trust::parse(ca.as_deref(), fingerprints.as_deref()).map_err(|source| AccessError::Trust {
        secret: secret.name_any(),
        source,
    })
}

fn access(
    context: &Context,
    name: &str,
    protocol: &shared::Protocol,
    host: String,
    secret: &str,
) -> Result<BmcAccess, AccessError> {
    let secret = context.caches.secrets.get(secret).ok_or_else(|| AccessError::Missing {
        kind: "BMCSecret",
        name: secret.to_owned(),
    })?;
    let scheme = match protocol.scheme.as_deref() {
        None | Some("") => context.options.default_scheme(),
        Some(scheme) => Scheme::parse(scheme).ok_or_else(|| AccessError::Scheme {
            name: name.to_owned(),
            scheme: scheme.to_owned(),
        })?,
    };
    Ok(BmcAccess {
        protocol: ProtocolName::parse(protocol.name.as_str())?,
        scheme,
        host,
        port: u16::try_from(protocol.port).map_err(|_| AccessError::Port {
            name: name.to_owned(),
            port: protocol.port,
        })?,
        credentials: Credentials::new(secret.value("username")?, secret.value("password")?),
        trust: trust(&secret)?,
    })
}
