//! Network boot: what DHCP, TFTP and iPXE do on a real machine, shortened to the requests that a boot server sees.
//! The kernel and initrd images themselves are not transferred: nothing could execute them.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use tokio::time::{sleep, timeout};
use tower::ServiceExt;

use super::ipxe::{self, Script};
use crate::bmc::Bmc;
use crate::guest::BootSource;
use crate::machine::nic::NicBootMode;
use crate::secret::Secret;

/// Attempts of a network card's boot ROM before it gives up and the firmware tries the next device.
const SCRIPT_ATTEMPTS: u32 = 3;
/// Ignition is far more patient than a boot ROM; it runs when there is nothing else left to try.
const IGNITION_ATTEMPTS: u32 = 20;
/// A script that chains to another script that chains … is cut off here.
const MAXIMUM_CHAIN: usize = 8;
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);

pub(super) async fn load(bmc: &Bmc, nic: &str, http_boot_uri: Option<&str>) -> Result<BootSource, String> {
    let (card, server_url) = bmc.with(|machine, _| {
        let card = machine.hardware.nics.iter().find(|card| card.name == nic);
        let card = card.filter(|card| card.link_up).map(|card| {
            let uri = card
                .boot_media_uri
                .clone()
                .filter(|_| card.boot_mode == NicBootMode::Http);
            let ip = card.ips.first().copied();
            (card.mac_address.clone(), ip, card.boot_mode, uri)
        });
        (card, machine.hardware.boot_server_url.clone())
    });
    let (mac_address, ip, mode, boot_media_uri) = card.ok_or("no link")?;
    if mode == NicBootMode::Disabled {
        return Err("network boot is disabled for it".to_owned());
    }
    let mut variables = ipxe::Variables::default();
    variables.set("uuid", bmc.system_uuid().to_string());
    variables.set("mac", &mac_address);
    variables.set("net0/mac", mac_address);
    if let Some(ip) = ip {
        variables.set("ip", ip.to_string());
        variables.set("net0/ip", ip.to_string());
    }
    // What the system says is for this boot, what the NIC says for all.
    let mut url = match (http_boot_uri.map(str::to_owned).or(boot_media_uri), server_url) {
        (Some(uri), _) => uri,
        (None, Some(server)) => format!("{}/ipxe/{}", server.trim_end_matches('/'), bmc.system_uuid()),
        (None, None) => return Err("no DHCP offer".to_owned()),
    };
    for _ in 0..MAXIMUM_CHAIN {
        let body = fetch_patiently(bmc, &url, SCRIPT_ATTEMPTS).await?;
        let script = String::from_utf8(body.to_vec()).map_err(|_| format!("{url} is not a script"))?;
        match ipxe::interpret(&script, &mut variables).map_err(|error| format!("{url}: {error}"))? {
            Script::Boot { kernel_arguments } => {
                return Ok(BootSource::Network {
                    kernel_arguments,
                    script,
                    ignition: None,
                });
            }
            Script::Chain { url: next } => url = next,
            Script::Exit => return Err("the boot script returned to the firmware".to_owned()),
        }
    }
    Err(format!("more than {MAXIMUM_CHAIN} chained scripts"))
}

/// Fetches what `ignition.config.url` of the kernel command line names, if it names anything.
pub(super) async fn ignition(bmc: &Bmc, kernel_arguments: &str) -> Result<Option<serde_json::Value>, String> {
    let Some(url) = kernel_arguments
        .split_whitespace()
        .find_map(|word| word.strip_prefix("ignition.config.url="))
    else {
        return Ok(None);
    };
    let body = fetch_patiently(bmc, url, IGNITION_ATTEMPTS)
        .await
        .map_err(|reason| format!("ignition: {reason}"))?;
    serde_json::from_slice(&body)
        .map(Some)
        .map_err(|error| format!("ignition: {url} is not JSON: {error}"))
}

async fn fetch_patiently(bmc: &Bmc, url: &str, attempts: u32) -> Result<Bytes, String> {
    let pause = bmc.with(|machine, _| machine.timing.boot_retry);
    let mut outcome = fetch(bmc, url).await;
    for _ in 1..attempts {
        let Err(reason) = &outcome else { break };
        tracing::debug!(machine = bmc.name(), url, reason, "boot fetch failed");
        sleep(pause).await;
        outcome = fetch(bmc, url).await;
    }
    outcome
}

/// A request for what is at `url`.
pub(crate) fn get(url: &str, credentials: Option<(&str, &Secret)>) -> Result<http::Request<Bytes>, String> {
    let mut request = http::Request::get(url);
    if let Some((user, password)) = credentials {
        let encoded = STANDARD.encode(format!("{user}:{}", password.expose()));
        request = request.header(http::header::AUTHORIZATION, format!("Basic {encoded}"));
    }
    request
        .body(Bytes::new())
        .map_err(|error| format!("{url:?} is not a URL: {error}"))
}

async fn fetch(bmc: &Bmc, url: &str) -> Result<Bytes, String> {
    let request = http::Request::get(url)
        .header(http::header::USER_AGENT, "iPXE/1.21.1")
        .body(Bytes::new())
        .map_err(|error| format!("{url:?} is not a URL: {error}"))?;
    send(bmc, request).await
}

/// Sends one request into the emulated network, and returns what comes back if it is of any use.
pub(crate) async fn send(bmc: &Bmc, request: http::Request<Bytes>) -> Result<Bytes, String> {
    let url = request.uri().to_string();
    let answer = timeout(REQUEST_TIMEOUT, bmc.shared().edges.http.clone().oneshot(request)).await;
    let response = match answer {
        Ok(Ok(response)) => response,
        Ok(Err(error)) => return Err(format!("GET {url}: {error}")),
        Err(_) => return Err(format!("GET {url}: no answer")),
    };
    match response.status() {
        http::StatusCode::OK | http::StatusCode::PARTIAL_CONTENT => Ok(response.into_body()),
        status => Err(format!("GET {url}: {status}")),
    }
}
