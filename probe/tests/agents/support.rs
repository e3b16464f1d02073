//! A registry that answers what a test tells it to, and a host whose drives misbehave as told.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use probe::model::{EraseMethod, LldpInterface, NetworkInterface};
use probe::{BoxError, Clock, Drive, Host, HostError, HttpService, Inventory};
use serde_json::Value;
use tokio::time::Instant;

/// One request as it arrived.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) seconds: u64,
    pub(crate) path: String,
    pub(crate) authorization: Option<String>,
    pub(crate) body: Value,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Answer {
    Status(u16),
    Reset,
    Never,
}

/// Registry double: plays a list of answers, then repeats the last one.
#[derive(Clone)]
pub(crate) struct Registry {
    start: Instant,
    script: Arc<Mutex<VecDeque<Answer>>>,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl Registry {
    pub(crate) fn new(script: impl IntoIterator<Item = Answer>) -> Self {
        Self {
            start: Instant::now(),
            script: Arc::new(Mutex::new(script.into_iter().collect())),
            seen: Arc::default(),
        }
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().expect("not poisoned").clone()
    }

    pub(crate) fn http(&self) -> HttpService {
        let registry = self.clone();
        HttpService::new(tower::service_fn(move |request: Request<Bytes>| {
            let answer = registry.receive(&request);
            async move {
                match answer {
                    Answer::Status(status) => Ok(Response::builder()
                        .status(StatusCode::from_u16(status).expect("a status"))
                        .body(Bytes::from_static(b"because of the test\n"))
                        .expect("a response")),
                    Answer::Reset => Err(BoxError::from("connection reset")),
                    Answer::Never => std::future::pending().await,
                }
            }
        }))
    }

    fn receive(&self, request: &Request<Bytes>) -> Answer {
        self.seen.lock().expect("not poisoned").push(Seen {
            seconds: self.start.elapsed().as_secs(),
            path: request.uri().to_string(),
            authorization: request
                .headers()
                .get("authorization")
                .map(|v| v.to_str().expect("ASCII").to_owned()),
            body: serde_json::from_slice(request.body()).expect("JSON"),
        });
        let mut script = self.script.lock().expect("not poisoned");
        match script.len() {
            0 => Answer::Status(200),
            1 => script[0],
            _ => script.pop_front().expect("not empty"),
        }
    }
}

/// A clock that follows virtual time from 2030 on.
pub(crate) fn clock() -> Clock {
    let start = Instant::now();
    Arc::new(move || {
        let elapsed = jiff::SignedDuration::try_from(start.elapsed()).expect("a short test");
        "2030-01-01T00:00:00Z".parse::<jiff::Timestamp>().expect("a timestamp") + elapsed
    })
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Behaviour {
    Erases,
    FailsToErase,
    /// Claims to be erased and is not.
    Lies,
    InUse,
    /// Vanishes when it has been erased.
    Vanishes,
    /// Appears when the first drive has been erased.
    AppearsLate,
}

#[derive(Default)]
pub(crate) struct TestHost {
    pub(crate) drives: Vec<(Drive, Behaviour)>,
    pub(crate) neighbors: Option<Vec<LldpInterface>>,
    /// When the first neighbour is heard.
    pub(crate) heard_after: Duration,
    pub(crate) no_network: bool,
    pub(crate) no_drive_list: bool,
    pub(crate) erased: Mutex<BTreeMap<String, u32>>,
    pub(crate) start: Option<Instant>,
}

pub(crate) fn drive(name: &str) -> Drive {
    Drive {
        name: format!("/dev/{name}"),
        serial_number: format!("S-{name}"),
        wwid: String::new(),
        size_bytes: 1 << 30,
    }
}

impl TestHost {
    pub(crate) fn with_drives(drives: &[(&str, Behaviour)]) -> Self {
        Self {
            drives: drives
                .iter()
                .map(|(name, behaviour)| (drive(name), *behaviour))
                .collect(),
            ..Self::default()
        }
    }

    fn behaviour(&self, drive: &Drive) -> Behaviour {
        self.drives
            .iter()
            .find(|(known, _)| known == drive)
            .expect("a drive of this host")
            .1
    }

    pub(crate) fn times_erased(&self, name: &str) -> u32 {
        self.erased
            .lock()
            .expect("not poisoned")
            .get(&format!("/dev/{name}"))
            .copied()
            .unwrap_or_default()
    }

    fn any_erased(&self) -> bool {
        !self.erased.lock().expect("not poisoned").is_empty()
    }
}

#[async_trait]
impl Host for TestHost {
    async fn inventory(&self) -> Result<Inventory, HostError> {
        if self.no_network {
            return Err(HostError::Unreadable {
                what: "/sys/class/net".into(),
                source: "gone".into(),
            });
        }
        let interface = NetworkInterface {
            name: "eth0".into(),
            ..NetworkInterface::default()
        };
        Ok(Inventory {
            network_interfaces: vec![interface],
            ..Inventory::default()
        })
    }

    async fn lldp(&self) -> Result<Vec<LldpInterface>, HostError> {
        match &self.neighbors {
            None => Err(HostError::LldpUnavailable {
                reason: "not installed".into(),
            }),
            Some(_) if self.start.expect("a start").elapsed() < self.heard_after => Ok(Vec::new()),
            Some(neighbors) => Ok(neighbors.clone()),
        }
    }

    async fn drives(&self) -> Result<Vec<Drive>, HostError> {
        if self.no_drive_list {
            return Err(HostError::Unreadable {
                what: "/sys/block".into(),
                source: "gone".into(),
            });
        }
        Ok(self
            .drives
            .iter()
            .filter(|(drive, behaviour)| match behaviour {
                Behaviour::Vanishes => self.times_erased(drive.name.trim_start_matches("/dev/")) == 0,
                Behaviour::AppearsLate => self.any_erased(),
                _ => true,
            })
            .map(|(drive, _)| drive.clone())
            .collect())
    }

    async fn erase(&self, drive: &Drive) -> Result<EraseMethod, HostError> {
        if self.behaviour(drive) == Behaviour::InUse {
            return Err(HostError::DriveInUse {
                drive: drive.name.clone(),
                by: "mounted on /data".into(),
            });
        }
        *self
            .erased
            .lock()
            .expect("not poisoned")
            .entry(drive.name.clone())
            .or_default() += 1;
        tokio::time::sleep(Duration::from_secs(100)).await;
        match self.behaviour(drive) {
            Behaviour::FailsToErase => Err(HostError::Erase {
                drive: drive.name.clone(),
                source: "medium error".into(),
            }),
            _ => Ok(EraseMethod::Overwrite),
        }
    }

    async fn verify_erased(&self, drive: &Drive) -> Result<(), HostError> {
        match self.behaviour(drive) {
            Behaviour::Lies => Err(HostError::NotErased {
                drive: drive.name.clone(),
                offset: 4096,
            }),
            _ => Ok(()),
        }
    }
}
