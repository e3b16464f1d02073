//! Real sockets: one address and one certificate per BMC.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use bmc_emulator::serve::{Listen, ServeError, ServeOptions, Served, serve_admin, serve_fleet};
use bmc_emulator::{Boot, Edges, Fault, Fleet, FleetSpec, GuestExit, GuestOs, HttpAction, HttpService, When};
use futures::future::BoxFuture;
use serde_json::Value;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

struct NoGuest;

impl GuestOs for NoGuest {
    fn boot(&self, _: Boot) -> BoxFuture<'static, GuestExit> {
        Box::pin(std::future::pending())
    }
}

fn fleet(yaml: &str) -> Fleet {
    let http = HttpService::new(tower::service_fn(async |_| Err("there is no network".into())));
    let edges = Edges {
        clock: Arc::new(|| jiff::Timestamp::UNIX_EPOCH),
        http,
        guest: Arc::new(NoGuest),
        seed: 1,
        time_scale: 1.0,
    };
    Fleet::new(&FleetSpec::from_yaml(yaml, "fleet.yaml").expect("valid"), edges).expect("consistent")
}

fn client(ca_pem: &str) -> reqwest::Client {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let ca = reqwest::Certificate::from_pem(ca_pem.as_bytes()).expect("a certificate");
    reqwest::Client::builder()
        .tls_certs_only([ca])
        .build()
        .expect("a client")
}

#[tokio::test]
async fn the_tree_over_tls() {
    let fleet = fleet("machines: [{ name: node, count: 2, bmc: { port: 0, address: '127.9.7.1{index}' } }]");
    let stop = CancellationToken::new();
    let mut tasks = JoinSet::new();
    let served = serve_fleet(&fleet, ServeOptions::default(), &stop, &mut tasks, |_| ()).expect("free addresses");
    let client = client(&served.ca_pem);
    assert_ne!(served.bmcs[0].address.ip(), served.bmcs[1].address.ip());
    for bmc in &served.bmcs {
        let mut open = BTreeSet::from(["/redfish/v1".to_owned()]);
        let mut done = BTreeSet::new();
        while let Some(path) = open.pop_first() {
            let request = client
                .get(format!("https://{}{path}", bmc.address))
                .basic_auth("admin", Some("password"));
            let response = request.send().await.expect("an answer");
            assert_eq!(response.status(), 200, "{path}");
            let body: Value = serde_json::from_slice(&response.bytes().await.expect("a body")).expect("JSON");
            done.insert(path);
            links(&body, &mut open);
            open.retain(|path| !done.contains(path));
        }
        assert!(done.len() > 30, "only {done:?}");
    }

    let bmc = fleet.bmc("node-0").expect("it exists");
    let url = format!("https://{}/redfish/v1", served.bmcs[0].address);
    bmc.inject(Fault::Http {
        method: None,
        path: "**".to_owned(),
        action: HttpAction::Drop { processed: false },
        remaining: Some(1),
        when: When::default(),
    })
    .expect("valid");
    assert!(
        client.post(&url).send().await.is_err(),
        "a dropped connection has no answer"
    );
    assert!(client.get(&url).send().await.is_ok());
    bmc.inject(Fault::BmcUnreachable { duration: None }).expect("valid");
    assert!(client.get(&url).timeout(Duration::from_secs(5)).send().await.is_err());
    bmc.clear_faults();
    assert!(client.get(&url).send().await.is_ok());

    let local = "127.0.0.1:0".parse().expect("an address");
    let admin = serve_admin(&fleet, "s3cret", local, ServeOptions::default(), &stop, &mut tasks).expect("free");
    let machines = client
        .get(format!("http://{admin}/machines"))
        .bearer_auth("s3cret")
        .send()
        .await
        .expect("an answer");
    assert_eq!(machines.status(), 200);
    stop.cancel();
    while tasks.join_next().await.is_some() {}
    assert!(client.get(&url).send().await.is_err(), "nothing listens any more");
}

#[tokio::test]
async fn nothing_listens_where_others_could_reach_it() {
    let fleet = fleet("machines: [{ name: node, bmc: { address: 0.0.0.0, port: 0 } }]");
    let mut tasks = JoinSet::new();
    let refused = serve_fleet(
        &fleet,
        ServeOptions::default(),
        &CancellationToken::new(),
        &mut tasks,
        |_| (),
    );
    assert!(matches!(refused, Err(ServeError::NotLoopback { .. })));
    assert!(tasks.is_empty());
}

fn links(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(object) => {
            if let Some(uri) = object.get("@odata.id").and_then(Value::as_str) {
                found.insert(uri.trim_end_matches('/').to_owned());
            }
            object.values().for_each(|value| links(value, found));
        }
        Value::Array(values) => values.iter().for_each(|value| links(value, found)),
        _ => {}
    }
}

/// A BMC with its request and answer, over TLS that trusts `ca_pem` only.
async fn call(url: &str, ca_pem: &str, body: Option<Value>) -> Option<(u16, Value)> {
    let client = client(ca_pem);
    let request = match body {
        Some(body) => client.post(url).body(body.to_string()),
        None => client.get(url),
    };
    let response = request.basic_auth("admin", Some("password")).send().await.ok()?;
    let status = response.status().as_u16();
    Some((
        status,
        serde_json::from_slice(&response.bytes().await.ok()?).unwrap_or_default(),
    ))
}

#[tokio::test]
async fn a_certificate_is_replaced() {
    let fleet = fleet("machines: [{ name: node, bmc: { port: 0, address: '127.9.7.31' } }]");
    let (stop, mut tasks) = (CancellationToken::new(), JoinSet::new());
    let served = serve_fleet(&fleet, ServeOptions::default(), &stop, &mut tasks, |_| ()).expect("free");
    let base = format!("https://{}", served.bmcs[0].address);
    let service = format!("{base}/redfish/v1/CertificateService/Actions/CertificateService.");
    let collection = "/redfish/v1/Managers/BMC/NetworkProtocol/HTTPS/Certificates";
    let certificate = format!("{base}{collection}/1");
    let (_, document) = call(&certificate, &served.ca_pem, None).await.expect("an answer");
    assert_eq!(document["Issuer"]["CommonName"], "bmc-emulator CA");
    assert!(!document["CertificateString"].as_str().expect("PEM").contains("PRIVATE"));

    let wanted = serde_json::json!({
        "CommonName": "127.9.7.31", "Organization": "Contoso", "OrganizationalUnit": "Racks", "City": "Oslo",
        "State": "Oslo", "Country": "NO", "AlternativeNames": ["127.9.7.31"],
        "CertificateCollection": { "@odata.id": collection },
    });
    let (status, answer) = call(&format!("{service}GenerateCSR"), &served.ca_pem, Some(wanted))
        .await
        .expect("an answer");
    assert_eq!(status, 200, "{answer}");
    let request = answer["CSRString"].as_str().expect("PEM");

    let mut authority = rcgen::CertificateParams::default();
    authority.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let key = rcgen::KeyPair::generate().expect("a key");
    let own_ca = authority.self_signed(&key).expect("a certificate").pem();
    let issuer = rcgen::Issuer::new(authority, key);
    let replacement = |pem: String| {
        serde_json::json!({
            "CertificateString": pem, "CertificateType": "PEM", "CertificateUri": { "@odata.id": format!("{collection}/1") },
        })
    };
    let replace = format!("{service}ReplaceCertificate");
    let foreign = rcgen::KeyPair::generate().expect("a key");
    let foreign = rcgen::CertificateParams::default()
        .signed_by(&foreign, &issuer)
        .expect("signed")
        .pem();
    for wrong in [foreign, "no certificate".to_owned()] {
        let (status, _) = call(&replace, &served.ca_pem, Some(replacement(wrong)))
            .await
            .expect("an answer");
        assert_eq!(status, 400);
    }

    let signed = rcgen::CertificateSigningRequestParams::from_pem(request).expect("a request");
    let signed = signed.signed_by(&issuer).expect("signed").pem();
    let (status, answer) = call(&replace, &served.ca_pem, Some(replacement(signed)))
        .await
        .expect("an answer");
    assert_eq!(status, 204, "{answer}");
    assert_eq!(
        call(&certificate, &served.ca_pem, None).await,
        None,
        "the old authority has nothing to say any more"
    );
    let (_, document) = call(&certificate, &own_ca, None).await.expect("an answer");
    assert_eq!(document["Subject"]["Organization"], "Contoso");
    stop.cancel();
    while tasks.join_next().await.is_some() {}
}

#[tokio::test]
async fn http_2_is_spoken_where_it_is_offered() {
    let fleet = fleet(
        "machines: [{ name: openbmc, personality: openbmc, bmc: { port: 0, address: 127.9.9.1 } }, { name: dell, personality: dell, bmc: { port: 0, address: 127.9.9.2 } }]",
    );
    let stop = CancellationToken::new();
    let mut tasks = JoinSet::new();
    let served = served(&fleet, Listen::Each, &stop, &mut tasks);
    let client = client(&served.ca_pem);
    for (bmc, version) in served.bmcs.iter().zip([http::Version::HTTP_2, http::Version::HTTP_11]) {
        let response = client
            .get(format!("{}/redfish/v1", bmc.url))
            .send()
            .await
            .expect("an answer");
        assert_eq!(response.version(), version, "{}", bmc.name);
        let root: Value = serde_json::from_slice(&response.bytes().await.expect("a body")).expect("JSON");
        assert_eq!(root["Id"], "RootService");
    }
    stop.cancel();
    while tasks.join_next().await.is_some() {}
}

/// Serves a fleet as `listen` says, and returns what clients trust and where BMCs are.
fn served(fleet: &Fleet, listen: Listen, stop: &CancellationToken, tasks: &mut JoinSet<()>) -> Served {
    let options = ServeOptions {
        listen,
        ..ServeOptions::default()
    };
    serve_fleet(fleet, options, stop, tasks, |_| ()).expect("free addresses")
}

#[tokio::test]
async fn one_port_for_all_bmcs() {
    let fleet = fleet("machines: [{ name: node, count: 3 }]");
    let (stop, mut tasks) = (CancellationToken::new(), JoinSet::new());
    let local = "127.9.8.1:0".parse().expect("an address");
    let served = served(&fleet, Listen::One(local), &stop, &mut tasks);
    let address = served.bmcs[0].address;
    assert_eq!(
        served.bmcs[2].url,
        format!("https://node-2.localhost:{}", address.port())
    );
    let _ = rustls::crypto::ring::default_provider().install_default();
    let ca = reqwest::Certificate::from_pem(served.ca_pem.as_bytes()).expect("a certificate");
    let names = [
        "node-0.localhost",
        "node-1.localhost",
        "node-2.localhost",
        "node-9.localhost",
    ];
    let builder = reqwest::Client::builder().tls_certs_only([ca]);
    let builder = names
        .into_iter()
        .fold(builder, |builder, name| builder.resolve(name, address));
    let client = builder.build().expect("a client");
    let uuid = async |url: String, host: Option<&str>| {
        let mut request = client
            .get(format!("{url}/redfish/v1/Systems/1"))
            .basic_auth("admin", Some("password"));
        if let Some(host) = host {
            request = request.header("host", host);
        }
        let response = request.send().await.ok()?;
        let status = response.status().as_u16();
        let body: Value = serde_json::from_slice(&response.bytes().await.ok()?).unwrap_or_default();
        Some((status, body["UUID"].as_str().unwrap_or_default().to_owned()))
    };
    for bmc in fleet.bmcs() {
        let expected = Some((200, bmc.system_uuid().to_string()));
        let named = format!("https://{}.localhost:{}", bmc.name(), address.port());
        assert_eq!(uuid(named, None).await, expected);
        assert_eq!(
            uuid(format!("https://{address}"), Some(bmc.name())).await,
            expected,
            "by Host alone"
        );
    }
    let first = format!("https://node-0.localhost:{}", address.port());
    assert_eq!(
        uuid(first, Some("node-1")).await,
        Some((421, String::new())),
        "one certificate, another BMC"
    );
    assert_eq!(
        uuid(format!("https://{address}"), None).await,
        Some((421, String::new())),
        "nobody is named"
    );
    let nobody = format!("https://node-9.localhost:{}", address.port());
    assert_eq!(uuid(nobody, None).await, None, "there is no such BMC");

    let second = fleet.bmc("node-1").expect("it exists");
    second.inject(Fault::BmcUnreachable { duration: None }).expect("valid");
    let url = format!("https://node-1.localhost:{}", address.port());
    assert_eq!(uuid(url, None).await, None, "it does not answer, the others do");
    stop.cancel();
    while tasks.join_next().await.is_some() {}
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn one_socket_for_all_addresses() {
    let fleet = fleet("machines: [{ name: node, count: 300, bmc: { port: 28443 } }]\nfirstAddress: 127.77.0.1");
    let (stop, mut tasks) = (CancellationToken::new(), JoinSet::new());
    let served = served(&fleet, Listen::Loopback, &stop, &mut tasks);
    assert_eq!(tasks.len(), 1, "one listener");
    for index in [0, 299] {
        let (bmc, served_bmc) = (&fleet.bmcs()[index], &served.bmcs[index]);
        let url = format!("{}/redfish/v1/Systems/1", served_bmc.url);
        let (status, body) = call(&url, &served.ca_pem, None).await.expect("an answer");
        assert_eq!(
            (status, body["UUID"].as_str()),
            (200, Some(bmc.system_uuid().to_string().as_str()))
        );
    }
    let nobody = "https://127.77.9.9:28443/redfish/v1";
    assert_eq!(call(nobody, &served.ca_pem, None).await, None);
    stop.cancel();
    while tasks.join_next().await.is_some() {}
}

#[tokio::test]
async fn certificates_and_bodies_go_wrong_on_the_wire() {
    let fleet = fleet("machines: [{ name: node, bmc: { port: 0, address: '127.9.7.41' } }]");
    let (stop, mut tasks) = (CancellationToken::new(), JoinSet::new());
    let served = served(&fleet, Listen::Each, &stop, &mut tasks);
    let (bmc, url) = (
        fleet.bmc("node").expect("it exists"),
        format!("{}/redfish/v1", served.bmcs[0].url),
    );
    for (fault, said) in [
        (Fault::CertificateExpired { duration: None }, "expired"),
        (Fault::CertificateWrongName { duration: None }, "not valid for name"),
    ] {
        bmc.inject(fault).expect("valid");
        let error = client(&served.ca_pem)
            .get(&url)
            .send()
            .await
            .expect_err("not to be trusted");
        let text = format!("{error:?}").to_lowercase();
        assert!(text.contains(said) || text.contains("notvalidforname"), "{text}");
        bmc.clear_faults();
        assert!(client(&served.ca_pem).get(&url).send().await.is_ok());
    }
    let body = |action| Fault::Http {
        method: None,
        path: "**".to_owned(),
        action,
        remaining: Some(1),
        when: When::default(),
    };
    bmc.inject(body(HttpAction::TruncatedBody)).expect("valid");
    let response = client(&served.ca_pem).get(&url).send().await.expect("it begins");
    assert_eq!(response.status(), 200);
    assert!(response.bytes().await.is_err(), "and breaks off");
    bmc.inject(body(HttpAction::InvalidJson)).expect("valid");
    let response = client(&served.ca_pem).get(&url).send().await.expect("an answer");
    let bytes = response.bytes().await.expect("complete, as far as HTTP knows");
    assert!(serde_json::from_slice::<Value>(&bytes).is_err());
    stop.cancel();
    while tasks.join_next().await.is_some() {}
}
