//! The metadata service over HTTP, on a socket: a machine is known by the address that it asks from.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::body::Body;
use axum::http::{Request, Response};
use operator::metaldata::Metaldata;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

const FLAVOR: (&str, &str) = ("Metadata-Flavor", "IronCore Metal");

/// Objects by path; lists of Servers, and a watch on which nothing happens.
type Objects = Arc<Mutex<BTreeMap<String, Value>>>;

fn client(objects: &Objects) -> kube::Client {
    let objects = objects.clone();
    let serve = move |request: Request<kube::client::Body>| {
        let objects = objects.clone();
        async move {
            let (path, query) = (
                request.uri().path().to_owned(),
                request.uri().query().unwrap_or_default(),
            );
            if query.contains("watch=true") {
                let silence = futures::stream::pending::<Result<bytes::Bytes, std::io::Error>>();
                return Ok::<_, std::convert::Infallible>(Response::new(Body::from_stream(silence)));
            }
            let objects = objects.lock().expect("objects");
            let (code, answer) = match objects.get(&path) {
                Some(object) => (200, object.clone()),
                None => {
                    let status = json!({ "kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "NotFound", "code": 404, "message": "" });
                    (404, status)
                }
            };
            let response = Response::builder().status(code).body(Body::from(answer.to_string()));
            Ok(response.expect("a response"))
        }
    };
    kube::Client::new(tower::service_fn(serve), "default")
}

const SERVERS: &str = "/apis/metal.ironcore.dev/v1alpha1/servers";
const SECRET: &str = "/api/v1/namespaces/tenants/secrets/hello";

fn world(ip: &str) -> Objects {
    let server = json!({
        "apiVersion": "metal.ironcore.dev/v1alpha1", "kind": "Server",
        "metadata": { "name": "node-system-0", "resourceVersion": "1", "labels": { "metadata.metal.ironcore.dev/rack": "7" } },
        "spec": { "systemUUID": "u", "serverClaimRef": { "namespace": "tenants", "name": "web", "uid": "uid-1" } },
        "status": { "networkInterfaces": [{ "name": "eth0", "macAddress": "m", "ips": [ip] }] },
    });
    let claim = json!({
        "apiVersion": "metal.ironcore.dev/v1alpha1", "kind": "ServerClaim",
        "metadata": { "name": "web", "namespace": "tenants", "uid": "uid-1" },
        "spec": { "power": "On", "image": "i", "userDataRef": { "name": "hello" } },
    });
    let secret = json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": { "name": "hello", "namespace": "tenants" },
        "type": "metal.ironcore.dev/user-data", "data": { "greeting": "aGVsbG8=" },
    });
    let list = json!({
        "apiVersion": "metal.ironcore.dev/v1alpha1", "kind": "ServerList", "metadata": { "resourceVersion": "1" },
        "items": [server.clone()],
    });
    let objects = [
        (SERVERS.to_owned(), list),
        (format!("{SERVERS}/node-system-0"), server),
        (
            "/apis/metal.ironcore.dev/v1alpha1/namespaces/tenants/serverclaims/web".to_owned(),
            claim,
        ),
        (SECRET.to_owned(), secret),
    ];
    Arc::new(Mutex::new(objects.into()))
}

/// Serves on both stacks, as deployed with `--bind-address ::`, and asks by IPv4: the peer is an IPv4-mapped address.
async fn serve(objects: &Objects) -> (String, CancellationToken) {
    let fixed = BTreeMap::from([("region".to_owned(), "north".to_owned())]);
    let metaldata = Metaldata::new(client(objects), fixed);
    let listener = TcpListener::bind("[::]:0").await.expect("a socket");
    let port = listener.local_addr().expect("an address").port();
    let service = metaldata.router().into_make_service_with_connect_info::<SocketAddr>();
    let stop = CancellationToken::new();
    let (ready, listed) = tokio::sync::oneshot::channel();
    let until = stop.clone();
    let following = metaldata.run(until.clone(), || {
        let _ = ready.send(());
    });
    let mut tasks = tokio::task::JoinSet::new();
    tasks.spawn(following);
    tasks.spawn(async move { axum::serve(listener, service).await.expect("service") });
    tasks.detach_all();
    listed.await.expect("a list of Servers");
    (format!("http://127.0.0.1:{port}"), stop)
}

async fn ask(base: &str, path: &str) -> (u16, String) {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let request = reqwest::Client::new().get(format!("{base}{path}"));
    let response = request.header(FLAVOR.0, FLAVOR.1).send().await.expect("an answer");
    (response.status().as_u16(), response.text().await.expect("a text"))
}

#[tokio::test]
async fn a_machine_learns_about_itself() {
    let objects = world("127.0.0.1");
    let (base, stop) = serve(&objects).await;
    let (code, all) = ask(&base, "/v1/").await;
    let expected = json!({
        "rack": "7", "region": "north", "server-name": "node-system-0", "user-data": { "greeting": "hello" },
    });
    assert_eq!(
        (code, serde_json::from_str::<Value>(&all).expect("JSON")),
        (200, expected)
    );
    for (path, code, text) in [
        ("/v1/server-name", 200, "node-system-0"),
        ("/v1/rack", 200, "7"),
        ("/v1/nothing", 404, ""),
        ("/v1/user-data", 200, r#"{"greeting":"hello"}"#),
        ("/v1/user-data/greeting", 200, "hello"),
        ("/v1/user-data/nothing", 404, ""),
    ] {
        assert_eq!(ask(&base, path).await, (code, text.to_owned()), "{path}");
    }
    let bare = reqwest::Client::new().get(format!("{base}/v1/rack")).send().await;
    let bare = bare.expect("an answer");
    assert_eq!(bare.status().as_u16(), 403);
    assert_eq!(
        bare.text().await.expect("a text"),
        "missing required header: Metadata-Flavor: IronCore Metal"
    );

    // A Secret of another type is not for machines.
    objects.lock().expect("objects").get_mut(SECRET).expect("the Secret")["type"] = json!("Opaque");
    assert_eq!(ask(&base, "/v1/user-data").await.0, 500);
    // The machine has gone to somebody else since the index was told.
    let server = format!("{SERVERS}/node-system-0");
    objects.lock().expect("objects").get_mut(&server).expect("the Server")["spec"]["serverClaimRef"]["uid"] =
        json!("uid-2");
    assert_eq!(ask(&base, "/v1/user-data").await.0, 404);
    stop.cancel();
}

#[tokio::test]
async fn strangers_learn_nothing() {
    let (base, stop) = serve(&world("10.9.8.7")).await;
    for path in ["/v1/", "/v1/server-name", "/v1/user-data", "/v1/user-data/greeting"] {
        assert_eq!(ask(&base, path).await, (404, String::new()), "{path}");
    }
    stop.cancel();
}
