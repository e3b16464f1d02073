//! Which of the BMCs that were seen are this operator's business. Two operators may look at one management network, and a DHCP server may serve more
//! than one.

use std::net::IpAddr;

use ipnet::IpNet;

use super::Sighting;

/// What becomes an Endpoint, as far as its addresses say.
#[derive(Clone, Debug, Default)]
pub(crate) struct Filter {
    /// None: every network.
    pub networks: Vec<IpNet>,
    /// Hardware addresses, or their beginnings.
    pub except: Vec<String>,
}

impl Filter {
    pub(crate) fn lets_through(&self, sighting: &Sighting) -> bool {
        let wanted = self.networks.is_empty()
            || self
                .networks
                .iter()
                .any(|network| network.contains(&mapped(sighting.ip)));
        let digits = digits(&sighting.mac_address);
        wanted && !self.except.iter().any(|prefix| digits.starts_with(prefix.as_str()))
    }
}

/// An IPv4 address, however it is written, is in networks of IPv4.
fn mapped(ip: IpAddr) -> IpAddr {
    ip.to_canonical()
}

/// The beginning of a hardware address, in any spelling.
///
/// # Errors
/// It is none.
pub fn mac_prefix(text: &str) -> Result<String, String> {
    let digits = digits(text);
    match digits.len() {
        1..=12 if digits.bytes().all(|byte| byte.is_ascii_hexdigit()) => Ok(digits),
        _ => Err("expected a MAC address, or the beginning of one, such as b0:7b:25".to_owned()),
    }
}

fn digits(text: &str) -> String {
    let separator = |sign: &char| matches!(sign, ':' | '-' | '.');
    text.chars()
        .filter(|sign| !separator(sign))
        .collect::<String>()
        .to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_and_exceptions() {
        let networks = |networks: &[&str]| networks.iter().map(|network| network.parse().unwrap()).collect();
        let except = |texts: &[&str]| texts.iter().map(|text| mac_prefix(text).unwrap()).collect();
        for (wanted, not, ip, expected) in [
            (vec![], vec![], "10.1.0.7", true),
            (vec!["10.1.0.0/24"], vec![], "10.1.0.7", true),
            (vec!["10.1.0.0/24"], vec![], "::ffff:10.1.0.7", true),
            (vec!["10.1.0.0/24"], vec![], "10.1.1.7", false),
            (vec!["10.2.0.0/16", "fd00::/8"], vec![], "fd00::7", true),
            (vec![], vec!["B0-7B-25"], "10.1.0.7", false),
            (vec![], vec!["b07b25000001"], "10.1.0.7", false),
            (vec![], vec!["b0:7b:25:00:00:02", "aa"], "10.1.0.7", true),
            (vec!["10.1.0.0/24"], vec!["b0"], "10.1.0.7", false),
        ] {
            let filter = Filter {
                networks: networks(&wanted),
                except: except(&not),
            };
            let sighting = Sighting {
                mac_address: "b0:7b:25:00:00:01".to_owned(),
                ip: ip.parse().unwrap(),
            };
            assert_eq!(filter.lets_through(&sighting), expected, "{wanted:?} {not:?} {ip}");
        }
        for wrong in ["", "b0:7g", "b0:7b:25:00:00:01:02"] {
            assert!(mac_prefix(wrong).is_err(), "{wrong}");
        }
    }
}
