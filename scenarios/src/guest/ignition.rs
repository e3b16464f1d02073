//! Reading an Ignition document the way a machine's first boot does.

use std::collections::BTreeMap;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use percent_encoding::percent_decode_str;
use probe::HttpService;
use serde::Deserialize;
use serde_json::Value;
use tower::ServiceExt;

use super::unit;

/// The script of the agent's container image; what follows it in a command line are the agent's arguments.
const AGENT_LAUNCHER: &str = "launch.sh";
/// Time limit of one fetch, as Ignition has it for the headers of an answer.
const FETCH_TIME_LIMIT: Duration = Duration::from_secs(10);

/// Why a first boot stops in the emergency shell. Holds no content of the document.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum IgnitionError {
    #[error("the document does not have the shape of Ignition 3")]
    Malformed,
    #[error("version {0} is not supported, only 3.x is")]
    UnsupportedVersion(String),
    #[error("the content of {path} {reason}")]
    File { path: String, reason: String },
}

/// What a first boot is asked to do, as far as an emulated machine does it.
#[derive(Debug, Default, PartialEq)]
pub(super) struct FirstBoot {
    pub(super) agent: Option<AgentService>,
    pub(super) files: Vec<File>,
    /// Device path of the first disk that is laid out.
    pub(super) disk: Option<String>,
}

/// The service that runs an agent.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct AgentService {
    pub(super) arguments: Vec<String>,
    /// Pause before the agent is started again after a failure; absent if it is not.
    pub(super) restart_delay: Option<Duration>,
}

impl std::fmt::Debug for AgentService {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The arguments carry a token.
        formatter
            .debug_struct("AgentService")
            .field("restart_delay", &self.restart_delay)
            .finish_non_exhaustive()
    }
}

/// One entry of `storage.files`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(super) struct File {
    pub(super) path: String,
    #[serde(default)]
    contents: Contents,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
struct Contents {
    source: Option<String>,
    compression: Option<String>,
}

#[derive(Deserialize)]
struct Document {
    ignition: Header,
    #[serde(default)]
    systemd: Systemd,
    #[serde(default)]
    storage: Storage,
}

#[derive(Deserialize)]
struct Header {
    version: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Systemd {
    units: Vec<Unit>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Unit {
    enabled: Option<bool>,
    mask: Option<bool>,
    contents: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Storage {
    files: Vec<File>,
    disks: Vec<Disk>,
}

#[derive(Deserialize)]
struct Disk {
    device: String,
}

/// Reads a document. A machine that was given none has nothing to do on its first boot.
pub(super) fn read(document: Option<&Value>) -> Result<FirstBoot, IgnitionError> {
    let Some(document) = document else {
        return Ok(FirstBoot::default());
    };
    let document = Document::deserialize(document).map_err(|_| IgnitionError::Malformed)?;
    if !document.ignition.version.starts_with("3.") {
        return Err(IgnitionError::UnsupportedVersion(document.ignition.version));
    }
    Ok(FirstBoot {
        agent: document.systemd.units.iter().find_map(agent),
        files: document.storage.files,
        disk: document.storage.disks.into_iter().next().map(|disk| disk.device),
    })
}

/// The agent's service, if this unit is it and is started.
fn agent(unit: &Unit) -> Option<AgentService> {
    if unit.mask == Some(true) || unit.enabled != Some(true) {
        return None;
    }
    let service = unit::service(unit.contents.as_deref()?);
    let arguments = service.commands.iter().find_map(|words| {
        let launcher = words
            .iter()
            .position(|word| word.rsplit('/').next() == Some(AGENT_LAUNCHER))?;
        Some(words[launcher + 1..].to_vec())
    })?;
    Some(AgentService {
        arguments,
        restart_delay: service.restarts_on_failure.then_some(service.restart_delay),
    })
}

/// Gets the contents of all files, by path.
pub(super) async fn fetch_files(
    files: &[File],
    http: &HttpService,
) -> Result<BTreeMap<String, Vec<u8>>, IgnitionError> {
    let mut contents = BTreeMap::new();
    for file in files {
        let content = fetch(&file.contents, http)
            .await
            .map_err(|reason| IgnitionError::File {
                path: file.path.clone(),
                reason,
            })?;
        contents.insert(file.path.clone(), content);
    }
    Ok(contents)
}

async fn fetch(contents: &Contents, http: &HttpService) -> Result<Vec<u8>, String> {
    if contents
        .compression
        .as_deref()
        .is_some_and(|compression| !compression.is_empty())
    {
        return Err("is compressed, which this guest cannot unpack".to_owned());
    }
    let source = contents.source.as_deref().unwrap_or("data:,");
    if let Some(data) = source.strip_prefix("data:") {
        return decode_data_url(data).ok_or_else(|| "is not a well-formed data URL".to_owned());
    }
    let request = http::Request::get(source)
        .body(Bytes::new())
        .map_err(|_| "has a malformed URL".to_owned())?;
    match tokio::time::timeout(FETCH_TIME_LIMIT, http.clone().oneshot(request)).await {
        Err(_) => Err(format!("did not arrive within {} s", FETCH_TIME_LIMIT.as_secs())),
        Ok(Err(error)) => Err(format!("could not be fetched: {error}")),
        Ok(Ok(response)) if response.status().is_success() => Ok(response.into_body().to_vec()),
        Ok(Ok(response)) => Err(format!("could not be fetched: status {}", response.status())),
    }
}

/// RFC 2397, without the scheme: `[mediatype][;base64],data`.
fn decode_data_url(data: &str) -> Option<Vec<u8>> {
    let (kind, data) = data.split_once(',')?;
    let bytes: Vec<u8> = percent_decode_str(data).collect();
    match kind.ends_with(";base64") {
        true => STANDARD.decode(bytes).ok(),
        false => Some(bytes),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn unit(contents: &str) -> Value {
        json!({ "name": "metalprobe.service", "enabled": true, "contents": contents })
    }

    fn with_units(units: Value) -> Value {
        json!({ "ignition": { "version": "3.2.0" }, "systemd": { "units": units } })
    }

    #[test]
    fn only_an_enabled_unit_with_the_launcher_is_an_agent() {
        let exec = "[Service]\nRestart=on-failure\nRestartSec=20\nExecStart=/usr/bin/ctr run i metalprobe ./launch.sh wipe --x=y";
        let found = read(Some(&with_units(json!([{ "name": "a.service" }, unit(exec)])))).expect("well-formed");
        let agent = found.agent.expect("an agent");
        assert_eq!(agent.arguments, ["wipe", "--x=y"]);
        assert_eq!(agent.restart_delay, Some(Duration::from_secs(20)));

        let mut disabled = unit(exec);
        disabled["enabled"] = json!(false);
        let mut masked = unit(exec);
        masked["mask"] = json!(true);
        for units in [
            json!([]),
            json!([disabled]),
            json!([masked]),
            json!([unit("[Service]\nExecStart=/bin/app launch")]),
        ] {
            assert_eq!(read(Some(&with_units(units))).expect("well-formed").agent, None);
        }
        assert_eq!(read(None), Ok(FirstBoot::default()));
    }

    #[test]
    fn broken_documents_stop_the_boot() {
        for (document, expected) in [
            (json!({}), IgnitionError::Malformed),
            (json!([]), IgnitionError::Malformed),
            (
                json!({ "ignition": { "version": "2.3.0" } }),
                IgnitionError::UnsupportedVersion("2.3.0".into()),
            ),
            (with_units(json!("canary")), IgnitionError::Malformed),
        ] {
            assert_eq!(read(Some(&document)), Err(expected));
        }
    }

    #[test]
    fn arguments_are_not_shown() {
        let document = with_units(json!([unit(
            "[Service]\nExecStart=x ./launch.sh --registry-token=canary"
        )]));
        let first_boot = read(Some(&document)).expect("well-formed");
        assert!(first_boot.agent.is_some() && !format!("{first_boot:?}").contains("canary"));
    }

    #[tokio::test]
    async fn files_come_from_data_urls_and_from_the_network() {
        let http = HttpService::new(tower::service_fn(|request: http::Request<Bytes>| async move {
            let status = if request.uri().path() == "/there" { 200 } else { 404 };
            let response = http::Response::builder()
                .status(status)
                .body(Bytes::from_static(b"fetched"));
            response.map_err(probe::BoxError::from)
        }));
        let document = |source: Value| {
            let files = json!([{ "path": "/f", "contents": source }]);
            read(Some(
                &json!({ "ignition": { "version": "3.4.0" }, "storage": { "files": files } }),
            ))
            .expect("well-formed")
        };
        for (contents, expected) in [
            (json!({}), Ok("")),
            (json!({ "source": "data:,node%201%C3%A4" }), Ok("node 1ä")),
            (json!({ "source": "data:text/plain;base64,aGk=" }), Ok("hi")),
            (json!({ "source": "http://files.example/there" }), Ok("fetched")),
            (json!({ "source": "http://files.example/gone" }), Err("status 404")),
            (json!({ "source": "data:nonsense" }), Err("data URL")),
            (json!({ "source": "data:,", "compression": "gzip" }), Err("compressed")),
        ] {
            let fetched = fetch_files(&document(contents).files, &http).await;
            match expected {
                Ok(text) => assert_eq!(fetched.expect(text)["/f"], text.as_bytes()),
                Err(part) => assert!(fetched.expect_err(part).to_string().contains(part)),
            }
        }
    }
}
