//! Who gets the events of a BMC.

use std::collections::BTreeMap;

use serde_json::Value;

use super::delivery::{self, Delivery};
use super::event_filter::EventFilter;
use super::server_sent_events::EventStream;
use crate::machine::{Machine, Out};

const MAXIMUM_SUBSCRIPTIONS: usize = 20;

#[derive(Debug, Default)]
pub(crate) struct Subscriptions {
    created: u64,
    pub(super) all: BTreeMap<u64, Subscription>,
    /// Counts events sent, for `Event.Id`.
    events: u64,
}

#[derive(Clone, Debug)]
pub(super) struct Subscription {
    pub destination: String,
    pub context: String,
    pub event_format_type: String,
    pub delivery_retry_policy: String,
    pub filter: EventFilter,
    /// Sent along with every event; not shown, for it may hold a credential.
    pub http_headers: Vec<(String, String)>,
    /// Events go down this stream instead of to a destination.
    pub stream: Option<EventStream>,
}

impl Subscription {
    fn is_for_reports(&self) -> bool {
        self.event_format_type == "MetricReport"
    }

    pub(super) fn of_stream(stream: EventStream) -> Self {
        Self {
            destination: String::new(),
            context: "Server-sent events".to_owned(),
            event_format_type: "Event".to_owned(),
            delivery_retry_policy: String::new(),
            filter: EventFilter::default(),
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
    pub(super) fn prune(&mut self) {
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

    /// Whether anybody gets metric reports.
    pub(super) fn want_reports(&self) -> bool {
        self.all.values().any(Subscription::is_for_reports)
    }

    fn receivers(&self) -> impl Iterator<Item = (u64, &Subscription)> {
        let events = self
            .all
            .iter()
            .filter(|(_, subscription)| !subscription.is_for_reports());
        events.map(|(id, subscription)| (*id, subscription))
    }
}

impl Machine {
    /// The events that subscribers get because of what just happened.
    pub(crate) fn redfish_deliveries(&mut self, outbox: &[Out]) -> Vec<Delivery> {
        if self.redfish.subscriptions.all.is_empty() {
            return Vec::new();
        }
        let records = self.event_records(outbox);
        records.into_iter().flat_map(|event| self.deliver(event)).collect()
    }

    /// What just happened, as subscribers are told.
    pub(crate) fn event_records(&self, outbox: &[Out]) -> Vec<Value> {
        let events = outbox.iter().filter_map(|out| match out {
            Out::Event(at, kind) => Some((*at, kind)),
            _ => None,
        });
        events
            .filter_map(|(at, kind)| delivery::event_record(self, at, kind))
            .collect()
    }

    fn deliver(&mut self, event: Value) -> Vec<Delivery> {
        let id = self.redfish.subscriptions.next_event_id();
        let mut gone = Vec::new();
        let mut deliveries = Vec::new();
        let receivers = self.redfish.subscriptions.receivers();
        for (number, receiver) in receivers.filter(|(_, receiver)| receiver.filter.passes(&event)) {
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

impl Machine {
    /// Sends a metric report to whoever gets those of this definition.
    pub(super) fn deliver_report(&mut self, definition: &str, report: &Value) {
        let receivers = self.redfish.subscriptions.all.iter();
        let deliveries: Vec<Out> = receivers
            .filter(|(_, receiver)| receiver.is_for_reports() && receiver.filter.passes_report(definition))
            .map(|(number, receiver)| {
                let mut report = report.clone();
                report["Context"] = receiver.context.clone().into();
                Out::Deliver(Delivery::new(*number, receiver, report))
            })
            .collect();
        self.queue(deliveries);
    }

    /// Sends an event that nothing but a request has caused, or another system behind this BMC.
    pub(crate) fn request_deliveries(&mut self, event: Value) {
        let deliveries = self.deliver(event);
        self.queue(deliveries.into_iter().map(Out::Deliver));
    }
}
