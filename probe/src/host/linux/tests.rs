//! A host made of files.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::sync::{Arc, Mutex};

use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::command_line::{self, Command};
use crate::edges::{BoxError, HttpService};
use crate::model::CleanupState;
use crate::wipe;

/// A machine with two disks, a CD drive, a loop device and two network adapters.
struct Fixture {
    root: TempDir,
}

impl Fixture {
    fn new() -> Self {
        let fixture = Self {
            root: TempDir::new().expect("a directory"),
        };
        fixture.network();
        fixture.drives();
        for (path, content) in [
            ("sys/class/dmi/id/sys_vendor", "Dell Inc.\n"),
            (
                "sys/class/dmi/id/product_uuid",
                "4c4c4544-0051-3510-8052-b6c04f4a4d32\n",
            ),
            ("sys/class/dmi/id/board_name", "0W23H8\n"),
            ("sys/class/dmi/id/bios_version", "2.1.5\n"),
            (
                "proc/cpuinfo",
                "processor\t: 0\nvendor_id\t: AuthenticAMD\nmodel name\t: EPYC\nflags\t: fpu\n",
            ),
            ("proc/meminfo", "MemTotal:       1024 kB\n"),
            ("proc/self/mountinfo", "22 1 0:21 / / rw shared:1 - tmpfs tmpfs rw\n"),
            (
                "usr/share/misc/pci.ids",
                "# comment\n15b3  Mellanox\n\t101f  ConnectX-6 Lx\n\t\t15b3 0001  Card\nC 02  Net\n",
            ),
        ] {
            fixture.write(path, content);
        }
        fixture
    }

    fn network(&self) {
        let pci = "sys/devices/pci0000:00/0000:04:00.0";
        self.write(&format!("{pci}/vendor"), "0x15b3\n");
        self.write(&format!("{pci}/device"), "0x101f\n");
        self.write(&format!("{pci}/numa_node"), "1\n");
        self.link("sys/bus/pci/devices/0000:04:00.0", pci);
        for (name, mac, kind, carrier, speed) in [
            ("eno1", "00:00:5e:00:53:01", "1", "1", "25000"),
            ("eno2", "00:00:5e:00:53:02", "1", "0", "-1"),
            ("lo", "00:00:00:00:00:00", "772", "1", ""),
            ("tun0", "", "65534", "1", ""),
            ("docker0", "02:42:00:00:00:00", "1", "0", ""),
        ] {
            let directory = format!("sys/class/net/{name}");
            for (file, content) in [("address", mac), ("type", kind), ("carrier", carrier), ("speed", speed)] {
                self.write(&format!("{directory}/{file}"), &format!("{content}\n"));
            }
        }
        self.link("sys/class/net/eno1/device", &format!("{pci}/virtio0"));
        self.link("sys/class/net/eno2/device", "sys/devices/platform/soc");
        self.write("sys/class/net/bonding_masters", "\n");
    }

    fn drives(&self) {
        self.drive("nvme0n1", 3 << 20);
        self.write("sys/block/nvme0n1/device/serial", "S1 \n");
        self.write("sys/block/nvme0n1/device/model", "PM9A3 \n");
        self.write("sys/block/nvme0n1/wwid", "eui.01\n");
        self.write("sys/block/nvme0n1/nvme0n1p1/partition", "1\n");
        self.write("sys/block/nvme0n1/nvme0n1p1/dev", "259:1\n");
        self.drive("sda", 9 << 20);
        self.write("sys/block/sda/queue/rotational", "1\n");
        self.write("sys/block/sda/device/wwid", "naa.02\n");
        self.write_bytes("sys/block/sda/device/vpd_pg80", b"\0\x80\0\x04ABCD");
        self.drive("sr0", 1 << 20);
        self.write("sys/block/sr0/device/type", "5\n");
        self.write("sys/block/loop0/size", "8\n");
        self.drive("sdempty", 0);
    }

    fn drive(&self, name: &str, bytes: u64) {
        self.write(&format!("sys/block/{name}/size"), &format!("{}\n", bytes / 512));
        self.write(&format!("sys/block/{name}/device/numa_node"), "-1\n");
        self.write(&format!("sys/block/{name}/dev"), &format!("{name}:0\n"));
        let content: Vec<u8> = (0..bytes).map(|index| (index % 251 + 1) as u8).collect();
        self.write_bytes(&format!("dev/{name}"), &content);
    }

    fn write(&self, path: &str, content: &str) {
        self.write_bytes(path, content.as_bytes());
    }

    fn write_bytes(&self, path: &str, content: &[u8]) {
        let path = self.root.path().join(path);
        fs::create_dir_all(path.parent().expect("a parent")).expect("created");
        fs::write(path, content).expect("written");
    }

    fn link(&self, path: &str, target: &str) {
        let (path, target) = (self.root.path().join(path), self.root.path().join(target));
        fs::create_dir_all(&target).expect("created");
        fs::create_dir_all(path.parent().expect("a parent")).expect("created");
        symlink(target, path).expect("linked");
    }

    fn host(&self) -> LinuxHost {
        let addresses = || {
            let all = |texts: &[&str]| texts.iter().map(|text| text.parse().expect("an address")).collect();
            Ok(BTreeMap::from([
                ("eno1".to_owned(), all(&["10.0.0.1", "fd00::1", "fe80::1"])),
                ("lo".to_owned(), all(&["127.0.0.1", "::1"])),
            ]))
        };
        LinuxHost::at(self.root.path(), Arc::new(addresses), "/nonexistent/lldpctl")
    }

    fn content(&self, drive: &str) -> Vec<u8> {
        fs::read(self.root.path().join("dev").join(drive)).expect("readable")
    }

    fn is_blank(&self, drive: &str) -> bool {
        self.content(drive).iter().all(|byte| *byte == 0)
    }
}

#[tokio::test]
async fn inventory() {
    insta::assert_debug_snapshot!(Fixture::new().host().inventory().await.expect("collected"));
}

#[tokio::test]
async fn only_the_network_is_indispensable() {
    let fixture = Fixture::new();
    for gone in ["proc", "sys/block", "sys/bus", "sys/class/dmi"] {
        fs::remove_dir_all(fixture.root.path().join(gone)).expect("removed");
    }
    let inventory = fixture.host().inventory().await.expect("collected");
    assert_eq!(inventory.network_interfaces.len(), 2);
    assert!(inventory.cpu.is_empty() && inventory.memory.is_empty() && inventory.storage.is_empty());

    fs::remove_dir_all(fixture.root.path().join("sys/class/net")).expect("removed");
    let error = fixture.host().inventory().await.expect_err("no network");
    assert!(error.to_string().contains("network interfaces"), "{error}");
    let error = fixture.host().drives().await.expect_err("an incomplete list is none");
    assert!(error.to_string().contains("block devices"), "{error}");
}

#[tokio::test]
async fn neighbours_come_from_lldpctl() {
    let fixture = Fixture::new();
    let script = "#!/bin/sh\necho '{\"lldp\":{\"interface\":{\"eno1\":{\"port\":{\"descr\":\"'$1 $2'\"}}}}}'\n";
    fixture.write("bin/lldpctl", script);
    let path = fixture.root.path().join("bin/lldpctl");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("executable");
    let host = LinuxHost {
        lldpctl: path,
        ..fixture.host()
    };
    let heard = host.lldp().await.expect("heard");
    assert_eq!(
        (heard[0].name.as_str(), heard[0].neighbors[0].port_description.as_str()),
        ("eno1", "-f json")
    );
    assert!(matches!(
        fixture.host().lldp().await,
        Err(HostError::LldpUnavailable { .. })
    ));
}

#[tokio::test]
async fn drives_are_overwritten_and_read_back() {
    let fixture = Fixture::new();
    let host = fixture.host();
    let drives = host.drives().await.expect("listed");
    let names: Vec<_> = drives.iter().map(|drive| drive.name.as_str()).collect();
    assert_eq!(names, ["/dev/nvme0n1", "/dev/sda"]);
    for drive in &drives {
        let error = host.verify_erased(drive).await.expect_err("full of data");
        assert!(matches!(error, HostError::NotErased { offset: 0, .. }), "{error}");
        assert_eq!(host.erase(drive).await.expect("erased"), EraseMethod::Overwrite);
        host.verify_erased(drive).await.expect("nothing left");
    }
    assert!(fixture.is_blank("nvme0n1") && fixture.is_blank("sda"));

    // One byte near the end, in the third chunk, is found.
    let mut content = fixture.content("sda");
    let offset = content.len() - 2;
    content[offset] = 7;
    fixture.write_bytes("dev/sda", &content);
    let error = host.verify_erased(&drives[1]).await.expect_err("one byte left");
    assert!(
        matches!(error, HostError::NotErased { offset: found, .. } if found == offset as u64),
        "{error}"
    );
}

#[tokio::test]
async fn an_exchanged_drive_is_not_touched() {
    let fixture = Fixture::new();
    let host = fixture.host();
    let drive = host.drives().await.expect("listed").remove(0);
    fixture.write_bytes("dev/nvme0n1", b"another drive");
    let error = host.erase(&drive).await.expect_err("exchanged");
    assert!(error.to_string().contains("the drive was exchanged"), "{error}");
    assert_eq!(fixture.content("nvme0n1"), b"another drive");
}

#[tokio::test]
async fn protected_drives_are_refused_and_keep_their_data() {
    type Setup = fn(&Fixture);
    let cases: [(&str, Setup); 7] = [
        ("is read-only", |fixture| fixture.write("sys/block/nvme0n1/ro", "1\n")),
        ("is removable", |fixture| {
            fixture.write("sys/block/nvme0n1/removable", "1\n")
        }),
        ("mounted on /data", |fixture| {
            fixture.write(
                "proc/self/mountinfo",
                "30 22 259:1 / /data rw shared:2 - xfs /dev/nvme0n1p1 rw\n",
            );
        }),
        ("mounted on /pool", |fixture| {
            fixture.write(
                "proc/self/mountinfo",
                "30 22 0:44 / /pool rw - btrfs /dev/nvme0n1p1 rw\n",
            );
        }),
        ("used as swap", |fixture| {
            fixture.write(
                "proc/swaps",
                "Filename Type Size Used Priority\n/dev/nvme0n1p1 partition 1 0 -2\n",
            );
        }),
        ("part of dm-0", |fixture| {
            fixture.write("sys/block/nvme0n1/nvme0n1p1/holders/dm-0/dev", "")
        }),
        ("what uses /dev/nvme0n1", |fixture| {
            fs::remove_file(fixture.root.path().join("proc/self/mountinfo")).expect("removed");
        }),
    ];
    for (complaint, setup) in cases {
        let fixture = Fixture::new();
        setup(&fixture);
        let host = fixture.host();
        let drives = host.drives().await.expect("listed");
        assert_eq!(drives.len(), 2, "a protected drive is still listed");
        let error = host.erase(&drives[0]).await.expect_err(complaint);
        assert!(error.to_string().contains(complaint), "{complaint}: {error}");
        assert!(!fixture.is_blank("nvme0n1"), "{complaint}");
    }
}

#[tokio::test]
async fn a_whole_wipe_reports_the_drive_it_could_not_touch() {
    let fixture = Fixture::new();
    fixture.write(
        "proc/self/mountinfo",
        "30 22 259:1 / /data rw shared:2 - xfs /dev/nvme0n1p1 rw\n",
    );
    let reports = Arc::new(Mutex::new(Vec::new()));
    let http = {
        let reports = reports.clone();
        HttpService::new(tower::service_fn(move |request: http::Request<bytes::Bytes>| {
            let report: serde_json::Value = serde_json::from_slice(request.body()).expect("JSON");
            reports.lock().expect("not poisoned").push(report);
            async { Ok::<_, BoxError>(http::Response::new(bytes::Bytes::new())) }
        }))
    };
    let line = ["wipe", "--registry-url=http://registry", "--server-uuid=u"];
    let Ok(Command::Wipe(options)) = command_line::parse(line) else {
        panic!("a wipe was asked for")
    };
    let state = wipe::run(&options, Arc::new(fixture.host()), http, CancellationToken::new()).await;
    assert_eq!(state.expect("acknowledged"), CleanupState::Failed);
    assert!(fixture.is_blank("sda") && !fixture.is_blank("nvme0n1"));
    insta::assert_json_snapshot!(reports.lock().expect("not poisoned").last().expect("a report"));
}

#[test]
fn the_kernel_of_this_machine_knows_loopback() {
    let addresses = addresses::of_kernel().expect("readable");
    assert!(addresses.values().flatten().any(IpAddr::is_loopback), "{addresses:?}");
}

#[test]
fn missing_files_are_empty() {
    let nowhere = Path::new("/nonexistent");
    assert_eq!(
        (files::text(nowhere), files::number::<u8>(nowhere), files::flag(nowhere)),
        (String::new(), None, false)
    );
    assert_eq!(files::entries(nowhere).expect("no entries"), []);
}
