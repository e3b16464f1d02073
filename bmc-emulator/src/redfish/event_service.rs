//! `EventService` and its subscriptions.

use std::collections::BTreeMap;

use http::{Method, StatusCode, header};
use serde_json::{Map, Value, json};

use super::call::Reply;
use super::context::{Answer, Context, collection, leave_out, link};
use super::delivery::{self, Delivery};
use super::message::{self, Message};
use super::server_sent_events::{self, EventStream};
use crate::machine::{Machine, Out};
use crate::quirk::Quirk;

const URI: &str = "/redfish/v1/EventService";
const SUBSCRIPTIONS: &str = "/redfish/v1/EventService/Subscriptions";
const SUBMIT_TEST_EVENT: &str = "/redfish/v1/EventService/Actions/EventService.SubmitTestEvent";
const MAXIMUM_SUBSCRIPTIONS: usize = 20;

#[derive(Debug, Default)]
pub(crate) struct Subscriptions {
    created: u64,
    all: BTreeMap<u64, Subscription>,
    /// Counts events sent, for `Event.Id`.
    events: u64,
}

#[derive(Clone, Debug)]
pub(super) struct Subscription {
    pub destination: String,
    pub context: String,
    pub event_format_type: String,
    pub delivery_retry_policy: String,
    /// Sent along with every event; not shown, for it may hold a credential.
    pub http_headers: Vec<(String, String)>,
    /// Events go down this stream instead of to a destination.
    pub stream: Option<EventStream>,
}

impl Subscription {
    pub(super) fn of_stream(stream: EventStream) -> Self {
        Self {
            destination: String::new(),
            context: "Server-sent events".to_owned(),
            event_format_type: "Event".to_owned(),
            delivery_retry_policy: String::new(),
            http_headers: Vec::new(),
            stream: Some(stream),
        }
    }
}

impl Subscriptions {
    pub(crate) fn destinations(&self) -> Vec<String> {
        self.all
            .values()
            .filter(|subscription| subscription.stream.is_none())
            .map(|subscription| subscription.destination.clone())
            .collect()
    }

    /// The number of the new subscription, unless there are too many already.
    pub(super) fn add(&mut self, subscription: Subscription) -> Option<u64> {
        self.prune();
        if self.all.len() >= MAXIMUM_SUBSCRIPTIONS {
            return None;
        }
        self.created += 1;
        self.all.insert(self.created, subscription);
        Some(self.created)
    }

    /// Forgets the streams whose readers have gone.
    fn prune(&mut self) {
        self.all
            .retain(|_, subscription| !subscription.stream.as_ref().is_some_and(EventStream::is_closed));
    }

    /// Ends the streams of a session, or all that there are.
    pub(crate) fn end_streams(&mut self, session: Option<&str>) {
        self.all.retain(|_, subscription| match &subscription.stream {
            Some(stream) => session.is_some() && stream.session.as_deref() != session,
            None => true,
        });
    }

    pub(super) fn next_event_id(&mut self) -> u64 {
        self.events += 1;
        self.events
    }

    /// Ends a subscription whose destination could not be reached (`TerminateAfterRetries`).
    pub(super) fn terminate(&mut self, id: u64) {
        self.all.remove(&id);
    }

    fn receivers(&self) -> impl Iterator<Item = (u64, &Subscription)> {
        let events = self
            .all
            .iter()
            .filter(|(_, subscription)| subscription.event_format_type == "Event");
        events.map(|(id, subscription)| (*id, subscription))
    }
}

impl Machine {
    /// The events that subscribers get because of what just happened.
    pub(crate) fn redfish_deliveries(&mut self, outbox: &[Out]) -> Vec<Delivery> {
        if self.redfish.subscriptions.all.is_empty() {
            return Vec::new();
        }
        let mut deliveries = Vec::new();
        for out in outbox {
            let Out::Event(at, kind) = out else { continue };
            let Some(event) = delivery::event_record(self, *at, kind) else {
                continue;
            };
            deliveries.extend(self.deliver(event));
        }
        deliveries
    }

    fn deliver(&mut self, event: Value) -> Vec<Delivery> {
        let id = self.redfish.subscriptions.next_event_id();
        let mut gone = Vec::new();
        let mut deliveries = Vec::new();
        for (number, receiver) in self.redfish.subscriptions.receivers() {
            let body = delivery::event(id, receiver, event.clone());
            match &receiver.stream {
                Some(stream) if stream.send(id, &body) => {}
                Some(_) => gone.push(number),
                None => deliveries.push(Delivery::new(number, receiver, body)),
            }
        }
        for number in gone {
            self.redfish.subscriptions.terminate(number);
        }
        deliveries
    }
}

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
        "ResourceTypes": ["ComputerSystem", "Task", "Manager", "Drive"],
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

impl Machine {
    fn request_deliveries(&mut self, event: Value) {
        let deliveries = self.deliver(event);
        self.queue(deliveries.into_iter().map(Out::Deliver));
    }
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
    let document = document(cx, id, &subscription);
    Ok(Reply::json(StatusCode::CREATED, document).with(header::LOCATION, format!("{SUBSCRIPTIONS}/{id}")))
}

fn read(cx: &Context<'_>, body: &Map<String, Value>, wrong: &mut Vec<Message>) -> Subscription {
    let mut subscription = Subscription {
        destination: String::new(),
        context: String::new(),
        event_format_type: "Event".to_owned(),
        delivery_retry_policy: "TerminateAfterRetries".to_owned(),
        http_headers: Vec::new(),
        stream: None,
    };
    for (name, value) in body {
        let pointer = format!("#/{name}");
        let text = value.as_str();
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
            // Filters narrow down what is sent; this service sends so little that it sends everything.
            ("EventTypes" | "RegistryPrefixes" | "ResourceTypes" | "MessageIds" | "OriginResources", None) => {}
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
