//! GET of one object and of lists: consistency, pages, selectors (kube-semantics §1.3, §1.7).

use std::collections::BTreeMap;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::StatusCode;
use serde_json::{Value, json};

use super::field_error::FieldError;
use super::status::ApiError;
use super::{Answer, Call, render};
use crate::resource::{Resource, Shape, events};
use crate::selector::{FieldSelector, LabelSelector};
use crate::store::{ObjectKey, Stored};

pub(super) async fn get(
    call: &Call,
    resource: &Arc<Resource>,
    namespace: Option<&str>,
    name: &str,
) -> Result<Answer, ApiError> {
    let wanted = call.query.get("resourceVersion").map(|wanted| {
        let revision = wanted.parse::<u64>();
        revision.map_err(|_| ApiError::internal(not_a_revision(wanted)))
    });
    let cached = match wanted.transpose()? {
        Some(wanted) => cached(call, resource, wanted).await?,
        None => None,
    };
    let (store, key) = (call.emulator.store(), ObjectKey::new(namespace, name));
    let stored = match cached {
        Some(revision) => store.read(&resource.storage, |table, _| table.get_at(&key, revision).cloned()),
        None => store.get(&resource.storage, &key),
    };
    let stored = stored.ok_or_else(|| ApiError::not_found(resource, name))?;
    Ok(Answer::Object(StatusCode::OK, resource.clone(), stored))
}

/// How the server calls a resourceVersion that is no number.
pub(super) fn not_a_revision(text: &str) -> String {
    format!("resourceVersion: Invalid value: {text:?}: strconv.ParseUint: parsing {text:?}: invalid syntax")
}

fn not_in_the_future(call: &Call, wanted: u64) -> Result<(), ApiError> {
    let current = call.emulator.store().revision();
    if wanted > current {
        Err(ApiError::too_large_revision(wanted, current))
    } else {
        Ok(())
    }
}

/// The revision of a watch cache that is at least at `wanted`; `None` if it does not lag.
async fn cached(call: &Call, resource: &Resource, wanted: u64) -> Result<Option<u64>, ApiError> {
    not_in_the_future(call, wanted)?;
    let cached = call.front_end.caught_up(resource, wanted).await;
    cached.map_err(|current| ApiError::too_large_revision(wanted, current))
}

/// Both selectors of a list or watch.
#[derive(Clone, Debug)]
pub(super) struct Selectors {
    pub(super) labels: LabelSelector,
    pub(super) fields: FieldSelector,
}

impl Selectors {
    pub(super) fn parse(call: &Call, resource: &Resource) -> Result<Self, ApiError> {
        let labels =
            LabelSelector::parse(call.query.get("labelSelector").unwrap_or_default()).map_err(ApiError::bad_request)?;
        let fields =
            FieldSelector::parse(call.query.get("fieldSelector").unwrap_or_default()).map_err(ApiError::bad_request)?;
        for requirement in fields.requirements() {
            let path = requirement.path.as_str();
            let known = path == "metadata.name"
                || (path == "metadata.namespace" && (resource.namespaced || !resource.custom))
                || resource.selectable_fields.iter().any(|field| field == path);
            if known {
                continue;
            }
            let message = if resource.custom || !resource.selectable_fields.is_empty() {
                format!("field label not supported: {path}")
            } else {
                format!("\"{path}\" is not a known field selector: only \"metadata.name\", \"metadata.namespace\"")
            };
            return Err(ApiError::bad_request(message));
        }
        Ok(Self { labels, fields })
    }

    pub(super) fn is_everything(&self) -> bool {
        self.labels.is_everything() && self.fields.is_everything()
    }

    /// Whether a stored object is selected; field paths are those of the endpoint's shape.
    pub(super) fn matches(&self, resource: &Resource, stored: &Value) -> bool {
        if !self.labels.matches(stored) {
            return false;
        }
        if self.fields.is_everything() {
            return true;
        }
        match resource.shape {
            Shape::Stored => self.fields.matches(stored),
            Shape::NewEvent => self.fields.matches(&events::to_new(stored)),
        }
    }
}

/// The selected current objects.
pub(super) fn select(call: &Call, resource: &Resource, namespace: Option<&str>) -> Result<Vec<Arc<Stored>>, ApiError> {
    let selectors = Selectors::parse(call, resource)?;
    Ok(call.emulator.store().read(&resource.storage, |table, _| {
        let range = table.range(namespace, None);
        range
            .filter(|(_, stored)| selectors.matches(resource, stored.value()))
            .map(|(_, stored)| stored.clone())
            .collect()
    }))
}

/// A page of a list.
pub(super) struct Page {
    pub(super) objects: Vec<Arc<Stored>>,
    pub(super) revision: u64,
    pub(super) next: Option<String>,
    pub(super) remaining: Option<usize>,
}

pub(super) async fn list(call: &Call, resource: &Arc<Resource>, namespace: Option<&str>) -> Result<Answer, ApiError> {
    let selectors = Selectors::parse(call, resource)?;
    let page = page(call, resource, namespace, &selectors).await?;
    render::list(call, resource, &page)
}

/// Where a page starts and of which content it is.
struct Position {
    content: Content,
    start: Option<ObjectKey>,
}

enum Content {
    Current,
    /// From the watch cache, once it has this revision.
    NotOlderThan(u64),
    Exactly(u64),
}

async fn page(
    call: &Call,
    resource: &Resource,
    namespace: Option<&str>,
    selectors: &Selectors,
) -> Result<Page, ApiError> {
    let mut limit = usize::try_from(call.query.number("limit")?.unwrap_or(0)).unwrap_or(0);
    let position = position(call, namespace)?;
    // Answered from the watch cache, which does not page (trap T11).
    if call.query.get("resourceVersion") == Some("0") && position.start.is_none() {
        limit = 0;
    }
    let expired = |revision, oldest| expired_list(revision, oldest, position.start.as_ref(), namespace);
    let revision = match position.content {
        Content::Current => None,
        Content::NotOlderThan(revision) => cached(call, resource, revision).await?,
        Content::Exactly(revision) if revision < call.front_end.oldest() => {
            return Err(expired(revision, call.front_end.oldest()));
        }
        Content::Exactly(revision) => Some(revision),
    };
    let (objects, revision) = match revision {
        None => call.emulator.store().read(&resource.storage, |table, revision| {
            (
                collect(
                    table.range(namespace, position.start.as_ref()),
                    selectors,
                    resource,
                    limit,
                ),
                revision,
            )
        }),
        Some(revision) => {
            let old = call
                .emulator
                .store()
                .read(&resource.storage, |table, _| table.at(revision));
            let old: BTreeMap<ObjectKey, Arc<Stored>> = old.map_err(|error| expired(revision, error.oldest))?;
            let range = old.iter().filter(|(key, _)| {
                key.in_namespace(namespace) && position.start.as_ref().is_none_or(|start| *key >= start)
            });
            (collect(range, selectors, resource, limit), revision)
        }
    };
    let Collected {
        objects,
        next,
        remaining,
    } = objects;
    Ok(Page {
        objects,
        revision,
        next: next.map(|key| continue_token(revision as i64, &key, namespace)),
        remaining: remaining.filter(|_| selectors.is_everything()),
    })
}

struct Collected {
    objects: Vec<Arc<Stored>>,
    next: Option<ObjectKey>,
    remaining: Option<usize>,
}

fn collect<'a>(
    range: impl Iterator<Item = (&'a ObjectKey, &'a Arc<Stored>)>,
    selectors: &Selectors,
    resource: &Resource,
    limit: usize,
) -> Collected {
    let mut selected =
        range.filter(|(_, stored)| selectors.is_everything() || selectors.matches(resource, stored.value()));
    if limit == 0 {
        return Collected {
            objects: selected.map(|(_, stored)| stored.clone()).collect(),
            next: None,
            remaining: None,
        };
    }
    let objects = selected
        .by_ref()
        .take(limit)
        .map(|(_, stored)| stored.clone())
        .collect();
    let Some((next, _)) = selected.next() else {
        return Collected {
            objects,
            next: None,
            remaining: None,
        };
    };
    let next = next.clone();
    Collected {
        objects,
        next: Some(next),
        remaining: Some(1 + selected.count()),
    }
}

fn position(call: &Call, namespace: Option<&str>) -> Result<Position, ApiError> {
    let wanted = call.query.get("resourceVersion");
    let matching = call.query.get("resourceVersionMatch");
    if call.query.get("sendInitialEvents").is_some() {
        let error = FieldError::forbidden("sendInitialEvents", "sendInitialEvents is forbidden for list");
        return Err(ApiError::invalid_options("ListOptions", &[error]));
    }
    if let Some(token) = call.query.get("continue") {
        if wanted.is_some_and(|wanted| wanted != "0") {
            return Err(ApiError::bad_request(
                "specifying resource version is not allowed when using continue",
            ));
        }
        return decode_continue(token, namespace);
    }
    let options_error = |error: FieldError| Err(ApiError::invalid_options("ListOptions", &[error]));
    let revision = match wanted {
        None => None,
        Some(text) => Some(
            text.parse::<u64>()
                .map_err(|_| ApiError::bad_request(format!("invalid resource version: {}", not_a_revision(text))))?,
        ),
    };
    match (matching, revision) {
        (None, None) => Ok(Position {
            content: Content::Current,
            start: None,
        }),
        (None | Some("NotOlderThan"), Some(revision)) => Ok(Position {
            content: Content::NotOlderThan(revision),
            start: None,
        }),
        (Some(_), None) => options_error(FieldError::forbidden(
            "resourceVersionMatch",
            "resourceVersionMatch is forbidden unless resourceVersion is provided",
        )),
        (Some("Exact"), Some(0)) => options_error(FieldError::forbidden(
            "resourceVersionMatch",
            "resourceVersionMatch \"exact\" is forbidden for resourceVersion \"0\"",
        )),
        (Some("Exact"), Some(revision)) => {
            not_in_the_future(call, revision)?;
            Ok(Position {
                content: Content::Exactly(revision),
                start: None,
            })
        }
        (Some(other), Some(_)) => {
            let supported = ["Exact", "NotOlderThan", ""];
            options_error(FieldError::not_supported(
                "resourceVersionMatch",
                &json!(other),
                supported,
            ))
        }
    }
}

/// `{"v":…,"rv":…,"start":…}` in base64url; revision -1 continues on whatever is current.
fn continue_token(revision: i64, next: &ObjectKey, namespace: Option<&str>) -> String {
    let start = match namespace {
        Some(namespace) => next
            .as_str()
            .strip_prefix(namespace)
            .and_then(|rest| rest.strip_prefix('/')),
        None => None,
    };
    let start = start.unwrap_or(next.as_str());
    let token = json!({"v": "meta.k8s.io/v1", "rv": revision, "start": start});
    URL_SAFE_NO_PAD.encode(token.to_string())
}

fn decode_continue(token: &str, namespace: Option<&str>) -> Result<Position, ApiError> {
    let invalid = || ApiError::bad_request("invalid continue token: continue key is not valid");
    let bytes = URL_SAFE_NO_PAD
        .decode(token.trim_end_matches('='))
        .map_err(|_| invalid())?;
    let token: Value = serde_json::from_slice(&bytes).map_err(|_| invalid())?;
    let start = token["start"]
        .as_str()
        .filter(|start| !start.is_empty())
        .ok_or_else(invalid)?;
    if token["v"] != "meta.k8s.io/v1" {
        return Err(invalid());
    }
    let start = match namespace {
        Some(namespace) => format!("{namespace}/{start}"),
        None => start.to_owned(),
    };
    let revision = token["rv"].as_i64().ok_or_else(invalid)?;
    Ok(Position {
        content: u64::try_from(revision).map_or(Content::Current, Content::Exactly),
        start: Some(ObjectKey::from_text(start)),
    })
}

/// 410, with a token that goes on without consistency.
fn expired_list(revision: u64, oldest: u64, start: Option<&ObjectKey>, namespace: Option<&str>) -> ApiError {
    let Some(start) = start else {
        return ApiError::expired(oldest, revision);
    };
    let mut error = ApiError::new(
        410,
        "Expired",
        "The provided continue parameter is too old to display a consistent list result. You can start a new list \
         without the continue parameter, or use the continue token in this response to retrieve the remainder of the \
         results. Continuing with the provided token results in an inconsistent list - objects that were created, \
         modified, or deleted between the time the first chunk was returned and now may show up in the list.",
    );
    error.continue_token = Some(continue_token(-1, start, namespace));
    error
}
