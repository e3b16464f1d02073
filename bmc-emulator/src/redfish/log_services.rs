//! `LogServices`: the event log (DSP0268, LogService and LogEntry).

use http::StatusCode;
use serde_json::{Value, json};

use super::context::{Answer, Context, collection, link};
use super::message::{self, Message};
use super::occurrence::Occurrence;
use crate::machine::event_log::{CAPACITY, LogEntry};

/// `parent` is the system or the manager, whichever has the log.
pub(super) fn route(cx: &mut Context<'_>, parent: &str, rest: &[&str]) -> Answer {
    let id = cx.personality().log.id;
    let services = format!("{parent}/LogServices");
    let uri = format!("{services}/{id}");
    match rest {
        [] => cx.read_only(|_| {
            collection(
                &services,
                "LogServiceCollection",
                "Log Service Collection",
                [uri.clone()],
            )
        }),
        [log] if *log == id => cx.read_only(|cx| service(cx, &uri)),
        [log, "Actions", "LogService.ClearLog"] if *log == id => clear(cx),
        [log, "Entries"] if *log == id => cx.read_only(|cx| entries(cx, &uri)),
        [log, "Entries", entry] if *log == id => {
            let found = cx
                .machine
                .log
                .entries()
                .find(|known| known.number.to_string() == *entry);
            match found.and_then(|entry| document(cx, &uri, entry)) {
                Some(document) => cx.read_only(|_| document),
                None => cx.not_found(),
            }
        }
        _ => cx.not_found(),
    }
}

fn service(cx: &mut Context<'_>, uri: &str) -> Value {
    json!({
        "@odata.type": "#LogService.v1_8_0.LogService",
        "@odata.id": uri,
        "Id": cx.personality().log.id,
        "Name": "Event Log",
        "Status": { "State": "Enabled", "Health": "OK" },
        "ServiceEnabled": true,
        "LogEntryType": "Event",
        "MaxNumberOfRecords": CAPACITY,
        "OverWritePolicy": "WrapsWhenFull",
        "DateTime": cx.machine.bmc_time(cx.moment.wall).to_string(),
        "DateTimeLocalOffset": "+00:00",
        "Entries": link(format!("{uri}/Entries")),
        "Actions": { "#LogService.ClearLog": { "target": format!("{uri}/Actions/LogService.ClearLog") } },
    })
}

/// Entries are shown in full, as the schema demands of this collection.
fn entries(cx: &Context<'_>, uri: &str) -> Value {
    let members: Vec<Value> = cx
        .machine
        .log
        .entries()
        .filter_map(|entry| document(cx, uri, entry))
        .collect();
    let uri = format!("{uri}/Entries");
    let mut document = collection(&uri, "LogEntryCollection", "Event Log Entries", []);
    document["Members@odata.count"] = members.len().into();
    document["Members"] = members.into();
    document
}

fn document(cx: &Context<'_>, uri: &str, entry: &LogEntry) -> Option<Value> {
    let occurrence = Occurrence::of(cx.machine, &entry.kind)?;
    Some(json!({
        "@odata.type": "#LogEntry.v1_18_0.LogEntry",
        "@odata.id": format!("{uri}/Entries/{}", entry.number),
        "Id": entry.number.to_string(),
        "Name": format!("Log Entry {}", entry.number),
        "EntryType": "Event",
        "Created": entry.created.to_string(),
        "EventTimestamp": entry.created.to_string(),
        "Severity": occurrence.severity(),
        "Message": occurrence.text(),
        "MessageId": occurrence.message_id(),
        "MessageArgs": occurrence.arguments,
        "Links": { "OriginOfCondition": link(occurrence.origin) },
    }))
}

fn clear(cx: &mut Context<'_>) -> Answer {
    const ACTION: &str = "LogService.ClearLog";
    cx.require_post()?;
    let body = cx.action_object()?;
    if let Some(unknown) = body.keys().next() {
        let message = Message::new(&message::ACTION_PARAMETER_UNKNOWN, [ACTION, unknown]);
        return Err(cx.error(StatusCode::BAD_REQUEST, message.about(format!("#/{unknown}"))));
    }
    cx.machine.log.clear();
    Ok(cx.success())
}
