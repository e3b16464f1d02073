//! What follows from what was seen: a pure function.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use crds::Endpoint;
use crds::kinds::endpoint::EndpointSpec;
use kube::ResourceExt;

use super::{Sighting, mac_address};

#[derive(Debug, Default, PartialEq)]
pub(super) struct Plan {
    pub new: Vec<Endpoint>,
    pub moved: Vec<Moved>,
}

/// An Endpoint that says something else than what was seen.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Moved {
    pub endpoint: String,
    pub was: String,
    pub is: IpAddr,
}

/// `is_bmc` knows hardware addresses of BMCs.
pub(super) fn plan(known: &[Arc<Endpoint>], seen: &[Sighting], is_bmc: impl Fn(&str) -> bool) -> Plan {
    let address_of = |endpoint: &Endpoint| endpoint.spec.mac_address.as_deref().and_then(mac_address);
    let known: BTreeMap<String, &Endpoint> = known
        .iter()
        .filter_map(|endpoint| Some((address_of(endpoint)?, endpoint.as_ref())))
        .collect();
    // Of two sightings of the same device the later one counts.
    let seen: BTreeMap<&str, IpAddr> = seen
        .iter()
        .map(|sighting| (sighting.mac_address.as_str(), sighting.ip))
        .collect();
    let mut plan = Plan::default();
    for (address, ip) in seen.into_iter().filter(|(address, _)| is_bmc(address)) {
        match known.get(address) {
            None => plan.new.push(endpoint(address, ip)),
            Some(endpoint) => {
                let was = endpoint.spec.ip.as_deref().unwrap_or_default();
                if was.parse() != Ok(ip) {
                    plan.moved.push(Moved {
                        endpoint: endpoint.name_any(),
                        was: was.to_owned(),
                        is: ip,
                    });
                }
            }
        }
    }
    plan
}

/// Named by its hardware address, which is what a device has for life.
fn endpoint(address: &str, ip: IpAddr) -> Endpoint {
    let spec = EndpointSpec {
        mac_address: Some(address.to_owned()),
        ip: Some(ip.to_string()),
    };
    Endpoint::new(&format!("bmc-{}", address.replace(':', "")), spec)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sighting(mac: &str, ip: &str) -> Sighting {
        Sighting {
            mac_address: mac.to_owned(),
            ip: ip.parse().expect("an address"),
        }
    }

    #[test]
    fn only_new_bmcs_become_endpoints() {
        let known = Endpoint::new(
            "rack-1",
            EndpointSpec {
                mac_address: Some("B0-7B-25-00-00-01".to_owned()),
                ip: Some("10.0.0.1".to_owned()),
            },
        );
        let seen = [
            sighting("b0:7b:25:00:00:01", "10.0.0.1"),
            sighting("b0:7b:25:00:00:02", "10.0.0.2"),
            sighting("b0:7b:25:00:00:02", "10.0.0.3"),
            sighting("aa:bb:cc:00:00:03", "10.0.0.4"),
        ];
        let plan = plan(&[Arc::new(known.clone())], &seen, |mac| mac.starts_with("b0:7b:25"));
        assert_eq!(plan.moved, []);
        assert_eq!(plan.new.len(), 1);
        assert_eq!(plan.new[0].name_any(), "bmc-b07b25000002");
        assert_eq!(plan.new[0].spec.ip.as_deref(), Some("10.0.0.3"));

        let moved = super::plan(&[Arc::new(known)], &[sighting("b0:7b:25:00:00:01", "10.0.0.9")], |_| {
            true
        });
        assert_eq!(moved.new, []);
        assert_eq!(
            (moved.moved[0].endpoint.as_str(), moved.moved[0].was.as_str()),
            ("rack-1", "10.0.0.1")
        );
    }
}
