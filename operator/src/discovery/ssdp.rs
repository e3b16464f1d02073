//! Searches for Redfish services (DSP0266 §12.1). An answer has a URL, and an Endpoint needs a hardware address: that of the
//! neighbour table, so that only BMCs of a network are found that this host is in.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::future::BoxFuture;

use super::{Sighting, Source, neighbors};

/// What is sent to 239.255.255.250:1900.
pub const SEARCH: &str = "M-SEARCH * HTTP/1.1\r\nHOST: 239.255.255.250:1900\r\nMAN: \"ssdp:discover\"\r\nMX: 3\r\n\
                          ST: urn:dmtf-org:service:redfish-rest:1\r\n\r\n";
/// `MX` of the search, and the time that an answer is under way.
pub const PATIENCE: Duration = Duration::from_secs(5);

/// Sends a search, and returns all datagrams that have come until the time is over.
pub type Transport =
    Arc<dyn Fn(&'static str, Duration) -> BoxFuture<'static, std::io::Result<Vec<(Bytes, SocketAddr)>>> + Send + Sync>;
/// Reads the neighbour table.
pub type Neighbors = Arc<dyn Fn() -> std::io::Result<String> + Send + Sync>;

/// Finds BMCs by searching for them.
pub struct Search {
    pub transport: Transport,
    pub neighbors: Neighbors,
}

impl Source for Search {
    fn name(&self) -> String {
        "SSDP".to_owned()
    }

    fn look(&self) -> BoxFuture<'_, Result<Vec<Sighting>, String>> {
        Box::pin(async move {
            let answers = (self.transport)(SEARCH, PATIENCE);
            let answers = answers
                .await
                .map_err(|error| format!("the search cannot be sent: {error}"))?;
            if answers.is_empty() {
                return Ok(Vec::new());
            }
            let table = (self.neighbors)().map_err(|error| format!("{}: {error}", neighbors::FILE))?;
            let found = answers.iter().filter_map(|(datagram, sender)| {
                let ip = address(datagram, *sender)?;
                let mac_address = neighbors::find(&table, ip);
                if mac_address.is_none() {
                    tracing::debug!(%ip, "a Redfish service that is no neighbour of this host is left out");
                }
                Some(Sighting {
                    mac_address: mac_address?,
                    ip,
                })
            });
            Ok(found.collect())
        })
    }
}

/// Where the service of an answer is. A URL with a host name is at the address that the answer came from.
fn address(datagram: &[u8], sender: SocketAddr) -> Option<IpAddr> {
    let text = std::str::from_utf8(datagram).ok()?;
    let mut lines = text.split("\r\n");
    if !lines.next()?.starts_with("HTTP/1.1 200") {
        return None;
    }
    let headers: Vec<(&str, &str)> = lines.filter_map(|line| line.split_once(':')).collect();
    let header = |name: &str| {
        let found = headers
            .iter()
            .find(|(known, _)| known.trim().eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.trim())
    };
    if !header("ST")?.starts_with("urn:dmtf-org:service:redfish-rest:1") {
        return None;
    }
    let url: http::Uri = header("AL")?.parse().ok()?;
    let host = url.host()?.trim_start_matches('[').trim_end_matches(']');
    Some(host.parse().unwrap_or(sender.ip()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(al: &str, st: &str) -> Bytes {
        Bytes::from(format!(
            "HTTP/1.1 200 OK\r\nEXT:\r\nST: {st}\r\nUSN: uuid:1::{st}:0\r\nAL: {al}\r\n\r\n"
        ))
    }

    #[tokio::test]
    async fn answers_of_neighbours_are_sightings() {
        const REDFISH: &str = "urn:dmtf-org:service:redfish-rest:1";
        let sender: SocketAddr = "10.0.0.8:1900".parse().expect("an address");
        let answers = vec![
            (answer("https://10.0.0.7/redfish/v1/", REDFISH), sender),
            (answer("https://bmc.example/redfish/v1/", REDFISH), sender),
            (answer("https://10.9.9.9/redfish/v1/", REDFISH), sender),
            (answer("https://10.0.0.7/", "upnp:rootdevice"), sender),
            (Bytes::from_static(b"\xff\xfe"), sender),
        ];
        let search = Search {
            transport: Arc::new(move |message, _| {
                assert_eq!(message, SEARCH);
                let answers = answers.clone();
                Box::pin(async move { Ok(answers) })
            }),
            neighbors: Arc::new(|| {
                Ok(
                    "header\n10.0.0.7 0x1 0x2 b0:7b:25:d6:51:82 * eth0\n10.0.0.8 0x1 0x2 b0:7b:25:d6:51:83 * eth0\n"
                        .to_owned(),
                )
            }),
        };
        let found: Vec<String> = search
            .look()
            .await
            .expect("answers")
            .into_iter()
            .map(|sighting| sighting.mac_address)
            .collect();
        assert_eq!(found, ["b0:7b:25:d6:51:82", "b0:7b:25:d6:51:83"]);
    }
}
