//! What a resource needs to answer one request, and the manners all resources share: methods, ETags, bodies.

use http::{Method, StatusCode, header};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use super::call::{Call, Reply};
use super::enclosure::Others;
use super::message::{self, Message};
use super::negotiation;
use crate::machine::truth::Execution;
use crate::machine::{Machine, Moment};
use crate::personality::{Oem, OemObject, Personality, SuccessStyle};
use crate::quirk::Quirk;

/// `Err` is an answer as well; it only saves the way through `?`.
pub(super) type Answer = Result<Reply, Reply>;

/// The caller of a request, once authenticated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Caller {
    pub user: String,
    pub role: super::roles::Role,
    /// The session used, if not Basic authentication.
    pub session: Option<String>,
}

pub(super) struct Context<'a> {
    pub call: &'a Call,
    /// Whose part of the tree is asked for; until that is known, the one that has the BMC.
    pub machine: &'a mut Machine,
    pub others: &'a mut (dyn Others + 'a),
    pub moment: Moment,
    pub caller: Option<Caller>,
}

impl Context<'_> {
    pub(super) fn personality(&self) -> &'static Personality {
        self.machine.personality
    }

    /// The same caller with another request.
    pub(super) fn with_call<'a>(&'a mut self, call: &'a Call) -> Context<'a> {
        Context {
            call,
            machine: &mut *self.machine,
            others: &mut *self.others,
            moment: self.moment,
            caller: self.caller.clone(),
        }
    }

    pub(super) fn system_uri(&self) -> String {
        self.machine.system_uri()
    }

    pub(super) fn manager_uri(&self) -> String {
        format!("/redfish/v1/Managers/{}", self.personality().manager_id)
    }

    pub(super) fn chassis_uri(&self) -> String {
        self.machine.chassis_uri()
    }

    /// What the vendor adds to a resource, if anything.
    pub(super) fn add_oem(&self, document: &mut Value, object: impl FnOnce(&Oem) -> Option<OemObject>) {
        if let Some(oem) = self.personality().oem
            && let Some(object) = object(oem)
        {
            document["Oem"] = serde_json::json!({ oem.name: object(self.machine) });
        }
    }

    /// An error answer made of one message.
    pub(super) fn error(&self, status: StatusCode, message: Message) -> Reply {
        message.error(status, self.personality())
    }

    pub(super) fn not_found(&self) -> Answer {
        let message = Message::new(&message::RESOURCE_MISSING, [&self.call.path]);
        Err(self.error(StatusCode::NOT_FOUND, message))
    }

    /// Answers GET and HEAD with `document`, everything else with 405 and the methods in `allow`.
    pub(super) fn read(&mut self, allow: &'static str, document: impl FnOnce(&mut Self) -> Value) -> Answer {
        if self.call.method != Method::GET && self.call.method != Method::HEAD {
            return self.not_allowed(allow);
        }
        let document = document(self);
        Ok(self.document(document).with(header::ALLOW, allow))
    }

    /// A resource that can only be read.
    pub(super) fn read_only(&mut self, document: impl FnOnce(&mut Self) -> Value) -> Answer {
        self.read("GET, HEAD", document)
    }

    pub(super) fn not_allowed(&self, allow: &'static str) -> Answer {
        let message = Message::new(&message::OPERATION_NOT_ALLOWED, []);
        Err(self
            .error(StatusCode::METHOD_NOT_ALLOWED, message)
            .with(header::ALLOW, allow))
    }

    /// A resource's representation with its ETag, or 304 if the client has it already.
    pub(super) fn document(&self, mut document: Value) -> Reply {
        let strong = etag(&document);
        let tag = if self.etags_are_weak() {
            format!("W/{strong}")
        } else if self.machine.has(Quirk::EtagsQuotedTwice) {
            format!("\"{strong}\"")
        } else {
            strong
        };
        if let Some(known) = self.call.header(&header::IF_NONE_MATCH)
            && matches_etag(known, &tag.trim_start_matches("W/").replace("\"\"", "\""))
        {
            return Reply::new(StatusCode::NOT_MODIFIED).with(header::ETAG, tag);
        }
        if let Value::Object(object) = &mut document {
            object.insert("@odata.etag".to_owned(), Value::String(tag.clone()));
        }
        Reply::json(StatusCode::OK, document).with(header::ETAG, tag)
    }

    fn etags_are_weak(&self) -> bool {
        let is_compressed = || negotiation::accepts_gzip(self.call);
        self.machine.has(Quirk::WeakEtags) || self.machine.has(Quirk::GzipWeakensEtags) && is_compressed()
    }

    fn refuses_weak_etags(&self) -> bool {
        self.machine.has(Quirk::WeakEtags) || self.machine.has(Quirk::GzipWeakensEtags)
    }

    /// Refuses a change that was meant for another version of `document` (DSP0266 §6.5).
    pub(super) fn check_if_match(&self, document: &Value) -> Result<(), Reply> {
        match self.call.header(&header::IF_MATCH) {
            None if self.call.method == Method::PATCH && self.machine.has(Quirk::PatchNeedsIfMatch) => Err(self.error(
                StatusCode::PRECONDITION_REQUIRED,
                Message::new(&message::PRECONDITION_REQUIRED, []),
            )),
            Some(wanted) if wanted.starts_with("W/") && self.refuses_weak_etags() => Err(self.error(
                StatusCode::PRECONDITION_FAILED,
                Message::new(&message::PRECONDITION_FAILED, []),
            )),
            Some(wanted) if !matches_etag(wanted, &etag(document)) => Err(self.error(
                StatusCode::PRECONDITION_FAILED,
                Message::new(&message::PRECONDITION_FAILED, []),
            )),
            _ => Ok(()),
        }
    }

    /// The request body, which must be a JSON object.
    pub(super) fn object(&self) -> Result<Map<String, Value>, Reply> {
        let bad = |template| self.error(StatusCode::BAD_REQUEST, Message::new(template, []));
        match serde_json::from_slice(&self.call.body) {
            Ok(Value::Object(object)) => Ok(object),
            Ok(_) => Err(bad(&message::UNRECOGNIZED_BODY)),
            Err(_) => Err(bad(&message::MALFORMED_JSON)),
        }
    }

    /// The body of an action; many clients send none at all.
    pub(super) fn action_object(&self) -> Result<Map<String, Value>, Reply> {
        if self.call.body.iter().all(u8::is_ascii_whitespace) {
            Ok(Map::new())
        } else {
            self.object()
        }
    }

    /// The body of a PATCH, without the annotations a client copies from what it has read.
    pub(super) fn patch_object(&self) -> Result<Map<String, Value>, Reply> {
        let mut object = self.object()?;
        if object.is_empty() {
            return Err(self.error(StatusCode::BAD_REQUEST, Message::new(&message::EMPTY_JSON, [])));
        }
        let odata: Vec<String> = object
            .keys()
            .filter(|name| name.starts_with("@odata."))
            .cloned()
            .collect();
        for name in odata {
            object.shift_remove(&name);
        }
        if object.is_empty() {
            // DSP0266 §7.5: annotations only.
            return Err(self.error(StatusCode::BAD_REQUEST, Message::new(&message::NO_OPERATION, [])));
        }
        Ok(object)
    }

    /// An error answer made of a message of the vendor's own registry.
    pub(super) fn vendor_error(&self, status: StatusCode, registry: &str, id: &str, text: &str) -> Reply {
        let vendor = super::vendor::message(registry, id, text, "Warning");
        Reply::json(status, message::error_body(&[], &[vendor], self.personality()))
    }

    /// [`Quirk::ModifyRefusedDuringPost`].
    pub(super) fn refuse_during_post(&self) -> Result<(), Reply> {
        let in_post = matches!(self.machine.execution, Execution::Post | Execution::PostHung { .. });
        if !in_post || !self.machine.has(Quirk::ModifyRefusedDuringPost) {
            return Ok(());
        }
        let text = "The system is in POST, and cannot be modified until it has ended.";
        let id = "UnableToModifyDuringSystemPOST";
        Err(self.vendor_error(StatusCode::BAD_REQUEST, super::vendor::ILO, id, text))
    }

    /// POST only.
    pub(super) fn require_post(&self) -> Result<(), Reply> {
        if self.call.method == Method::POST {
            return Ok(());
        }
        self.not_allowed("POST").map(|_| ())
    }

    /// What a successful change without anything to show is answered with.
    pub(super) fn success(&self) -> Reply {
        match self.personality().success {
            SuccessStyle::NoContent => Reply::new(StatusCode::NO_CONTENT),
            SuccessStyle::Message => {
                let message = Message::new(&message::SUCCESS, []).to_json(self.personality());
                Reply::json(
                    StatusCode::OK,
                    serde_json::json!({ "@Message.ExtendedInfo": [message] }),
                )
            }
            SuccessStyle::Error => {
                let success = Message::new(&message::SUCCESS, []);
                Reply::json(StatusCode::OK, message::error_body(&[success], &[], self.personality()))
            }
        }
    }

    /// Answers a PATCH whose properties were all wrong with 400. `messages` is empty if all were right.
    pub(super) fn refuse_if_any(&self, messages: &[Message]) -> Result<(), Reply> {
        if messages.is_empty() {
            return Ok(());
        }
        Err(message::errors(StatusCode::BAD_REQUEST, messages, self.personality()))
    }
}

/// Most documents are shorter than this.
const TEXT_CAPACITY: usize = 8 * 1024;

/// A strong ETag over the content. What changes by itself all the time does not count, or no PATCH with a
/// precondition would ever succeed.
fn etag(document: &Value) -> String {
    const VOLATILE: [&str; 5] = ["DateTime", "PercentComplete", "Reading", "SpeedRPM", "@odata.etag"];
    // The text is hashed in one go: a hash that takes it token by token spends its time with its own buffer.
    let mut text = Vec::with_capacity(TEXT_CAPACITY);
    let add = |text: &mut Vec<u8>, value: &Value| {
        // A vector takes everything, and documents have text for keys.
        let written = serde_json::to_writer(text, value);
        debug_assert!(written.is_ok(), "{written:?}");
    };
    match document {
        Value::Object(object) => {
            for (name, value) in object.iter().filter(|(name, _)| !VOLATILE.contains(&name.as_str())) {
                text.extend_from_slice(name.as_bytes());
                add(&mut text, value);
            }
        }
        other => add(&mut text, other),
    }
    format!("\"{}\"", hex::encode(&Sha256::digest(&text)[..8]))
}

fn matches_etag(header: &str, tag: &str) -> bool {
    header
        .split(',')
        .map(str::trim)
        .any(|candidate| candidate == "*" || candidate.trim_start_matches("W/").replace("\"\"", "\"") == tag)
}

/// A resource collection.
pub(super) fn collection(uri: &str, schema: &str, name: &str, members: impl IntoIterator<Item = String>) -> Value {
    let members: Vec<Value> = members
        .into_iter()
        .map(|uri| serde_json::json!({ "@odata.id": uri }))
        .collect();
    serde_json::json!({
        "@odata.type": format!("#{schema}.{schema}"),
        "@odata.id": uri,
        "Name": name,
        "Members@odata.count": members.len(),
        "Members": members,
    })
}

/// Leaves a property of an object out.
pub(super) fn leave_out(object: &mut Value, property: &str) {
    if let Some(object) = object.as_object_mut() {
        object.shift_remove(property);
    }
}

/// `{"@odata.id": uri}`.
pub(super) fn link(uri: impl Into<String>) -> Value {
    serde_json::json!({ "@odata.id": uri.into() })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn etags_follow_the_content_and_ignore_the_clock() {
        let document = json!({ "Name": "a", "DateTime": "2026-01-01T00:00:00Z" });
        assert_eq!(
            etag(&document),
            etag(&json!({ "Name": "a", "DateTime": "2027-01-01T00:00:00Z" }))
        );
        assert_ne!(
            etag(&document),
            etag(&json!({ "Name": "b", "DateTime": "2026-01-01T00:00:00Z" }))
        );
    }

    #[test]
    fn etag_lists_and_weak_tags_match() {
        assert!(matches_etag("*", "\"a\""));
        assert!(matches_etag("\"b\", \"a\"", "\"a\""));
        assert!(matches_etag("W/\"a\"", "\"a\""));
        assert!(!matches_etag("\"b\"", "\"a\""));
    }
}
