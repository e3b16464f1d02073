//! The HTTP face of a BMC takes whatever comes: it does not panic, does not answer 500, and shows nobody without credentials
//! more than what DSP0266 §13.3.2 leaves open.

#![no_main]

use std::sync::Arc;

use arbitrary::Arbitrary;
use axum::body::Body;
use bmc_emulator::{Boot, Edges, Fleet, FleetSpec, GuestExit, GuestOs, HttpService, PersonalityName};
use futures::future::BoxFuture;
use http::{Method, Request, StatusCode};
use http_body_util::BodyExt;
use libfuzzer_sys::fuzz_target;
use tower::ServiceExt;

const OPEN: [&str; 4] = ["/redfish", "/redfish/v1", "/redfish/v1/odata", "/redfish/v1/$metadata"];
/// `admin:password`, as every BMC is delivered.
const CREDENTIALS: &str = "Basic YWRtaW46cGFzc3dvcmQ=";
/// Where a fuzzer would not get by itself. `{system}` and the like stand for the personality's.
const PLACES: [&str; 24] = [
    "/redfish/v1",
    "/redfish/v1/Systems",
    "/redfish/v1/Systems/{system}",
    "/redfish/v1/Systems/{system}/Actions/ComputerSystem.Reset",
    "/redfish/v1/Systems/{system}/Bios",
    "/redfish/v1/Systems/{system}/Bios/Settings",
    "/redfish/v1/Systems/{system}/Bios/Actions/Bios.ResetBios",
    "/redfish/v1/Systems/{system}/SecureBoot",
    "/redfish/v1/Systems/{system}/VirtualMedia/1/Actions/VirtualMedia.InsertMedia",
    "/redfish/v1/Systems/{system}/Storage",
    "/redfish/v1/Managers/{manager}",
    "/redfish/v1/Managers/{manager}/NetworkProtocol",
    "/redfish/v1/Managers/{manager}/Actions/Manager.ResetToDefaults",
    "/redfish/v1/Chassis/{chassis}",
    "/redfish/v1/Chassis/{chassis}/Sensors",
    "/redfish/v1/AccountService",
    "/redfish/v1/AccountService/Accounts",
    "/redfish/v1/AccountService/Accounts/2",
    "/redfish/v1/SessionService",
    "/redfish/v1/SessionService/Sessions",
    "/redfish/v1/EventService/Subscriptions",
    "/redfish/v1/UpdateService/Actions/UpdateService.SimpleUpdate",
    "/redfish/v1/CertificateService/Actions/CertificateService.GenerateCSR",
    "/redfish/v1/TaskService/Tasks",
];

#[derive(Arbitrary, Debug)]
struct Conversation {
    personality: u8,
    requests: Vec<Asked>,
}

#[derive(Arbitrary, Debug)]
struct Asked {
    method: u8,
    place: u8,
    /// After the place, or instead of one.
    path: String,
    query: Option<String>,
    credentials: Credentials,
    if_match: Option<String>,
    body: Vec<u8>,
}

#[derive(Arbitrary, Debug)]
enum Credentials {
    None,
    Right,
    Basic(String),
    Token(String),
}

struct NoGuest;

impl GuestOs for NoGuest {
    fn boot(&self, _: Boot) -> BoxFuture<'static, GuestExit> {
        Box::pin(std::future::pending())
    }
}

fn fleet(personality: PersonalityName) -> Fleet {
    let edges = Edges {
        clock: Arc::new(|| jiff::Timestamp::UNIX_EPOCH),
        http: HttpService::new(tower::service_fn(async |_| Err("there is no network".into()))),
        guest: Arc::new(NoGuest),
        seed: 1,
        time_scale: 1.0,
    };
    let yaml = format!("machines: [{{ name: node, personality: {personality} }}]");
    Fleet::new(&FleetSpec::from_yaml(&yaml, "fleet.yaml").expect("valid"), edges).expect("consistent")
}

fn method(number: u8) -> Method {
    let known = [Method::GET, Method::HEAD, Method::PATCH, Method::POST, Method::DELETE, Method::PUT, Method::OPTIONS];
    known[usize::from(number) % known.len()].clone()
}

async fn ask(fleet: &Fleet, ids: &[(&str, String)], asked: &Asked) {
    let place = PLACES.get(usize::from(asked.place)).copied().unwrap_or_default();
    let mut path = format!("{place}{}", asked.path);
    for (placeholder, id) in ids {
        path = path.replace(placeholder, id);
    }
    let uri = match &asked.query {
        Some(query) => format!("{path}?{query}"),
        None => path.clone(),
    };
    let mut request = Request::builder().method(method(asked.method)).uri(uri);
    match &asked.credentials {
        Credentials::None => {}
        Credentials::Right => request = request.header("authorization", CREDENTIALS),
        Credentials::Basic(text) => request = request.header("authorization", format!("Basic {text}")),
        Credentials::Token(text) => request = request.header("x-auth-token", text),
    }
    if let Some(tag) = &asked.if_match {
        request = request.header("if-match", tag);
    }
    // Not everything a fuzzer thinks of is HTTP.
    let Ok(request) = request.body(Body::from(asked.body.clone())) else {
        return;
    };
    let (method, path) = (request.method().clone(), request.uri().path().trim_end_matches('/').to_owned());
    let response = fleet.bmcs()[0].router().oneshot(request).await.expect("infallible");
    let status = response.status();
    assert_ne!(status, StatusCode::INTERNAL_SERVER_ERROR, "{method} {path}");
    let is_stream = response.headers().get("content-type").is_some_and(|kind| kind == "text/event-stream");
    let reads = matches!(method, Method::GET | Method::HEAD);
    let is_stranger = match &asked.credentials {
        Credentials::Right => false,
        Credentials::Basic(text) => !CREDENTIALS.ends_with(text.trim()),
        Credentials::None | Credentials::Token(_) => true,
    };
    if reads && is_stranger && status.is_success() {
        assert!(OPEN.contains(&path.as_str()), "{path} is shown to strangers");
    }
    if !is_stream {
        response.into_body().collect().await.expect("in memory");
    }
}

fuzz_target!(|conversation: Conversation| {
    let all = PersonalityName::ALL;
    let personality = all[usize::from(conversation.personality) % all.len()];
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    runtime.expect("a runtime").block_on(async {
        let fleet = fleet(personality);
        let (system, manager, chassis) = match personality {
            PersonalityName::Dell => ("System.Embedded.1", "iDRAC.Embedded.1", "System.Embedded.1"),
            PersonalityName::Ami => ("Self", "Self", "Self"),
            PersonalityName::Openbmc => ("system", "bmc", "chassis"),
            PersonalityName::Generic => ("1", "BMC", "1"),
            _ => ("1", "1", "1"),
        };
        let ids = [("{system}", system), ("{manager}", manager), ("{chassis}", chassis)];
        let ids = ids.map(|(placeholder, id)| (placeholder, id.to_owned()));
        for asked in conversation.requests.iter().take(16) {
            ask(&fleet, &ids, asked).await;
        }
    });
});
