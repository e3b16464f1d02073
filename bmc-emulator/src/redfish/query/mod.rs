//! Query parameters (DSP0266 §7.3), in the order in which the specification applies them: `only`, `$filter`, `$skip`,
//! `$top`, `$expand`, `excerpt`, `$select`. Which of them a BMC knows is up to its personality; the others it refuses.

mod expand;
mod filter;
mod select;

use http::{HeaderMap, Method, StatusCode, header};
use serde_json::Value;

use self::expand::Expand;
use self::filter::Filter;
use self::select::Select;
use super::call::{Call, Content, Reply};
use super::context::{Answer, Context};
use super::dispatch;
use super::message::{self, Message};

/// What a request wants to be done to the representation it gets.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Query {
    only: bool,
    filter: Option<Filter>,
    skip: Option<usize>,
    top: Option<usize>,
    expand: Option<Expand>,
    excerpt: bool,
    select: Option<Select>,
}

impl Query {
    /// Reads the query of a request. Unknown parameters without `$` are ignored, unknown ones with `$` are refused.
    pub(super) fn parse(cx: &Context<'_>) -> Result<Self, Reply> {
        let mut query = Self::default();
        let text = cx.call.query.as_deref().unwrap_or_default();
        let known = &cx.personality().query;
        let mut used = Vec::new();
        for (name, value) in form_urlencoded::parse(text.as_bytes()) {
            let bad = || bad_value(cx, &name, &value);
            let count = || value.parse::<usize>().map_err(|_| bad());
            match name.as_ref() {
                "only" if known.only && value.is_empty() => query.only = true,
                "excerpt" if known.excerpt && value.is_empty() => query.excerpt = true,
                "only" if known.only => return Err(bad()),
                "excerpt" if known.excerpt => return Err(bad()),
                "$filter" if known.filter => query.filter = Some(Filter::parse(&value).ok_or_else(bad)?),
                "$skip" if known.paging => query.skip = Some(count()?),
                "$top" if known.paging => query.top = Some(count()?),
                "$expand" if known.expand_levels > 0 => {
                    query.expand = Some(Expand::parse(&value, known).ok_or_else(bad)?);
                }
                "$select" if known.select => query.select = Some(Select::parse(&value).ok_or_else(bad)?),
                unsupported if unsupported.starts_with('$') => {
                    let message = Message::new(&message::QUERY_NOT_SUPPORTED, [unsupported]);
                    return Err(cx.error(StatusCode::NOT_IMPLEMENTED, message));
                }
                _ => continue,
            }
            used.push(name);
        }
        if !used.is_empty() && !matches!(cx.call.method, Method::GET | Method::HEAD) {
            let message = Message::new(&message::QUERY_NOT_ON_OPERATION, []);
            return Err(cx.error(StatusCode::BAD_REQUEST, message));
        }
        if (query.only || query.excerpt) && used.len() > 1 {
            let message = Message::new(&message::QUERY_COMBINATION, []);
            return Err(cx.error(StatusCode::BAD_REQUEST, message));
        }
        Ok(query)
    }

    /// Whether the answer shows something else than the resource, or more than it, so that its ETag does not fit.
    fn reshapes(&self) -> bool {
        self.only || self.filter.is_some() || self.skip.is_some() || self.top.is_some() || self.expand.is_some()
    }

    /// Carries out the request and does to the answer what was asked for.
    pub(super) fn answer(&self, cx: &mut Context<'_>, segments: &[&str]) -> Answer {
        if *self == Self::default() {
            return dispatch(cx, segments);
        }
        let reply = if self.reshapes() {
            let reply = unconditionally(cx, cx.call.method.clone(), |cx| dispatch(cx, segments))?;
            self.reshape(cx, reply)?
        } else {
            dispatch(cx, segments)?
        };
        let reply = if self.excerpt { excerpt(reply) } else { reply };
        Ok(match &self.select {
            Some(select) => selected(select, reply),
            None => reply,
        })
    }

    fn reshape(&self, cx: &mut Context<'_>, reply: Reply) -> Answer {
        let Some(Content::Json(mut document)) = reply.body else {
            return Ok(reply);
        };
        if self.only || self.filter.is_some() || self.skip.is_some() || self.top.is_some() {
            if !document.get("Members").is_some_and(Value::is_array) {
                let message = Message::new(&message::QUERY_NOT_ON_RESOURCE, []);
                return Err(cx.error(StatusCode::BAD_REQUEST, message));
            }
            if self.only
                && let Some(document) = only_member(&document).and_then(|member| read(cx, member))
            {
                return Ok(cx.document(document));
            }
            self.choose_members(cx, &mut document);
        }
        if let Some(expand) = &self.expand {
            expand.apply(cx, &mut document);
        }
        let mut fresh = cx.document(document);
        let kept = reply.headers.into_iter().filter(|(name, _)| *name != header::ETAG);
        fresh.headers.extend(kept);
        Ok(fresh)
    }

    /// `Members@odata.count` counts what matches, whatever part of it is shown (DSP0266 §7.3.5, §7.3.6).
    fn choose_members(&self, cx: &mut Context<'_>, document: &mut Value) {
        let Some(Value::Array(members)) = document.get_mut("Members").map(Value::take) else {
            return;
        };
        let matching: Vec<Value> = match &self.filter {
            Some(filter) => members
                .into_iter()
                .filter(|member| full(cx, member).is_some_and(|document| filter.matches(&document)))
                .collect(),
            None => members,
        };
        document["Members@odata.count"] = matching.len().into();
        let shown = matching.into_iter().skip(self.skip.unwrap_or(0));
        document["Members"] = shown.take(self.top.unwrap_or(usize::MAX)).collect();
    }
}

fn bad_value(cx: &Context<'_>, name: &str, value: &str) -> Reply {
    let message = Message::new(&message::QUERY_VALUE_ERROR, [value, name]);
    cx.error(StatusCode::BAD_REQUEST, message)
}

fn only_member(collection: &Value) -> Option<String> {
    match collection["Members"].as_array()?.as_slice() {
        [member] => Some(member["@odata.id"].as_str()?.to_owned()),
        _ => None,
    }
}

/// The properties the schema marks for excerpts. Only Sensor has any; other resources stay whole.
fn excerpt(reply: Reply) -> Reply {
    let is_sensor = |document: &Value| {
        document["@odata.type"]
            .as_str()
            .is_some_and(|name| name.starts_with("#Sensor."))
    };
    match &reply.body {
        Some(Content::Json(document)) if is_sensor(document) => selected(&Select::excerpt_of_sensor(), reply),
        _ => reply,
    }
}

fn selected(select: &Select, mut reply: Reply) -> Reply {
    if let Some(Content::Json(document)) = &mut reply.body {
        *document = select.apply(document.take());
    }
    reply
}

/// A member in full: collections show links, log services whole entries.
fn full(cx: &mut Context<'_>, member: &Value) -> Option<Value> {
    match reference(member) {
        Some(uri) => read(cx, uri.to_owned()),
        None => Some(member.clone()),
    }
}

/// Where a value points to that is nothing but a link to a resource.
fn reference(value: &Value) -> Option<&str> {
    match value.as_object() {
        Some(object) if object.len() == 1 => object.get("@odata.id")?.as_str().filter(|uri| !uri.contains('#')),
        _ => None,
    }
}

/// The resource at `path` as the caller of this request would get it.
fn read(cx: &mut Context<'_>, path: String) -> Option<Value> {
    let call = Call {
        method: Method::GET,
        path: path.trim_end_matches('/').to_owned(),
        query: None,
        headers: HeaderMap::new(),
        body: bytes::Bytes::new(),
    };
    let segments: Vec<&str> = call.path.split('/').skip(1).collect();
    match dispatch(&mut cx.with_call(&call), &segments).ok()?.body? {
        Content::Json(document) => Some(document),
        Content::Xml(_) | Content::Events(_) | Content::Compressed { .. } => None,
    }
}

/// Without the precondition of the request: it is about the answer after the query has been applied.
pub(super) fn unconditionally(
    cx: &mut Context<'_>,
    method: Method,
    f: impl FnOnce(&mut Context<'_>) -> Answer,
) -> Answer {
    let mut headers = cx.call.headers.clone();
    headers.remove(header::IF_NONE_MATCH);
    let call = Call {
        method,
        path: cx.call.path.clone(),
        query: None,
        headers,
        body: bytes::Bytes::new(),
    };
    f(&mut cx.with_call(&call))
}
