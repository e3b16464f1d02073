//! Events on their way to a subscriber (DSP0266 §12.5).

use std::time::Duration;

use bytes::Bytes;
use http::header;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use tokio::time::{sleep, timeout};
use tower::ServiceExt;

use super::context::leave_out;
use super::occurrence::Occurrence;
use super::resource_event;
use super::subscriptions::Subscription;
use crate::bmc::Bmc;
use crate::event::MachineEventKind;
use crate::machine::Machine;
use crate::quirk::Quirk;

pub(super) const ATTEMPTS: u32 = 3;
pub(super) const RETRY_INTERVAL: Duration = Duration::from_secs(30);
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);

/// One event for one subscriber.
#[derive(Debug)]
pub(crate) struct Delivery {
    subscription: u64,
    destination: String,
    http_headers: Vec<(String, String)>,
    terminates: bool,
    body: Value,
}

impl Delivery {
    pub(super) fn new(subscription: u64, receiver: &Subscription, body: Value) -> Self {
        Self {
            subscription,
            destination: receiver.destination.clone(),
            http_headers: receiver.http_headers.clone(),
            terminates: receiver.delivery_retry_policy == "TerminateAfterRetries",
            body,
        }
    }
}

/// An `Event` of one record for one receiver.
pub(super) fn event(event_id: u64, receiver: &Subscription, mut record: Value) -> Value {
    record["EventId"] = json!(event_id.to_string());
    record["Context"] = json!(receiver.context);
    json!({
        "@odata.type": "#Event.v1_10_0.Event",
        "Id": event_id.to_string(),
        "Name": "Event Array",
        "Context": receiver.context,
        "Events": [record],
    })
}

/// Delivers one event, with retries; a subscriber that stays away may lose its subscription.
pub(crate) async fn run(bmc: Bmc, delivery: Delivery) {
    let interval = bmc.with(|machine, _| machine.scaled(RETRY_INTERVAL));
    for attempt in 1..=ATTEMPTS {
        match post(&bmc, &delivery).await {
            Ok(()) => return,
            Err(reason) => {
                tracing::debug!(
                    machine = bmc.name(),
                    destination = delivery.destination,
                    attempt,
                    reason,
                    "event not delivered"
                );
            }
        }
        if attempt < ATTEMPTS {
            sleep(interval).await;
        }
    }
    if delivery.terminates {
        bmc.with(|machine, _| machine.redfish.subscriptions.terminate(delivery.subscription));
    }
}

async fn post(bmc: &Bmc, delivery: &Delivery) -> Result<(), String> {
    if bmc.with(|machine, _| machine.faults.loses_events()) {
        return Err("lost on the way".to_owned());
    }
    let mut request = http::Request::post(&delivery.destination).header(header::CONTENT_TYPE, "application/json");
    for (name, value) in &delivery.http_headers {
        request = request.header(name, value);
    }
    let request = request
        .body(Bytes::from(delivery.body.to_string()))
        .map_err(|error| error.to_string())?;
    match timeout(REQUEST_TIMEOUT, bmc.shared().edges.http.clone().oneshot(request)).await {
        Ok(Ok(response)) if response.status().is_success() => Ok(()),
        Ok(Ok(response)) => Err(response.status().to_string()),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err("no answer".to_owned()),
    }
}

/// What subscribers are told about something that happened, if they are told at all.
pub(super) fn event_record(machine: &Machine, at: Timestamp, kind: &MachineEventKind) -> Option<Value> {
    let occurrence = Occurrence::of(machine, kind)?;
    let mut record = record(
        &time_stamp(machine, at),
        &occurrence.message_id(),
        &occurrence.text(),
        &occurrence.arguments,
        occurrence.severity(),
        Some((occurrence.event_type(), occurrence.origin)),
    );
    if machine.has(Quirk::BareEventRecords) {
        leave_out(&mut record, "MemberId");
        leave_out(&mut record, "EventType");
    }
    Some(record)
}

pub(super) fn test_record(machine: &Machine, at: Timestamp) -> Value {
    let text = format!("Test event of {}.", machine.hardware.name);
    let id = format!("{}.{}", resource_event::ID, resource_event::TEST.id);
    record(&time_stamp(machine, at), &id, &text, &[], "OK", None)
}

fn time_stamp(machine: &Machine, at: Timestamp) -> String {
    let time = machine.bmc_time(at);
    if !machine.has(Quirk::EventTimeWithoutColon) {
        return time.to_string();
    }
    let local = time
        .checked_sub(SignedDuration::from_hours(6))
        .unwrap_or(time)
        .to_string();
    format!("{}-0600", local.trim_end_matches('Z'))
}

fn record(
    at: &str,
    id: &str,
    text: &str,
    arguments: &[String],
    severity: &str,
    origin: Option<(&str, String)>,
) -> Value {
    let mut record = json!({
        "MemberId": "0",
        "EventType": origin.as_ref().map_or("Alert", |(event_type, _)| event_type),
        "EventTimestamp": at,
        "MessageId": id,
        "Message": text,
        "MessageArgs": arguments,
        "Severity": severity,
        "MessageSeverity": severity,
    });
    if let Some((_, origin)) = origin {
        record["OriginOfCondition"] = json!({ "@odata.id": origin });
    }
    record
}
