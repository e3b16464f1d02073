//! `EventService` and its subscriptions.

use http::{Method, StatusCode, header};
use serde_json::{Map, Value, json};

use super::call::Reply;
use super::context::{Answer, Context, collection, leave_out, link};
use super::delivery;
use super::event_filter::{EVENT_TYPES, EventFilter};
use super::message::{self, Message};
use super::server_sent_events;
use super::subscriptions::Subscription;
use crate::quirk::Quirk;

const URI: &str = "/redfish/v1/EventService";
const SUBSCRIPTIONS: &str = "/redfish/v1/EventService/Subscriptions";
const SUBMIT_TEST_EVENT: &str = "/redfish/v1/EventService/Actions/EventService.SubmitTestEvent";

pub(super) fn route(cx: &mut Context<'_>, rest: &[&str]) -> Answer {
    cx.machine.redfish.subscriptions.prune();
    match rest {
        ["SSE"] => server_sent_events::open(cx),
        [] => cx.read_only(service),
        ["Actions", "EventService.SubmitTestEvent"] => submit_test_event(cx),
        ["Subscriptions"] if cx.call.method == Method::POST => subscribe(cx),
        ["Subscriptions"] => cx.read("GET, HEAD, POST", |cx| {
            let members = cx
                .machine
                .redfish
                .subscriptions
                .all
                .keys()
                .map(|id| format!("{SUBSCRIPTIONS}/{id}"));
            collection(
                SUBSCRIPTIONS,
                "EventDestinationCollection",
                "Event Subscriptions",
                members,
            )
        }),
        ["Subscriptions", id] => subscription(cx, id),
        _ => cx.not_found(),
    }
}

fn service(_: &mut Context<'_>) -> Value {
    json!({
        "@odata.type": "#EventService.v1_10_3.EventService",
        "@odata.id": URI,
        "Id": "EventService",
        "Name": "Event Service",
        "Status": { "State": "Enabled", "Health": "OK" },
        "ServiceEnabled": true,
        "DeliveryRetryAttempts": delivery::ATTEMPTS,
        "DeliveryRetryIntervalSeconds": delivery::RETRY_INTERVAL.as_secs(),
        "EventFormatTypes": ["Event", "MetricReport"],
        "RegistryPrefixes": ["ResourceEvent", "TaskEvent"],
        "ResourceTypes": ["ComputerSystem", "Task", "Manager", "Drive", "VolumeCollection", "SessionService"],
        "EventTypesForSubscription": EVENT_TYPES,
        "ExcludeMessageId": true,
        "ExcludeRegistryPrefix": true,
        "SubordinateResourcesSupported": true,
        "IncludeOriginOfConditionSupported": false,
        "ServerSentEventUri": server_sent_events::URI,
        "Subscriptions": link(SUBSCRIPTIONS),
        "Actions": { "#EventService.SubmitTestEvent": { "target": SUBMIT_TEST_EVENT } },
    })
}

fn submit_test_event(cx: &mut Context<'_>) -> Answer {
    cx.require_post()?;
    cx.action_object()?;
    let record = delivery::test_record(cx.machine, cx.moment.wall);
    cx.machine.request_deliveries(record);
    Ok(cx.success())
}

fn document(cx: &Context<'_>, id: u64, subscription: &Subscription) -> Value {
    let mut document = json!({
        "@odata.type": "#EventDestination.v1_15_0.EventDestination",
        "@odata.id": format!("{SUBSCRIPTIONS}/{id}"),
        "Id": id.to_string(),
        "Name": format!("Event Subscription {id}"),
        "Destination": subscription.destination,
        "Context": subscription.context,
        "Protocol": "Redfish",
        "EventFormatType": subscription.event_format_type,
        "SubscriptionType": "RedfishEvent",
        "DeliveryRetryPolicy": subscription.delivery_retry_policy,
        "HttpHeaders": [],
        "Status": { "State": "Enabled", "Health": "OK" },
    });
    subscription.filter.show(&mut document);
    if cx.machine.has(Quirk::NoSubscriptionContext) {
        leave_out(&mut document, "Context");
    }
    if subscription.stream.is_some() {
        document["Destination"] = Value::Null;
        document["SubscriptionType"] = json!("SSE");
        leave_out(&mut document, "DeliveryRetryPolicy");
        leave_out(&mut document, "HttpHeaders");
    }
    document
}

fn subscribe(cx: &mut Context<'_>) -> Answer {
    let body = cx.object()?;
    let mut wrong = Vec::new();
    for name in ["Destination", "Protocol"] {
        if !body.contains_key(name) {
            wrong.push(Message::new(&message::PROPERTY_MISSING, [name]).about(format!("#/{name}")));
        }
    }
    let subscription = read(cx, &body, &mut wrong);
    cx.refuse_if_any(&wrong)?;
    let known = &cx.machine.redfish.subscriptions;
    let same =
        |other: &&Subscription| other.destination == subscription.destination && other.context == subscription.context;
    if known.all.values().find(same).is_some() {
        let message = Message::new(
            &message::RESOURCE_ALREADY_EXISTS,
            ["EventDestination", "Destination", &subscription.destination],
        );
        return Err(cx.error(StatusCode::BAD_REQUEST, message.about("#/Destination")));
    }
    let Some(id) = cx.machine.redfish.subscriptions.add(subscription.clone()) else {
        return Err(cx.error(
            StatusCode::BAD_REQUEST,
            Message::new(&message::CREATE_LIMIT_REACHED, []),
        ));
    };
    cx.machine.schedule_reports(cx.moment.now);
    let document = document(cx, id, &subscription);
    Ok(Reply::json(StatusCode::CREATED, document).with(header::LOCATION, format!("{SUBSCRIPTIONS}/{id}")))
}

fn read(cx: &Context<'_>, body: &Map<String, Value>, wrong: &mut Vec<Message>) -> Subscription {
    let mut subscription = Subscription {
        destination: String::new(),
        context: String::new(),
        event_format_type: "Event".to_owned(),
        delivery_retry_policy: "TerminateAfterRetries".to_owned(),
        filter: EventFilter::default(),
        http_headers: Vec::new(),
        stream: None,
    };
    for (name, value) in body {
        let pointer = format!("#/{name}");
        let text = value.as_str();
        if let Some(read) = subscription.filter.read(name, value) {
            wrong.extend(read.err());
            continue;
        }
        let not_in_list = |text: &str| Message::new(&message::PROPERTY_VALUE_NOT_IN_LIST, [text, name]).about(&pointer);
        match (name.as_str(), text) {
            ("Destination", Some(url)) if url.parse::<http::Uri>().is_ok_and(|uri| uri.scheme().is_some()) => {
                subscription.destination = url.to_owned();
            }
            ("Destination", Some(_)) => {
                wrong.push(Message::new(&message::PROPERTY_VALUE_ERROR, [name]).about(pointer));
            }
            ("Context", Some(text)) => subscription.context = text.to_owned(),
            ("Protocol", Some("Redfish")) | ("SubscriptionType", Some("RedfishEvent")) => {}
            ("EventFormatType", Some(format @ ("Event" | "MetricReport"))) => {
                subscription.event_format_type = format.to_owned();
            }
            ("DeliveryRetryPolicy", _) if cx.machine.has(Quirk::RetryPolicyRejected) => {
                wrong.push(Message::new(&message::PROPERTY_UNKNOWN, [name]).about(pointer));
            }
            ("DeliveryRetryPolicy", Some(policy @ ("TerminateAfterRetries" | "SuspendRetries" | "RetryForever"))) => {
                subscription.delivery_retry_policy = policy.to_owned();
            }
            ("Protocol" | "SubscriptionType" | "EventFormatType" | "DeliveryRetryPolicy", Some(text)) => {
                wrong.push(not_in_list(text));
            }
            ("HttpHeaders", None) if value.is_array() => {
                let headers = value
                    .as_array()
                    .into_iter()
                    .flatten()
                    .filter_map(Value::as_object)
                    .flatten();
                subscription.http_headers = headers
                    .filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned())))
                    .collect();
            }
            (
                "Destination" | "Context" | "Protocol" | "SubscriptionType" | "EventFormatType" | "DeliveryRetryPolicy",
                _,
            ) => {
                wrong.push(Message::new(&message::PROPERTY_VALUE_TYPE, [&value.to_string(), name]).about(pointer));
            }
            _ => wrong.push(Message::new(&message::PROPERTY_UNKNOWN, [name]).about(pointer)),
        }
    }
    subscription
}

fn subscription(cx: &mut Context<'_>, id: &str) -> Answer {
    let number: Option<u64> = id.parse().ok();
    let found = number.and_then(|number| Some((number, cx.machine.redfish.subscriptions.all.get(&number)?)));
    let Some((number, document)) = found.map(|(number, subscription)| (number, document(cx, number, subscription)))
    else {
        return cx.not_found();
    };
    match cx.call.method {
        Method::DELETE => {
            cx.machine.redfish.subscriptions.all.remove(&number);
            Ok(cx.success())
        }
        Method::PATCH => {
            cx.check_if_match(&document)?;
            let mut context = None;
            let mut wrong = Vec::new();
            for (name, value) in cx.patch_object()? {
                match (name.as_str(), value.as_str()) {
                    ("Context", Some(text)) => context = Some(text.to_owned()),
                    _ => wrong.push(Message::new(&message::PROPERTY_NOT_WRITABLE, [&name]).about(format!("#/{name}"))),
                }
            }
            cx.refuse_if_any(&wrong)?;
            if let (Some(text), Some(subscription)) = (context, cx.machine.redfish.subscriptions.all.get_mut(&number)) {
                subscription.context = text;
            }
            Ok(cx.success())
        }
        _ => cx.read("GET, HEAD, PATCH, DELETE", |_| document),
    }
}
