//! Wire format: snapshots of everything written, and of what other agents may send.

use proptest::prelude::*;

use super::*;

fn registration() -> Registration {
    Registration {
        system_uuid: "4c4c4544-0051-3510-8052-b6c04f4a4d32".to_owned(),
        data: RegistrationData {
            timestamp: Some("2030-01-02T03:04:05.678Z".parse().expect("a timestamp")),
            system_info: SystemInfo {
                bios_information: BiosInformation {
                    vendor: "Dell Inc.".into(),
                    version: "2.1.5".into(),
                    date: "01/02/2024".into(),
                },
                system_information: SystemInformation {
                    manufacturer: "Dell Inc.".into(),
                    product_name: "PowerEdge R660".into(),
                    serial_number: "Q5RJM2".into(),
                    uuid: "4c4c4544-0051-3510-8052-b6c04f4a4d32".into(),
                    ..SystemInformation::default()
                },
                board_information: BoardInformation {
                    product: "0W23H8".into(),
                    ..BoardInformation::default()
                },
            },
            cpu: vec![CpuInfo {
                id: 0,
                total_cores: 32,
                total_hardware_threads: 64,
                vendor: "GenuineIntel".into(),
                model: "Intel(R) Xeon(R) Gold 6430".into(),
                capabilities: vec!["fpu".into(), "vme".into()],
            }],
            network_interfaces: vec![
                NetworkInterface {
                    name: "eno1".into(),
                    ip_addresses: vec!["10.0.0.1".into(), "fe80::1".into()],
                    mac_address: "00:00:5e:00:53:01".into(),
                    carrier_status: Some(CarrierStatus::Up),
                    ..NetworkInterface::default()
                },
                NetworkInterface {
                    name: "eno2".into(),
                    mac_address: "00:00:5e:00:53:02".into(),
                    carrier_status: Some(CarrierStatus::Down),
                    ..NetworkInterface::default()
                },
            ],
            lldp: vec![LldpInterface {
                name: "eno1".into(),
                neighbors: vec![LldpNeighbor {
                    chassis_id: "00:00:5e:00:53:ff".into(),
                    port_id: "Ethernet1/7".into(),
                    port_description: "server 7".into(),
                    system_name: "leaf1".into(),
                    system_description: "switch".into(),
                    mgmt_ip: "10.0.0.254".into(),
                    capabilities: vec!["Bridge".into()],
                    vlan_id: "100".into(),
                }],
            }],
            storage: vec![BlockDevice {
                path: "/sys/devices/pci0000:00/nvme/nvme0/nvme0n1".into(),
                name: "nvme0n1".into(),
                model: "PM9A3".into(),
                serial: "S1".into(),
                wwid: "eui.01".into(),
                physical_block_size: 4096,
                logical_block_size: 512,
                hw_sector_size: 512,
                size_bytes: 1_920_383_410_176,
                ..BlockDevice::default()
            }],
            memory: vec![MemoryDevice {
                size_bytes: 34_359_738_368,
                device_locator: "A1".into(),
                memory_type: "DDR5".into(),
                speed: "4800 MT/s".into(),
                ..MemoryDevice::default()
            }],
            nics: vec![Nic {
                name: "eno1".into(),
                mac: "00:00:5e:00:53:01".into(),
                pci_address: "0000:04:00.0".into(),
                speed: "25000Mb/s".into(),
                ..Nic::default()
            }],
            pci_devices: vec![PciDevice {
                address: "0000:04:00.0".into(),
                vendor_id: "15b3".into(),
                product_id: "101f".into(),
                numa_node_id: -1,
                ..PciDevice::default()
            }],
        },
    }
}

#[test]
fn registration_json() {
    insta::assert_json_snapshot!(registration());
}

#[test]
fn empty_registration_json() {
    let empty = Registration {
        system_uuid: "u".to_owned(),
        data: RegistrationData::default(),
    };
    insta::assert_json_snapshot!(empty);
}

#[test]
fn cleanup_json() {
    let drive = |name: &str, method, state, message: &str| DriveReport {
        name: name.into(),
        serial_number: "S1".into(),
        wwid: "eui.01".into(),
        size_bytes: 512,
        method,
        state,
        message: message.into(),
    };
    insta::assert_json_snapshot!(CleanupReport {
        system_uuid: "u".into(),
        state: CleanupState::Failed,
        message: "3 of 6 drives erased, 1 failed".into(),
        drives: vec![
            drive("/dev/nvme0n1", Some(EraseMethod::NVMeFormat), DriveState::Erased, ""),
            drive("/dev/sda", Some(EraseMethod::BlockDiscard), DriveState::Erased, ""),
            drive("/dev/sdb", Some(EraseMethod::Overwrite), DriveState::Erased, ""),
            drive("/dev/sdc", None, DriveState::Failed, "read-only"),
            drive("/dev/sdd", None, DriveState::Erasing, ""),
            drive("/dev/sde", None, DriveState::Pending, ""),
        ],
    });
}

#[test]
fn what_other_agents_send_is_understood() {
    for body in [
        r#"{"systemUUID":"u","data":{}}"#,
        r#"{"systemUUID":"u","data":{"timestamp":null,"systemInfo":null,"cpu":null,"networkInterfaces":null,"lldp":null,
            "storage":null,"memory":null,"nics":null,"pciDevices":null}}"#,
        r#"{"systemUUID":"u","data":{"networkInterfaces":[{"name":"e","ipAddress":"10.0.0.1","ipAddresses":null,
            "macAddress":"m","carrierStatus":"up"}],"lldp":[{"name":"e","neighbors":null}],"cpu":[{"capabilities":null}],
            "nics":[{"linkModes":null,"supportedPorts":null}],"somethingNew":1}}"#,
        r#"{"systemUUID":"u","data":{"timestamp":"2026-01-01T10:00:00+02:00"}}"#,
    ] {
        let parsed: Registration = serde_json::from_str(body).expect(body);
        assert_eq!(parsed.system_uuid, "u");
    }
}

proptest! {
    #[test]
    fn registrations_survive_the_wire(
        seconds in 0_i64..4_102_444_800,
        text in ".{0,20}",
        addresses in proptest::collection::vec("[0-9a-f:.]{1,20}", 0..4),
        size in any::<u64>(),
        node in any::<i32>(),
        up in any::<bool>(),
    ) {
        let mut original = registration();
        original.data.timestamp = Some(jiff::Timestamp::from_second(seconds).expect("in range"));
        original.data.system_info.system_information.family = text.clone();
        original.data.lldp[0].neighbors[0].system_description = text;
        original.data.network_interfaces[0].ip_addresses = addresses;
        original.data.network_interfaces[0].carrier_status = up.then_some(CarrierStatus::Up);
        original.data.storage[0].size_bytes = size;
        original.data.pci_devices[0].numa_node_id = node;
        let wire = serde_json::to_string(&original).expect("encodes");
        prop_assert_eq!(serde_json::from_str::<Registration>(&wire).expect("decodes"), original);
    }
}
