//! Everything that can be reached, once each.

use std::collections::BTreeSet;

use serde_json::Value;

use super::client::{Client, Fetched};
use super::store::{Content, Partial};
use super::{RecordError, RecordOptions, RecordProgress, references, scrub};

/// Where every service begins (DSP0266 §6.2, §8.4).
const BEGINNINGS: [&str; 4] = ["/redfish", "/redfish/v1", "/redfish/v1/odata", "/redfish/v1/$metadata"];
/// More pages than this has no collection; a BMC whose last page links to its first one has.
const MAXIMUM_PAGES: usize = 1000;

/// Reads what is not in the partial recording yet, and returns what could not be read.
pub(super) async fn crawl(
    options: &RecordOptions,
    client: &mut Client,
    partial: &Partial,
    mut progress: impl FnMut(&RecordProgress<'_>),
) -> Result<Vec<(String, String)>, RecordError> {
    let mut open: BTreeSet<String> = BEGINNINGS.into_iter().map(str::to_owned).collect();
    let mut known = open.clone();
    let mut skipped = Vec::new();
    let mut sessions = "/redfish/v1/SessionService/Sessions".to_owned();
    while let Some(path) = open.pop_first() {
        progress(&RecordProgress {
            done: known.len() - open.len() - 1,
            known: known.len(),
            path: &path,
        });
        let content = match partial.read(&path)? {
            Some(content) => content,
            None => match fetch(options, client, &path, path == sessions).await {
                Ok(content) => {
                    partial.write(&path, &content)?;
                    content
                }
                Err(Fetched::Silence(reason)) => {
                    return Err(RecordError::NoAnswer {
                        path,
                        reason,
                        partial: partial.folder.clone(),
                    });
                }
                Err(Fetched::Refused(reason)) => {
                    skipped.push((path, reason));
                    continue;
                }
                Err(Fetched::Body(_)) => {
                    skipped.push((path, "neither JSON nor XML".to_owned()));
                    continue;
                }
            },
        };
        let references = match &content {
            Content::Json(document) => {
                if path == "/redfish/v1"
                    && let Some(uri) = document["Links"]["Sessions"]["@odata.id"].as_str()
                {
                    uri.trim_end_matches('/').clone_into(&mut sessions);
                }
                references::of_document(document)
            }
            Content::Xml(text) if path.ends_with("$metadata") => references::of_metadata(text),
            Content::Xml(_) => Vec::new(),
        };
        // Identifiers of sessions are as good as passwords with some BMCs, and never worth anything later.
        let is_session = |path: &String| path.strip_prefix(&sessions).is_some_and(|rest| rest.starts_with('/'));
        for reference in references.into_iter().filter(|path| !is_session(path)) {
            if known.insert(reference.clone()) {
                open.insert(reference);
            }
        }
    }
    Ok(skipped)
}

/// One resource, all pages of it, without secrets.
async fn fetch(
    options: &RecordOptions,
    client: &mut Client,
    path: &str,
    is_sessions: bool,
) -> Result<Content, Fetched> {
    let mut document = match read(client, path).await? {
        Content::Json(document) => document,
        xml => return Ok(xml),
    };
    if is_sessions {
        document["Members"] = Value::Array(Vec::new());
        document["Members@odata.count"] = 0.into();
    }
    let is_log = document["@odata.type"]
        .as_str()
        .is_some_and(|name| name.starts_with("#LogEntryCollection"));
    let limit = if is_log { options.log_entries } else { usize::MAX };
    add_pages(client, &mut document, limit).await?;
    scrub::remove_secrets(&mut document);
    Ok(Content::Json(document))
}

async fn add_pages(client: &mut Client, document: &mut Value, limit: usize) -> Result<(), Fetched> {
    const NEXT: &str = "Members@odata.nextLink";
    let Some(object) = document.as_object_mut() else {
        return Ok(());
    };
    let mut next = object.shift_remove(NEXT);
    let is_paged = next.is_some();
    let Some(Value::Array(members)) = object.get_mut("Members") else {
        return Ok(());
    };
    for _ in 0..MAXIMUM_PAGES {
        let Some(uri) = next
            .as_ref()
            .and_then(|uri| uri.as_str().or_else(|| uri["@odata.id"].as_str()))
        else {
            break;
        };
        if members.len() >= limit || !uri.starts_with('/') {
            break;
        }
        let Content::Json(mut page) = read(client, uri).await? else {
            break;
        };
        if let Some(Value::Array(more)) = page.get_mut("Members") {
            members.append(more);
        }
        next = page.get(NEXT).cloned();
    }
    let is_cut = members.len() > limit;
    members.truncate(limit);
    let count = members.len();
    if is_paged || is_cut {
        object.insert("Members@odata.count".to_owned(), count.into());
    }
    Ok(())
}

async fn read(client: &mut Client, path: &str) -> Result<Content, Fetched> {
    let body = match client.get(path).await {
        Fetched::Body(body) => body,
        other => return Err(other),
    };
    if let Ok(document) = serde_json::from_slice(&body) {
        return Ok(Content::Json(document));
    }
    match std::str::from_utf8(&body) {
        Ok(text) if text.trim_start_matches('\u{feff}').trim_start().starts_with('<') => {
            Ok(Content::Xml(text.to_owned()))
        }
        _ => Err(Fetched::Body(body)),
    }
}
