//! Subscriptions to the events of a BMC: contract section 3.3, step 11. The recorded links are verified with every pass instead of being
//! believed, and what this operator has made is ended when the BMC goes (W3).

use crds::BMC;
use crds::kinds::bmc::BMCStatus;
use kube::ResourceExt;
use std::time::Duration;

use super::{access, write};
use crate::bmc::{BmcClient, BmcError, EventFormat, EventService, EventSubscription};
use crate::conditions::{self, Wish};
use crate::context::Context;
use crate::controllers::Error;
use crate::identity::SubscriptionUri;

/// Condition on a BMC: whether it sends events. Only there with `--event-url`.
const EVENTS_SUBSCRIBED: &str = "EventsSubscribed";
/// As the Go operator calls itself.
const CONTEXT: &str = "metal-operator";
/// Metrics first, as in the contract.
const FORMATS: [EventFormat; 2] = [EventFormat::MetricReport, EventFormat::Event];

/// What the recorded link turned out to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Recorded {
    Nothing,
    /// The BMC does not know it any more.
    Gone,
    /// It sends to where we are.
    Right,
    /// It sends somewhere else, or not at all.
    Wrong,
}

/// What to do about one kind of events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Course {
    Rest,
    Subscribe,
    /// End the recorded one, then subscribe.
    Replace,
    /// End the recorded one.
    End,
    /// Nothing is left of it but the record.
    Forget,
}

fn course(wanted: bool, recorded: Recorded) -> Course {
    match (wanted, recorded) {
        (true, Recorded::Right) | (false, Recorded::Nothing) => Course::Rest,
        (true, Recorded::Nothing | Recorded::Gone) => Course::Subscribe,
        (true, Recorded::Wrong) => Course::Replace,
        (false, Recorded::Right | Recorded::Wrong) => Course::End,
        (false, Recorded::Gone) => Course::Forget,
    }
}

fn judge(found: Option<&EventSubscription>, wanted: Option<&str>) -> Recorded {
    match found {
        None => Recorded::Gone,
        Some(found) if !found.suspended && found.destination.as_deref() == wanted => Recorded::Right,
        Some(_) => Recorded::Wrong,
    }
}

fn link(status: &mut BMCStatus, format: EventFormat) -> &mut Option<String> {
    match format {
        EventFormat::Event => &mut status.events_subscription_link,
        EventFormat::MetricReport => &mut status.metrics_report_subscription_link,
    }
}

/// Sees to it that the BMC sends events, and once in a while that they arrive. A BMC that refuses is polled, as one without events.
///
/// # Errors
/// The API server's, and those of a BMC that does not answer.
pub(super) async fn keep(context: &Context, bmc: &mut BMC, client: &BmcClient) -> Result<(), Error> {
    let receiver = &context.event_receiver;
    let (name, uid) = (bmc.name_any(), bmc.uid().unwrap_or_default());
    let mut offered = Offer::Unread;
    let mut subscribed = false;
    for format in FORMATS {
        let wanted = receiver.destination(format, &name, &uid)?;
        let mut status = bmc.status.clone().unwrap_or_default();
        let recorded = link(&mut status, format).clone().map(SubscriptionUri::new);
        let found = look(client, recorded.as_ref(), wanted.as_deref()).await?;
        let course = course(wanted.is_some(), found);
        subscribed |= format == EventFormat::Event && course == Course::Rest && wanted.is_some();
        if matches!(course, Course::Replace | Course::End)
            && let Some(recorded) = &recorded
        {
            client.unsubscribe(recorded).await?;
        }
        let new = match (course, wanted) {
            (Course::Rest, _) => continue,
            (Course::Subscribe | Course::Replace, Some(destination)) => match offered.of(client).await? {
                Some(service) if format == EventFormat::Event || service.sends_metrics => {
                    match subscribe(context, &name, client, service, &destination, format).await {
                        Ok(uri) => Some(uri),
                        Err(error) if is_refusal(&error) => {
                            tracing::warn!(bmc = name, %error, format = format.as_str(), "the BMC takes no subscription");
                            note(
                                context,
                                bmc,
                                format,
                                &Wish::no(EVENTS_SUBSCRIBED, "Refused", error.to_string()),
                            )
                            .await?;
                            None
                        }
                        Err(error) => return Err(error.into()),
                    }
                }
                Some(_) => None,
                None => {
                    let wish = Wish::no(
                        EVENTS_SUBSCRIBED,
                        "NotOffered",
                        "The BMC has no event service; it is polled",
                    );
                    note(context, bmc, format, &wish).await?;
                    None
                }
            },
            _ => None,
        };
        subscribed |= format == EventFormat::Event && new.is_some();
        record(context, bmc, format, new).await?;
    }
    if subscribed {
        let wish = Wish::yes(EVENTS_SUBSCRIBED, "Subscribed", "The BMC sends events");
        note(context, bmc, EventFormat::Event, &wish).await?;
        if receiver.wants_proof(&name) {
            prove(&name, client, offered).await;
        }
    }
    Ok(())
}

async fn look(
    client: &BmcClient,
    recorded: Option<&SubscriptionUri>,
    wanted: Option<&str>,
) -> Result<Recorded, BmcError> {
    let Some(uri) = recorded else {
        return Ok(Recorded::Nothing);
    };
    match client.subscription(uri).await {
        Ok(found) => Ok(judge(Some(&found), wanted)),
        Err(error) if error.is_not_found() => Ok(judge(None, wanted)),
        Err(error) => Err(error),
    }
}

/// The event service, read when it is needed first.
enum Offer {
    Unread,
    Read(Option<EventService>),
}

impl Offer {
    async fn of(&mut self, client: &BmcClient) -> Result<Option<&EventService>, BmcError> {
        if let Self::Unread = self {
            *self = Self::Read(client.event_service().await?);
        }
        match self {
            Self::Read(service) => Ok(service.as_ref()),
            Self::Unread => Ok(None),
        }
    }
}

/// A subscription to this destination: one that is there already (made by a pass that did not come to record it), else a new one. What
/// predecessors have left is ended.
async fn subscribe(
    context: &Context,
    name: &str,
    client: &BmcClient,
    service: &EventService,
    destination: &str,
    format: EventFormat,
) -> Result<SubscriptionUri, BmcError> {
    let mut present = None;
    for old in client.subscriptions(service).await? {
        let Some(sends_to) = &old.destination else { continue };
        if sends_to == destination && !old.suspended && present.is_none() {
            present = Some(old.uri);
        } else if context.event_receiver.is_ours(format, name, sends_to) {
            client.unsubscribe(&old.uri).await?;
        }
    }
    match present {
        Some(present) => Ok(present),
        None => client.subscribe(service, destination, format, CONTEXT).await,
    }
}

/// Whether the BMC has understood and does not want to.
fn is_refusal(error: &BmcError) -> bool {
    matches!(
        error,
        BmcError::Http {
            status: 400..=499 | 501,
            ..
        } | BmcError::Protocol { .. }
            | BmcError::Unsupported { .. }
    )
}

/// That a subscription is there says nothing about the network in between. A test event that does not arrive means polling.
async fn prove(name: &str, client: &BmcClient, mut offered: Offer) {
    let test = match offered.of(client).await {
        Ok(service) => service.and_then(|service| service.test.clone()),
        Err(error) => {
            tracing::debug!(bmc = name, %error, "the event service could not be read");
            None
        }
    };
    let Some(test) = test else { return };
    if let Err(error) = client.submit_test_event(&test).await {
        tracing::debug!(bmc = name, %error, "the BMC sends no test event");
    }
}

async fn record(
    context: &Context,
    bmc: &mut BMC,
    format: EventFormat,
    uri: Option<SubscriptionUri>,
) -> Result<(), Error> {
    let old = bmc.status.clone().unwrap_or_default();
    let mut new = old.clone();
    *link(&mut new, format) = uri.map(|uri| uri.as_str().to_owned());
    write(context, bmc, &old, &new).await
}

/// The condition is about events; that there are no metrics is nobody's trouble.
async fn note(context: &Context, bmc: &mut BMC, format: EventFormat, wish: &Wish) -> Result<(), Error> {
    if format != EventFormat::Event {
        return Ok(());
    }
    let old = bmc.status.clone().unwrap_or_default();
    let known = conditions::find(&old.conditions, EVENTS_SUBSCRIBED);
    if known.is_some_and(|known| known.reason == wish.reason) {
        return Ok(());
    }
    let mut new = old.clone();
    conditions::set(&mut new.conditions, wish, context.now());
    write(context, bmc, &old, &new).await
}

/// Ends the subscriptions of a BMC that is being deleted. A pause means that it is to be tried again; a BMC that does not answer keeps its
/// object for a while only.
///
/// # Errors
/// None of the BMC's: they are logged.
pub(super) async fn end(context: &Context, bmc: &BMC) -> Option<Duration> {
    let name = bmc.name_any();
    let patience = context.settings.resource.patience;
    match end_all(context, bmc).await {
        Ok(()) => {}
        Err(error) => {
            let deleted = bmc.metadata.deletion_timestamp.as_ref();
            let waited = deleted.map(|time| context.now().duration_since(time.0));
            if waited.is_some_and(|waited| waited.unsigned_abs() < patience) {
                tracing::info!(bmc = name, %error, "its event subscriptions are not ended yet");
                return Some(context.settings.resource.interval);
            }
            tracing::warn!(bmc = name, %error, "event subscriptions may be left on the BMC");
        }
    }
    context.event_receiver.forget(&name);
    None
}

async fn end_all(context: &Context, bmc: &BMC) -> Result<(), BmcError> {
    let mut status = bmc.status.clone().unwrap_or_default();
    let mut ours: Vec<SubscriptionUri> = FORMATS
        .iter()
        .filter_map(|format| link(&mut status, *format).take())
        .map(SubscriptionUri::new)
        .collect();
    let recorded = !ours.is_empty();
    let (name, uid) = (bmc.name_any(), bmc.uid().unwrap_or_default());
    let receiver = &context.event_receiver;
    let listens = receiver
        .destination(EventFormat::Event, &name, &uid)
        .is_ok_and(|url| url.is_some());
    // Without an address or a secret there is no way to it.
    let Ok(access) = access::of_bmc(context, bmc) else {
        return Ok(());
    };
    if !recorded && !listens {
        return Ok(());
    }
    let client = context.bmcs.client(&access).await?;
    if listens && let Some(service) = client.event_service().await? {
        let all = client.subscriptions(&service).await?;
        let known = |destination: &str| {
            FORMATS
                .iter()
                .any(|format| receiver.is_ours(*format, &name, destination))
        };
        ours.extend(
            all.into_iter()
                .filter(|subscription| subscription.destination.as_deref().is_some_and(known))
                .map(|subscription| subscription.uri),
        );
    }
    ours.sort();
    ours.dedup();
    for uri in &ours {
        client.unsubscribe(uri).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_verified() {
        let subscription = |destination: &str, suspended| EventSubscription {
            uri: SubscriptionUri::new("/s/1"),
            destination: Some(destination.to_owned()),
            suspended,
        };
        for (found, wanted, expected) in [
            (
                Some(subscription("http://us", false)),
                Some("http://us"),
                Recorded::Right,
            ),
            (
                Some(subscription("http://us", true)),
                Some("http://us"),
                Recorded::Wrong,
            ),
            (
                Some(subscription("http://go", false)),
                Some("http://us"),
                Recorded::Wrong,
            ),
            (Some(subscription("http://us", false)), None, Recorded::Wrong),
            (None, Some("http://us"), Recorded::Gone),
        ] {
            assert_eq!(judge(found.as_ref(), wanted), expected, "{found:?} {wanted:?}");
        }
    }

    #[test]
    fn every_finding_has_its_course() {
        for (wanted, recorded, expected) in [
            (true, Recorded::Right, Course::Rest),
            (true, Recorded::Wrong, Course::Replace),
            (true, Recorded::Gone, Course::Subscribe),
            (true, Recorded::Nothing, Course::Subscribe),
            (false, Recorded::Nothing, Course::Rest),
            (false, Recorded::Right, Course::End),
            (false, Recorded::Wrong, Course::End),
            (false, Recorded::Gone, Course::Forget),
        ] {
            assert_eq!(course(wanted, recorded), expected, "{wanted} {recorded:?}");
        }
    }
}
