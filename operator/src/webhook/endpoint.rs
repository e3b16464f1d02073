//! Endpoints: a MAC address belongs to one of them.

use crds::Endpoint;
use kube::ResourceExt;

use super::verdict::{Cause, Verdict};
use crate::mac_prefixes::normalise;

/// The MAC address that has to be free: of a new Endpoint, or one that is being changed. An update that leaves the address alone is never
/// refused, so that two Endpoints that have had the same one for long can still be edited and deleted.
pub(super) fn claimed<'a>(new: &'a Endpoint, old: Option<&Endpoint>) -> Option<&'a str> {
    let of = |endpoint: &Endpoint| endpoint.spec.mac_address.as_deref().map(normalise).unwrap_or_default();
    let address = new.spec.mac_address.as_deref()?;
    let changed = old.is_none_or(|old| of(old) != of(new));
    // Endpoints that have no address yet are not the same machine.
    (changed && !normalise(address).is_empty()).then_some(address)
}

/// Whether `other` is another Endpoint with this MAC address, in whatever spelling.
pub(super) fn has(other: &Endpoint, name: &str, address: &str) -> bool {
    let theirs = other.spec.mac_address.as_deref().map(normalise);
    other.name_any() != name && theirs.is_some_and(|theirs| theirs == normalise(address))
}

/// Two of them are the same machine to everybody.
pub(super) fn duplicate(name: &str, address: &str) -> Verdict {
    Verdict::invalid(
        "Endpoint",
        name,
        "spec.macAddress",
        &Cause::Duplicate(address.to_owned()),
    )
}

#[cfg(test)]
mod tests {
    use crds::kinds::endpoint::EndpointSpec;

    use super::*;

    fn endpoint(name: &str, address: Option<&str>) -> Endpoint {
        Endpoint::new(
            name,
            EndpointSpec {
                mac_address: address.map(str::to_owned),
                ip: None,
            },
        )
    }

    #[test]
    fn only_an_address_that_is_taken_up_has_to_be_free() {
        for (new, old, expected) in [
            (Some("aa:bb"), None, Some("aa:bb")),
            (Some("aa:bb"), Some(Some("aa:cc")), Some("aa:bb")),
            (Some("aa:bb"), Some(None), Some("aa:bb")),
            (Some("aa:bb"), Some(Some("AA-BB")), None),
            (Some(""), None, None),
            (None, None, None),
            (None, Some(Some("aa:bb")), None),
        ] {
            let (new, old) = (endpoint("a", new), old.map(|old| endpoint("a", old)));
            assert_eq!(claimed(&new, old.as_ref()), expected, "{new:?} {old:?}");
        }
    }

    #[test]
    fn addresses_are_compared_as_addresses() {
        for (other, expected) in [
            (endpoint("b", Some("AA-BB")), true),
            (endpoint("b", Some("aabb")), true),
            (endpoint("a", Some("aa:bb")), false),
            (endpoint("b", Some("aa:bc")), false),
            (endpoint("b", None), false),
        ] {
            assert_eq!(has(&other, "a", "aa:bb"), expected, "{other:?}");
        }
    }
}
