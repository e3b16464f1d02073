//! What a client accepts and sends (DSP0266 §6.3): media types and compression.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use http::{Method, StatusCode, header};

use super::call::{Call, Reply};
use super::context::Context;
use super::message::{self, Message};
use super::server_sent_events;

/// A smaller answer does not get smaller by it.
const WORTH_COMPRESSING: usize = 1024;

/// Refuses a body that nothing can read.
pub(super) fn check_content_type(cx: &Context<'_>) -> Result<(), Reply> {
    let is_form = cx.call.path == cx.personality().multipart_push_uri;
    let sends = !cx.call.body.is_empty() && !is_form;
    match cx.call.header(&header::CONTENT_TYPE).filter(|_| sends) {
        Some(sent) if !media_type(sent).eq_ignore_ascii_case("application/json") => {
            let message = Message::new(&message::HEADER_INVALID, ["Content-Type"]);
            Err(cx.error(StatusCode::UNSUPPORTED_MEDIA_TYPE, message))
        }
        _ => Ok(()),
    }
}

/// Refuses to show a resource to a client that does not take the representation there is of it.
pub(super) fn check_accept(cx: &Context<'_>) -> Result<(), Reply> {
    let reads = matches!(cx.call.method, Method::GET | Method::HEAD);
    match cx.call.header(&header::ACCEPT).filter(|_| reads) {
        Some(accepted) if !accepts(accepted, representation(&cx.call.path)) => {
            let message = Message::new(&message::HEADER_INVALID, ["Accept"]);
            Err(cx.error(StatusCode::NOT_ACCEPTABLE, message))
        }
        _ => Ok(()),
    }
}

/// The only media type there is of a resource.
fn representation(path: &str) -> &'static str {
    match path {
        "/redfish/v1/$metadata" => "application/xml",
        server_sent_events::URI => "text/event-stream",
        _ => "application/json",
    }
}

/// Without parameters.
fn media_type(header: &str) -> &str {
    header.split(';').next().unwrap_or_default().trim()
}

/// Whether a list of `Accept` has `wanted` in it.
fn accepts(list: &str, wanted: &str) -> bool {
    let (kind, _) = wanted.split_once('/').unwrap_or((wanted, ""));
    list.split(',').any(|range| {
        let offered = media_type(range).to_ascii_lowercase();
        !is_refused(range) && (offered == wanted || offered == "*/*" || offered == format!("{kind}/*"))
    })
}

/// Whether an element of a list has the weight 0 (RFC 9110 §12.4.2).
fn is_refused(element: &str) -> bool {
    let mut parameters = element.split(';').skip(1).map(str::trim);
    let weight = parameters.find_map(|parameter| parameter.strip_prefix("q="));
    weight.is_some_and(|weight| weight.parse::<f32>() == Ok(0.0))
}

/// Whether the client takes compressed answers.
pub(super) fn accepts_gzip(call: &Call) -> bool {
    let list = call.header(&header::ACCEPT_ENCODING).unwrap_or_default();
    let is_gzip = |element: &&str| media_type(element).eq_ignore_ascii_case("gzip");
    list.split(',')
        .find(is_gzip)
        .is_some_and(|element| !is_refused(element))
}

/// `content` compressed, if that is worth it.
pub(super) fn compressed(content: &[u8]) -> Option<Vec<u8>> {
    if content.len() < WORTH_COMPRESSING {
        return None;
    }
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(content).ok()?;
    encoder.finish().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn media_types() {
        for (list, expected) in [
            ("application/json", true),
            ("text/html, application/xml;q=0.9, */*;q=0.8", true),
            ("Application/JSON; charset=utf-8", true),
            ("application/*", true),
            ("application/json;q=0", false),
            ("text/html", false),
            ("", false),
        ] {
            assert_eq!(accepts(list, "application/json"), expected, "{list:?}");
        }
    }
}
