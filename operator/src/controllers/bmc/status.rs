//! `BMC.status` from what its manager says. Pure.

use crds::Power;
use crds::kinds::bmc::{BMCState, BMCStatus};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use crate::bmc::Manager;
use crate::conditions::seconds;
use crate::sabotage::{self, Bug};

/// Everything but conditions.
pub(super) fn write(status: &mut BMCStatus, manager: &Manager, network: Option<(Option<String>, String)>) {
    if let Some((mac_address, ip)) = network {
        // The schema refuses the whole status over a spelling it does not know.
        // Incident 136.
        status.mac_address =
            mac_address.filter(|mac_address| is_mac_address(mac_address) || sabotage::active(Bug::OddMacRefused));
        status.ip = Some(ip);
    }
    status.manufacturer = manager.manufacturer.clone();
    status.model = manager.model.clone();
    status.sku = manager.sku.clone();
    status.serial_number = manager.serial_number.clone();
    status.firmware_version = manager.firmware_version.clone();
    status.power_state = Some(Power::from(manager.power_state.as_str()));
    // It answers; one that does not say how it feels must not look pending for ever.
    status.state = Some(manager.state.as_deref().map_or(BMCState::Enabled, BMCState::from));
    if let Some(time) = manager.last_reset_time {
        status.last_reset_time = Some(Time(seconds(time)));
    }
}

fn is_mac_address(text: &str) -> bool {
    let octets: Vec<&str> = text.split([':', '-']).collect();
    octets.len() == 6
        && octets
            .iter()
            .all(|octet| octet.len() == 2 && octet.bytes().all(|c| c.is_ascii_hexdigit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mac_addresses_as_the_schema_has_them() {
        for (text, expected) in [
            ("00:1A:2b:3c:4d:5e", true),
            ("00-1A-2b-3c-4d-5e", true),
            ("001A2b3c4d5e", false),
            ("00:1A:2b:3c:4d", false),
            ("00:1A:2b:3c:4d:5g", false),
        ] {
            assert_eq!(is_mac_address(text), expected, "{text}");
        }
    }
}
