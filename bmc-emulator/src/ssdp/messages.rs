//! Messages of SSDP, as far as DSP0266 needs them.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use bytes::Bytes;
use uuid::Uuid;

/// Where everybody listens.
pub const GROUP: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(239, 255, 255, 250)), 1900);
/// Seconds for which a service counts as there; DSP0266 §12.1.3: at least 1800.
pub(super) const MAXIMUM_AGE: u64 = 1800;
/// DSP0266 §12.1.2.
const TARGET: &str = "urn:dmtf-org:service:redfish-rest:1";
/// Nobody waits longer, whatever `MX` says (UPnP §1.3.3).
const LONGEST_PATIENCE: u64 = 5;

/// A Redfish service that can be found.
#[derive(Clone, Debug)]
pub(super) struct Service {
    pub uuid: Uuid,
    pub url: String,
}

/// Somebody searches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Search {
    /// What an answer says it is about.
    target: String,
    /// Answers are spread over this time.
    pub patience: Duration,
}

impl Search {
    /// Reads an `M-SEARCH` for Redfish services. Everything else is somebody else's business, and no error.
    pub(super) fn read(datagram: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(datagram).ok()?;
        let mut lines = text.split("\r\n");
        if lines.next()? != "M-SEARCH * HTTP/1.1" {
            return None;
        }
        let headers: Vec<(&str, &str)> = lines.filter_map(|line| line.split_once(':')).collect();
        let header = |name: &str| {
            let found = headers
                .iter()
                .find(|(known, _)| known.trim().eq_ignore_ascii_case(name));
            found.map(|(_, value)| value.trim())
        };
        if header("MAN")? != "\"ssdp:discover\"" {
            return None;
        }
        let target = match header("ST")? {
            "ssdp:all" => TARGET,
            wanted if wanted == TARGET => wanted,
            _ => return None,
        };
        let patience: u64 = header("MX").and_then(|seconds| seconds.parse().ok()).unwrap_or(1);
        Some(Self {
            target: target.to_owned(),
            patience: Duration::from_secs(patience.min(LONGEST_PATIENCE)),
        })
    }

    pub(super) fn answer(&self, service: &Service) -> Bytes {
        message(&[
            "HTTP/1.1 200 OK".to_owned(),
            format!("CACHE-CONTROL: max-age={MAXIMUM_AGE}"),
            "EXT:".to_owned(),
            format!("ST: {}", self.target),
            format!("USN: {}", service.name()),
            format!("AL: {}/redfish/v1/", service.url),
        ])
    }
}

impl Service {
    /// With the minor version of Redfish that it speaks (DSP0266 §12.1.2).
    fn name(&self) -> String {
        format!("uuid:{}::{TARGET}:0", self.uuid)
    }

    /// It is there, or takes its leave.
    pub(super) fn notification(&self, alive: bool) -> Bytes {
        let mut lines = vec![
            "NOTIFY * HTTP/1.1".to_owned(),
            format!("HOST: {GROUP}"),
            format!("NT: {TARGET}"),
            format!("NTS: ssdp:{}", if alive { "alive" } else { "byebye" }),
            format!("USN: {}", self.name()),
        ];
        if alive {
            lines.push(format!("CACHE-CONTROL: max-age={MAXIMUM_AGE}"));
            lines.push(format!("AL: {}/redfish/v1/", self.url));
        }
        message(&lines)
    }
}

fn message(lines: &[String]) -> Bytes {
    Bytes::from(format!("{}\r\n\r\n", lines.join("\r\n")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn search(target: &str, patience: &str) -> String {
        format!(
            "M-SEARCH * HTTP/1.1\r\nHost: {GROUP}\r\nMan: \"ssdp:discover\"\r\nST: {target}\r\nMX:{patience}\r\n\r\n"
        )
    }

    #[test]
    fn only_searches_for_redfish_are_answered() {
        let read = |text: &str| Search::read(text.as_bytes()).map(|search| search.patience.as_secs());
        assert_eq!(read(&search(TARGET, "3")), Some(3));
        assert_eq!(read(&search("ssdp:all", "100")), Some(5));
        assert_eq!(read(&search("upnp:rootdevice", "3")), None);
        assert_eq!(read("NOTIFY * HTTP/1.1\r\n\r\n"), None);
        assert_eq!(read("M-SEARCH * HTTP/1.1\r\nST: ssdp:all\r\n\r\n"), None);
        assert_eq!(Search::read(&[0xff, 0xfe]), None);
    }

    #[test]
    fn an_answer_says_where_the_service_is() {
        let service = Service {
            uuid: Uuid::nil(),
            url: "https://127.8.0.1:8443".to_owned(),
        };
        let answer = Search::read(search(TARGET, "1").as_bytes())
            .expect("a search")
            .answer(&service);
        let expected = "HTTP/1.1 200 OK\r\nCACHE-CONTROL: max-age=1800\r\nEXT:\r\nST: urn:dmtf-org:service:redfish-rest:1\r\n\
                        USN: uuid:00000000-0000-0000-0000-000000000000::urn:dmtf-org:service:redfish-rest:1:0\r\n\
                        AL: https://127.8.0.1:8443/redfish/v1/\r\n\r\n";
        assert_eq!(answer, expected);
        let leave = service.notification(false);
        assert!(leave.starts_with(b"NOTIFY * HTTP/1.1\r\n") && !leave.windows(3).any(|part| part == b"AL:"));
    }
}
