//! Network adapters and PCIe devices, and booting over one of them.

use std::time::Duration;

use bmc_emulator::AdminAction;
use serde_json::{Value, json};

use crate::support::Run;

const FLEET: &str = "
machines:
- name: generic
  drives: [{ name: nvme0n1 }, { name: sda, protocol: SAS, controller: RAID.1 }]
  storageControllers: [{ id: RAID.1, raidTypes: [RAID1] }]
  nics:
  - name: eno1
    adapter: NIC.1
    manufacturer: Contoso
    model: C810
    neighbor: { chassisID: aa, portID: Ethernet1, systemName: leaf-1, managementAddresses: [192.0.2.1, '2001:db8::1'] }
  - { name: eno2, adapter: NIC.1 }
  - { name: ens3, speedMbps: 100000 }
";

const CHASSIS: &str = "/redfish/v1/Chassis/1";

#[tokio::test(start_paused = true)]
async fn adapters_ports_and_functions() {
    let run = Run::new(FLEET);
    let client = run.client("generic");
    for (name, uri) in [
        ("adapter", "NetworkAdapters/NIC.1"),
        ("port", "NetworkAdapters/NIC.1/Ports/1"),
        ("function", "NetworkAdapters/NIC.1/NetworkDeviceFunctions/eno2"),
        ("pcie_device", "PCIeDevices/NIC.1"),
        ("pcie_function", "PCIeDevices/NIC.1/PCIeFunctions/1"),
    ] {
        insta::assert_json_snapshot!(name, client.get(&format!("{CHASSIS}/{uri}")).await.body);
    }
    let devices = client.get(&format!("{CHASSIS}/PCIeDevices")).await.body;
    let ids: Vec<&str> = devices["Members"]
        .as_array()
        .expect("members")
        .iter()
        .filter_map(|member| member["@odata.id"].as_str()?.rsplit('/').next())
        .collect();
    assert_eq!(ids, ["NIC.1", "ens3", "nvme0n1", "RAID.1"]);
    let port = format!("{CHASSIS}/NetworkAdapters/NIC.1/Ports/1");
    let nic = "eno1".to_owned();
    client
        .bmc
        .apply(AdminAction::SetLink { nic, up: false })
        .expect("a NIC");
    let unplugged = client.get(&port).await.body;
    assert_eq!(unplugged["LinkStatus"], "LinkDown");
    assert_eq!(unplugged["Ethernet"].get("LLDPReceive"), None);
}

#[tokio::test(start_paused = true)]
async fn a_function_says_how_to_boot_over_it() {
    let run = Run::new(FLEET);
    let client = run.client("generic");
    run.world.serve(
        "http://boot.example/script",
        "#!ipxe\nkernel http://boot.example/kernel quiet\nboot\n",
    );
    let functions = format!("{CHASSIS}/NetworkAdapters/NIC.1/NetworkDeviceFunctions");
    let change = |mode: &str, uri: &str| json!({ "BootMode": mode, "HTTPBoot": { "BootMediaURI": uri } });
    let (first, second) = (format!("{functions}/eno1"), format!("{functions}/eno2"));
    for (body, message) in [
        (change("iSCSI", ""), "PropertyValueNotInList"),
        (change("HTTP", "tftp://boot.example/script"), "PropertyValueError"),
        (json!({ "Ethernet": {} }), "PropertyNotWritable"),
    ] {
        assert_eq!(client.patch(&first, body).await.messages(), [message]);
    }
    assert_eq!(
        client.patch(&first, json!({ "BootMode": "Disabled" })).await.status,
        204
    );
    let booted = change("HTTP", "http://boot.example/script");
    assert_eq!(client.patch(&second, booted).await.status, 204);
    let reset = "/redfish/v1/Systems/1/Actions/ComputerSystem.Reset";
    client.post(reset, json!({ "ResetType": "On" })).await;
    tokio::time::sleep(Duration::from_secs(180)).await;
    let execution = serde_json::to_value(client.bmc.inspect().execution).expect("JSON");
    assert_eq!(execution, json!({ "state": "Guest", "source": "network:eno2" }));
    assert_eq!(run.world.urls(), ["http://boot.example/script"]);
}

/// What the system has lists what its chassis has.
#[tokio::test(start_paused = true)]
async fn devices_of_the_system_are_those_of_the_chassis() {
    let run = Run::new(crate::conformance::FLEET);
    for name in crate::conformance::personalities() {
        let client = run.client(&name);
        let documents = crate::conformance::walk(&client).await;
        let count = |kind: &str| {
            let of_kind = |document: &&Value| {
                document["@odata.type"]
                    .as_str()
                    .is_some_and(|name| name.starts_with(kind))
            };
            documents.values().filter(of_kind).count()
        };
        let system = documents.values().find(|document| document["SystemType"] == "Physical");
        let listed = system.expect("a system")["PCIeDevices"].as_array().map_or(0, Vec::len);
        assert_eq!(listed, count("#PCIeDevice."), "{name}");
        assert_eq!(count("#NetworkInterface."), count("#NetworkAdapter."), "{name}");
    }
}
