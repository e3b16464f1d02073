//! A Redfish service small enough to see through: documents in a map, sessions in a set, every request in a log, and answers
//! that a test puts in the way.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use operator::bmc::{BmcAccess, BmcClient, BmcError, BmcPool, Credentials, PoolSettings, ProtocolName, Scheme, Trust};
use operator::edges::{BoxError, HttpService};
use operator::identity::{DriveUri, SystemUri};
use operator::metrics::Metrics;
use serde_json::{Value, json};

pub(crate) const USER: &str = "root";
pub(crate) const PASSWORD: &str = "canary-password";
pub(crate) const SYSTEM: &str = "/redfish/v1/Systems/1";
pub(crate) const DRIVE: &str = "/redfish/v1/Systems/1/Storage/S/Drives/D1";

/// A prepared answer.
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: Value,
}

pub(crate) enum Behaviour {
    /// Answers so, once.
    Answer(Reply),
    /// Never answers.
    Hang,
    /// Refuses the connection.
    Refuse,
    /// Breaks the connection after the request was received.
    Reset,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Seen {
    pub(crate) request: String,
    pub(crate) body: Value,
    pub(crate) if_match: Option<String>,
    pub(crate) authorization: Option<&'static str>,
}

#[derive(Default)]
pub(crate) struct State {
    pub(crate) documents: BTreeMap<String, Value>,
    pub(crate) password: String,
    pub(crate) sessions: BTreeSet<String>,
    pub(crate) logins: usize,
    pub(crate) refused_logins: usize,
    pub(crate) in_flight: usize,
    pub(crate) most_in_flight: usize,
    pub(crate) latency: Duration,
    pub(crate) prepared: BTreeMap<String, VecDeque<Behaviour>>,
    pub(crate) log: Vec<Seen>,
}

#[derive(Clone)]
pub(crate) struct FakeBmc(pub Arc<Mutex<State>>);

impl FakeBmc {
    pub(crate) fn new() -> Self {
        let mut state = State {
            password: PASSWORD.to_owned(),
            ..State::default()
        };
        state.documents = documents();
        Self(Arc::new(Mutex::new(state)))
    }

    pub(crate) fn with<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        change(&mut self.0.lock().expect("state"))
    }

    /// Prepares what the next `METHOD path` does.
    pub(crate) fn prepare(&self, request: &str, behaviour: Behaviour) {
        self.with(|state| {
            state
                .prepared
                .entry(request.to_owned())
                .or_default()
                .push_back(behaviour)
        });
    }

    pub(crate) fn answer(&self, request: &str, status: u16, body: Value) {
        self.prepare(
            request,
            Behaviour::Answer(Reply {
                status,
                headers: Vec::new(),
                body,
            }),
        );
    }

    /// Requests seen so far whose line starts with `prefix`.
    pub(crate) fn seen(&self, prefix: &str) -> Vec<Seen> {
        self.with(|state| {
            state
                .log
                .iter()
                .filter(|seen| seen.request.starts_with(prefix))
                .cloned()
                .collect()
        })
    }

    pub(crate) fn http(&self) -> HttpService {
        let bmc = self.clone();
        HttpService::new(tower::service_fn(move |request| bmc.clone().serve(request)))
    }

    async fn serve(self, request: Request<Bytes>) -> Result<Response<Bytes>, BoxError> {
        let latency = self.with(|state| {
            state.in_flight += 1;
            state.most_in_flight = state.most_in_flight.max(state.in_flight);
            state.latency
        });
        tokio::time::sleep(latency).await;
        let result = self.handle(&request).await;
        self.with(|state| state.in_flight -= 1);
        result
    }

    async fn handle(&self, request: &Request<Bytes>) -> Result<Response<Bytes>, BoxError> {
        assert_eq!(
            request.uri().authority().map(|authority| authority.as_str()),
            Some("192.0.2.1:443"),
            "another host was contacted"
        );
        let path = request
            .uri()
            .path_and_query()
            .expect("path")
            .as_str()
            .trim_end_matches('/')
            .to_owned();
        let line = format!("{} {path}", request.method());
        let header = |name: &str| {
            request
                .headers()
                .get(name)
                .map(|value| value.to_str().expect("text").to_owned())
        };
        let token = header("x-auth-token");
        let basic = header("authorization");
        let seen = Seen {
            request: line.clone(),
            body: serde_json::from_slice(request.body()).unwrap_or(Value::Null),
            if_match: header("if-match"),
            authorization: token.as_ref().map(|_| "session").or(basic.as_ref().map(|_| "basic")),
        };
        let behaviour = self.with(|state| {
            state.log.push(seen.clone());
            state.prepared.get_mut(&line).and_then(VecDeque::pop_front)
        });
        match behaviour {
            Some(Behaviour::Answer(prepared)) => {
                let mut response = reply(prepared.status, prepared.body);
                for (name, value) in prepared.headers {
                    response.headers_mut().insert(name, value.parse()?);
                }
                return Ok(response);
            }
            Some(Behaviour::Hang) => std::future::pending().await,
            Some(Behaviour::Refuse) => return Err(std::io::Error::from(std::io::ErrorKind::ConnectionRefused).into()),
            Some(Behaviour::Reset) => return Err(std::io::Error::from(std::io::ErrorKind::ConnectionReset).into()),
            None => {}
        }
        Ok(self.with(|state| state.route(request.method(), &path, token.as_deref(), basic.as_deref(), &seen.body)))
    }
}

impl State {
    fn route(
        &mut self,
        method: &Method,
        path: &str,
        token: Option<&str>,
        basic: Option<&str>,
        body: &Value,
    ) -> Response<Bytes> {
        if path == "/redfish/v1" && *method == Method::GET {
            return reply(200, self.documents[path].clone());
        }
        if path == "/redfish/v1/SessionService/Sessions" && *method == Method::POST {
            if body["UserName"] != USER || body["Password"] != self.password.as_str() {
                self.refused_logins += 1;
                return reply(401, json!({"error": {"message": format!("no login with {body}")}}));
            }
            self.logins += 1;
            let id = format!("session-{}", self.logins);
            self.sessions.insert(id.clone());
            let mut response = reply(201, json!({"@odata.id": format!("{path}/{id}")}));
            response
                .headers_mut()
                .insert("x-auth-token", id.parse().expect("token"));
            response.headers_mut().insert(
                "location",
                format!("https://bmc.internal{path}/{id}").parse().expect("location"),
            );
            return response;
        }
        let wanted_basic = format!("Basic {}", base64_of(&format!("{USER}:{}", self.password)));
        if !(token.is_some_and(|token| self.sessions.contains(token)) || basic == Some(wanted_basic.as_str())) {
            return reply(401, json!({"error": {"message": "unauthorized"}}));
        }
        if *method == Method::DELETE {
            let id = path.rsplit('/').next().unwrap_or_default();
            return if self.sessions.remove(id) {
                reply(204, Value::Null)
            } else {
                reply(404, Value::Null)
            };
        }
        let Some(document) = self.documents.get_mut(path) else {
            return reply(404, json!({"error": {"message": "no such resource"}}));
        };
        match *method {
            Method::GET => reply(200, document.clone()),
            Method::PATCH => {
                merge(document, body);
                reply(200, document.clone())
            }
            _ => reply(204, Value::Null),
        }
    }
}

fn merge(target: &mut Value, patch: &Value) {
    match (target, patch) {
        (Value::Object(target), Value::Object(patch)) => {
            for (key, value) in patch {
                merge(target.entry(key.clone()).or_insert(Value::Null), value);
            }
        }
        (target, patch) => *target = patch.clone(),
    }
}

fn reply(status: u16, body: Value) -> Response<Bytes> {
    let body = if body.is_null() {
        Bytes::new()
    } else {
        Bytes::from(body.to_string())
    };
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::from_u16(status).expect("status");
    response
}

fn base64_of(text: &str) -> String {
    use base64::Engine;
    base64::engine::general_purpose::STANDARD.encode(text)
}

/// One machine with one drive, written as a well-behaved BMC writes.
fn documents() -> BTreeMap<String, Value> {
    let link = |uri: &str| json!({"@odata.id": uri});
    let collection = |uri: &str, members: &[&str]| {
        let members: Vec<Value> = members.iter().map(|uri| link(uri)).collect();
        json!({"@odata.id": uri, "Name": "Collection", "Members": members, "Members@odata.count": members.len()})
    };
    let empty = |uri: &str| json!({"@odata.id": uri, "Id": "x", "Name": "x"});
    [
        json!({
            "@odata.id": "/redfish/v1", "Id": "RootService", "Name": "Root", "RedfishVersion": "1.15.0",
            "Systems": link("/redfish/v1/Systems"), "Managers": link("/redfish/v1/Managers"),
            "SessionService": link("/redfish/v1/SessionService"),
            "Links": {"Sessions": link("/redfish/v1/SessionService/Sessions")}
        }),
        collection("/redfish/v1/Systems", &[SYSTEM]),
        json!({
            "@odata.id": SYSTEM, "@odata.etag": "W/\"1\"", "Id": "1", "Name": "System", "UUID": "38947555-7742-3448-3784-823347823834",
            "Manufacturer": "Contoso", "Model": "3500", "SKU": "8675309", "SerialNumber": "437XR1138R2", "BiosVersion": "P79 v1.45",
            "PowerState": "Off", "IndicatorLED": "Off", "MemorySummary": {"TotalSystemMemoryGiB": 96},
            "Boot": {
                "BootSourceOverrideEnabled": "Disabled", "BootSourceOverrideTarget": "None", "BootSourceOverrideMode": "UEFI",
                "BootSourceOverrideTarget@Redfish.AllowableValues": ["None", "Pxe", "Hdd"], "BootOrder": ["Boot0001", "Boot0002"]
            },
            "BootProgress": {"LastState": "None"},
            "Actions": {"#ComputerSystem.Reset": {
                "target": "/redfish/v1/Systems/1/Actions/ComputerSystem.Reset",
                "ResetType@Redfish.AllowableValues": ["On", "ForceOff", "GracefulShutdown"]
            }},
            "Processors": link("/redfish/v1/Systems/1/Processors"), "Storage": link("/redfish/v1/Systems/1/Storage"),
            "Bios": link("/redfish/v1/Systems/1/Bios")
        }),
        empty("/redfish/v1/Systems/1/Actions/ComputerSystem.Reset"),
        collection("/redfish/v1/Systems/1/Processors", &["/redfish/v1/Systems/1/Processors/CPU1"]),
        json!({
            "@odata.id": "/redfish/v1/Systems/1/Processors/CPU1", "Id": "CPU1", "Name": "Processor", "ProcessorType": "CPU",
            "ProcessorArchitecture": "x86", "InstructionSet": "x86-64", "Manufacturer": "Intel", "Model": "Xeon", "MaxSpeedMHz": 3700,
            "TotalCores": 8, "TotalThreads": 16
        }),
        collection("/redfish/v1/Systems/1/Storage", &["/redfish/v1/Systems/1/Storage/S"]),
        json!({
            "@odata.id": "/redfish/v1/Systems/1/Storage/S", "Id": "S", "Name": "Local Storage", "Drives": [link(DRIVE)],
            "Volumes": link("/redfish/v1/Systems/1/Storage/S/Volumes"), "Status": {"State": "Enabled"}
        }),
        json!({
            "@odata.id": DRIVE, "Id": "D1", "Name": "Drive 1", "SerialNumber": "SN1", "CapacityBytes": 899_527_000_000_u64,
            "MediaType": "SSD", "DriveFormFactor": "M2", "Manufacturer": "Contoso", "Model": "X", "Status": {"State": "Enabled", "Health": "OK"},
            "Actions": {"#Drive.SecureErase": {"target": format!("{DRIVE}/Actions/Drive.SecureErase")}}
        }),
        empty(&format!("{DRIVE}/Actions/Drive.SecureErase")),
        collection("/redfish/v1/Systems/1/Storage/S/Volumes", &["/redfish/v1/Systems/1/Storage/S/Volumes/V"]),
        json!({
            "@odata.id": "/redfish/v1/Systems/1/Storage/S/Volumes/V", "Id": "V", "Name": "Volume", "CapacityBytes": 1024,
            "RAIDType": "RAID1", "Status": {"State": "Enabled"}
        }),
        json!({
            "@odata.id": "/redfish/v1/Systems/1/Bios", "Id": "Bios", "Name": "BIOS", "Attributes": {"A": "x", "B": 1},
            "@Redfish.Settings": {"SettingsObject": link("/redfish/v1/Systems/1/Bios/Settings")},
            "Actions": {"#Bios.ResetBios": {"target": "/redfish/v1/Systems/1/Bios/Actions/Bios.ResetBios"}}
        }),
        json!({"@odata.id": "/redfish/v1/Systems/1/Bios/Settings", "Id": "Settings", "Name": "BIOS settings", "Attributes": {"A": "x", "B": 2}}),
        empty("/redfish/v1/Systems/1/Bios/Actions/Bios.ResetBios"),
        collection("/redfish/v1/Managers", &["/redfish/v1/Managers/BMC"]),
        json!({
            "@odata.id": "/redfish/v1/Managers/BMC", "Id": "BMC", "Name": "Manager", "UUID": "58893887-8974-2487-2389-841168418919",
            "Manufacturer": "Contoso", "Model": "Joo Janta 200", "PartNumber": "P1", "SerialNumber": "S1", "FirmwareVersion": "1.45",
            "PowerState": "On", "Status": {"State": "Enabled"}, "LastResetTime": "2026-01-02T03:04:05Z",
            "GraphicalConsole": {"MaxConcurrentSessions": 2},
            "Actions": {"#Manager.Reset": {
                "target": "/redfish/v1/Managers/BMC/Actions/Manager.Reset", "ResetType@Redfish.AllowableValues": ["GracefulRestart"]
            }}
        }),
        empty("/redfish/v1/Managers/BMC/Actions/Manager.Reset"),
    ]
    .into_iter()
    .map(|document| (document["@odata.id"].as_str().expect("id").to_owned(), document))
    .collect()
}

pub(crate) fn settings() -> PoolSettings {
    PoolSettings {
        request_timeout: Duration::from_secs(10),
        read_timeout: Duration::from_secs(30),
        max_concurrent_requests: 2,
        session_idle_timeout: Duration::from_secs(600),
        auth_backoff: Duration::from_secs(60),
        auth_backoff_max: Duration::from_secs(900),
        outage_backoff: Duration::from_secs(5),
        outage_backoff_max: Duration::from_secs(60),
    }
}

pub(crate) fn access(password: &str) -> BmcAccess {
    BmcAccess {
        protocol: ProtocolName::Redfish,
        scheme: Scheme::Https,
        host: "192.0.2.1".to_owned(),
        port: 443,
        credentials: Credentials::new(USER, password),
        trust: Trust::default(),
    }
}

pub(crate) fn pool(bmc: &FakeBmc) -> BmcPool {
    BmcPool::new(bmc.http(), Metrics::new(), settings())
}

pub(crate) async fn client(bmc: &FakeBmc) -> Result<BmcClient, BmcError> {
    pool(bmc).client(&access(PASSWORD)).await
}

pub(crate) fn system() -> SystemUri {
    SystemUri::new(SYSTEM)
}

pub(crate) fn drive() -> DriveUri {
    DriveUri::new(DRIVE)
}
