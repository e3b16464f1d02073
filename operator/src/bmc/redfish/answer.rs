//! HTTP answers of a BMC, and what they mean.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, StatusCode, header};
use nv_redfish::core::{AsyncTask, ModificationResponse, ODataId};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::bmc::BmcError;

/// Longest error text that is passed on, in characters.
const MESSAGE_LIMIT: usize = 300;

/// A buffered answer.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

impl Answer {
    /// The answer itself when it is a success, else what went wrong.
    pub(super) fn success(self, sent: bool) -> Result<Self, BmcError> {
        if self.status.is_success() {
            Ok(self)
        } else {
            Err(self.error(sent))
        }
    }

    /// The error that a non-success status means. 401 is handled where the credentials are known.
    pub(super) fn error(&self, sent: bool) -> BmcError {
        let message = self.message();
        match self.status.as_u16() {
            503 => BmcError::ServiceUnavailable {
                message,
                retry_after: self.retry_after(),
                sent,
            },
            status => BmcError::Http { status, message, sent },
        }
    }

    /// The document.
    pub(super) fn json(&self, uri: &str, sent: bool) -> Result<Value, BmcError> {
        serde_json::from_slice(&self.body).map_err(|error| BmcError::Protocol {
            uri: uri.to_owned(),
            message: format!("not JSON: {error}"),
            sent,
        })
    }

    /// The document with its `@odata.etag`, which some BMCs give in the header only.
    pub(super) fn document(&self, uri: &str) -> Result<Value, BmcError> {
        let mut document = self.json(uri, false)?;
        let Some(object) = document.as_object_mut() else {
            return Err(BmcError::Protocol {
                uri: uri.to_owned(),
                message: "not a JSON object".to_owned(),
                sent: false,
            });
        };
        let has_etag = object
            .get("@odata.etag")
            .and_then(Value::as_str)
            .is_some_and(|etag| !etag.is_empty());
        if !has_etag && let Some(etag) = self.header(&header::ETAG) {
            object.insert("@odata.etag".to_owned(), Value::String(etag.to_owned()));
        }
        Ok(document)
    }

    /// Reads the answer to a write. `base` is the URI whose authority counts as ours.
    pub(super) fn modification<R: DeserializeOwned>(&self) -> ModificationResponse<R> {
        let location = self.header(&header::LOCATION).map(local_path);
        let body: Option<Value> = serde_json::from_slice(&self.body).ok();
        let task_in_body = body
            .as_ref()
            .filter(|body| is_task(body))
            .and_then(|body| body["@odata.id"].as_str())
            .map(local_path);
        let monitor = location
            .clone()
            .filter(|location| self.status == StatusCode::ACCEPTED || names_task(location));
        if let Some(monitor) = monitor.or_else(|| task_in_body.clone()) {
            return ModificationResponse::Task(AsyncTask {
                location: ODataId::from(monitor).into(),
                retry_after: self.retry_after(),
                task: task_in_body.map(ODataId::from),
            });
        }
        match (body, location) {
            (Some(body), _) => match R::deserialize(&body) {
                Ok(entity) => ModificationResponse::Entity(entity),
                // A success message, or an entity nobody asked for.
                Err(_) => ModificationResponse::Message(body),
            },
            (None, Some(location)) => match R::deserialize(json!({"@odata.id": location})) {
                Ok(entity) => ModificationResponse::Entity(entity),
                Err(_) => ModificationResponse::Empty,
            },
            (None, None) => ModificationResponse::Empty,
        }
    }

    /// `Retry-After` in seconds.
    pub(super) fn retry_after(&self) -> Option<Duration> {
        self.header(&header::RETRY_AFTER)?
            .trim()
            .parse()
            .ok()
            .map(Duration::from_secs)
    }

    pub(super) fn header(&self, name: &header::HeaderName) -> Option<&str> {
        self.headers.get(name)?.to_str().ok().filter(|value| !value.is_empty())
    }

    /// Whether the Redfish error body names a message whose id ends in one of `ids`.
    pub(super) fn names_message(&self, ids: &[&str]) -> bool {
        let body: Value = serde_json::from_slice(&self.body).unwrap_or_default();
        extended_info(&body)
            .filter_map(|info| info["MessageId"].as_str())
            .any(|message_id| ids.iter().any(|id| message_id.rsplit('.').next() == Some(id)))
    }

    /// The text of a Redfish error body (DSP0266 section 8.6), else the reason phrase.
    fn message(&self) -> String {
        let body: Value = serde_json::from_slice(&self.body).unwrap_or_default();
        let mut texts: Vec<&str> = extended_info(&body)
            .filter_map(|info| info["Message"].as_str())
            .collect();
        texts.extend(body["error"]["message"].as_str().filter(|_| texts.is_empty()));
        let text = if texts.is_empty() {
            self.status.canonical_reason().unwrap_or("unknown status").to_owned()
        } else {
            texts.join("; ")
        };
        text.chars()
            .map(|character| if character.is_control() { ' ' } else { character })
            .take(MESSAGE_LIMIT)
            .collect()
    }
}

fn extended_info(body: &Value) -> impl Iterator<Item = &Value> {
    // Some BMCs put the annotation beside `error` instead of into it.
    [&body["error"]["@Message.ExtendedInfo"], &body["@Message.ExtendedInfo"]]
        .into_iter()
        .filter_map(Value::as_array)
        .flatten()
}

fn is_task(body: &Value) -> bool {
    body.get("TaskState").is_some()
        || body["@odata.type"]
            .as_str()
            .is_some_and(|kind| kind.starts_with("#Task."))
}

fn names_task(path: &str) -> bool {
    ["/TaskService/", "/Tasks/", "/Jobs/", "/TaskMonitors/"]
        .iter()
        .any(|part| path.contains(part))
}

/// Path and query of a URI reference. BMCs write absolute URIs with their internal names; credentials go to no host but the
/// one that was configured, so the authority is always dropped.
pub(super) fn local_path(uri: &str) -> String {
    let rest = uri.split_once("://").map_or(uri, |(_, rest)| rest);
    if rest.len() == uri.len() {
        return if uri.starts_with('/') {
            uri.to_owned()
        } else {
            format!("/{uri}")
        };
    }
    rest.find('/')
        .map_or_else(|| "/".to_owned(), |start| rest[start..].to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, headers: &[(header::HeaderName, &str)], body: &str) -> Answer {
        Answer {
            status: StatusCode::from_u16(status).expect("status"),
            headers: headers
                .iter()
                .map(|(name, value)| (name.clone(), value.parse().expect("header")))
                .collect(),
            body: Bytes::from(body.to_owned()),
        }
    }

    #[test]
    fn error_texts_come_from_the_body_or_the_status() {
        let extended = r#"{"error": {"code": "x", "message": "general", "@Message.ExtendedInfo": [{"MessageId": "Base.1.0.A", "Message": "one"}, {"Message": "two\u0007"}]}}"#;
        for (body, wanted) in [
            (extended, "one; two "),
            (r#"{"error": {"message": "general"}}"#, "general"),
            (r#"{"@Message.ExtendedInfo": [{"Message": "beside"}]}"#, "beside"),
            ("<html>", "Conflict"),
        ] {
            assert_eq!(
                answer(409, &[], body).error(true),
                BmcError::Http {
                    status: 409,
                    message: wanted.to_owned(),
                    sent: true
                }
            );
        }
        assert!(answer(400, &[], extended).names_message(&["A"]));
        assert!(!answer(400, &[], extended).names_message(&["B"]));
    }

    #[test]
    fn unavailability_keeps_retry_after() {
        let error = answer(503, &[(header::RETRY_AFTER, "30")], "").error(false);
        assert_eq!(
            error,
            BmcError::ServiceUnavailable {
                message: "Service Unavailable".to_owned(),
                retry_after: Some(Duration::from_secs(30)),
                sent: false
            }
        );
    }

    #[test]
    fn writes_end_in_tasks_messages_or_nothing() {
        let monitor = [(
            header::LOCATION,
            "https://internal.name/redfish/v1/TaskService/TaskMonitors/7",
        )];
        let task = r##"{"@odata.type": "#Task.v1_4_3.Task", "@odata.id": "/redfish/v1/TaskService/Tasks/7", "TaskState": "New"}"##;
        match answer(202, &monitor, task).modification::<()>() {
            ModificationResponse::Task(task) => {
                assert_eq!(task.location.0.to_string(), "/redfish/v1/TaskService/TaskMonitors/7");
                assert_eq!(
                    task.task.map(|id| id.to_string()).as_deref(),
                    Some("/redfish/v1/TaskService/Tasks/7")
                );
            }
            other => panic!("{other:?}"),
        }
        assert!(matches!(
            answer(200, &[], task).modification::<()>(),
            ModificationResponse::Task(_)
        ));
        assert!(matches!(
            answer(202, &[], "").modification::<()>(),
            ModificationResponse::Empty
        ));
        assert!(matches!(
            answer(204, &[], "").modification::<()>(),
            ModificationResponse::Empty
        ));
        assert!(matches!(
            answer(200, &[], r#"{"error": {"code": "Base.1.8.Success"}}"#).modification::<()>(),
            ModificationResponse::Message(_)
        ));
    }

    #[test]
    fn requests_stay_on_the_configured_host() {
        for (uri, wanted) in [
            ("/redfish/v1/x?a=b", "/redfish/v1/x?a=b"),
            ("https://evil.example/redfish/v1/x", "/redfish/v1/x"),
            ("http://h:1", "/"),
            ("redfish/v1", "/redfish/v1"),
        ] {
            assert_eq!(local_path(uri), wanted);
        }
    }
}
