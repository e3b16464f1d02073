//! Discovery: BMCs are found, and say that they are there.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use bmc_emulator::serve::{ServeOptions, serve_fleet, serve_ssdp};
use bmc_emulator::ssdp::{self, Discoverable, GROUP};
use bmc_emulator::{Fault, Fleet, FleetSpec};
use bytes::Bytes;
use serde_json::json;
use tokio::net::UdpSocket;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::support::{Run, World, edges};

const SEARCH: &str = "M-SEARCH * HTTP/1.1\r\nHOST: 239.255.255.250:1900\r\nMAN: \"ssdp:discover\"\r\nMX: 3\r\n\
                      ST: urn:dmtf-org:service:redfish-rest:1\r\n\r\n";

fn text(datagram: &[u8]) -> String {
    String::from_utf8_lossy(datagram).into_owned()
}

#[tokio::test(start_paused = true)]
async fn bmcs_are_found() {
    let run = Run::new("machines: [{ name: node, count: 2 }]");
    let (arrives, arriving) = mpsc::channel(8);
    let (leaves, mut leaving) = mpsc::channel(8);
    let stop = CancellationToken::new();
    let bmcs = run.fleet.bmcs().into_iter().map(|bmc| Discoverable {
        url: format!("https://{}.example", bmc.name()),
        bmc,
    });
    let mut tasks = JoinSet::new();
    tasks.spawn(ssdp::run(bmcs.collect(), 1, arriving, leaves, stop.clone()));

    for name in ["node-0", "node-1"] {
        let (datagram, to): (Bytes, SocketAddr) = leaving.recv().await.expect("an announcement");
        assert_eq!(to, GROUP);
        let text = text(&datagram);
        assert!(text.contains("NTS: ssdp:alive") && text.contains(&format!("AL: https://{name}.example/redfish/v1/")));
    }
    let client = run.client("node-0");
    let root = client.get("/redfish/v1").await.body;
    let protocol = "/redfish/v1/Managers/BMC/NetworkProtocol";
    assert_eq!(client.get(protocol).await.body["SSDP"]["ProtocolEnabled"], true);

    let me: SocketAddr = "192.0.2.1:40000".parse().expect("an address");
    let search = async |expected: usize| {
        arrives
            .send((Bytes::from_static(SEARCH.as_bytes()), me))
            .await
            .expect("it listens");
        let start = tokio::time::Instant::now();
        let mut found = Vec::new();
        while let Ok(Some((datagram, to))) = tokio::time::timeout(Duration::from_secs(4), leaving.recv()).await {
            assert_eq!(to, me);
            assert!(start.elapsed() < Duration::from_secs(4), "within MX");
            found.push(text(&datagram));
        }
        assert_eq!(found.len(), expected, "{found:?}");
        found
    };
    let mut search = search;
    let found = search(2).await;
    let usn = format!(
        "USN: uuid:{}::urn:dmtf-org:service:redfish-rest:1",
        root["UUID"].as_str().expect("text")
    );
    assert!(found.iter().any(|text| text.contains(&usn)), "{usn} in {found:?}");

    run.bmc("node-1")
        .inject(Fault::BmcUnreachable { duration: None })
        .expect("valid");
    search(1).await;
    let off = client
        .patch(protocol, json!({ "SSDP": { "ProtocolEnabled": false } }))
        .await;
    assert_eq!(off.status, 200, "{}", off.text);
    search(0).await;
    let wrong = client
        .patch(protocol, json!({ "SSDP": { "ProtocolEnabled": "no" } }))
        .await;
    assert_eq!(wrong.status, 400);

    run.bmc("node-1").clear_faults();
    stop.cancel();
    let (datagram, _) = leaving.recv().await.expect("a farewell");
    assert!(text(&datagram).contains("NTS: ssdp:byebye"));
    assert!(leaving.recv().await.is_none());
}

#[tokio::test(start_paused = true)]
async fn without_discovery_it_is_off_for_good() {
    let client = Run::new("machines: [{ name: node }]").client("node");
    let protocol = "/redfish/v1/Managers/BMC/NetworkProtocol";
    assert_eq!(client.get(protocol).await.body["SSDP"]["ProtocolEnabled"], false);
    let on = client
        .patch(protocol, json!({ "SSDP": { "ProtocolEnabled": true } }))
        .await;
    assert_eq!(on.messages(), ["PropertyNotWritable"]);
}

#[tokio::test]
async fn over_the_loopback_device() {
    let spec = FleetSpec::from_yaml(
        "machines: [{ name: node, bmc: { port: 0, address: '127.9.9.1' } }]",
        "fleet.yaml",
    );
    let fleet = Fleet::new(&spec.expect("valid"), edges(&World::default())).expect("consistent");
    let (stop, mut tasks) = (CancellationToken::new(), JoinSet::new());
    let options = ServeOptions::default();
    let served = serve_fleet(&fleet, options, &stop, &mut tasks, |_| ()).expect("a free address");
    let everywhere = serve_ssdp(&fleet, &served, Ipv4Addr::UNSPECIFIED, options, &stop, &mut tasks);
    assert!(everywhere.is_err(), "not where others could hear it");
    serve_ssdp(&fleet, &served, Ipv4Addr::LOCALHOST, options, &stop, &mut tasks).expect("sockets");
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a socket");
    socket.send_to(SEARCH.as_bytes(), GROUP).await.expect("sent");
    let mut buffer = [0; 2048];
    let heard = tokio::time::timeout(Duration::from_secs(10), socket.recv_from(&mut buffer)).await;
    let (length, _) = heard.expect("an answer").expect("received");
    let answer = text(&buffer[..length]);
    assert!(
        answer.contains(&format!("AL: {}/redfish/v1/", served.bmcs[0].url)),
        "{answer}"
    );
    stop.cancel();
    while tasks.join_next().await.is_some() {}
}
