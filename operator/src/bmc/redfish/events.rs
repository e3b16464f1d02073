//! `EventService` and its subscriptions.

use bytes::Bytes;
use http::{Method, StatusCode, header};
use serde_json::{Value, json};

use super::answer::local_path;
use super::call::{Call, Outgoing};
use super::document::{link, members, read, text, texts};
use crate::bmc::{BmcClient, BmcError, EventFormat, EventService, EventSubscription};
use crate::identity::SubscriptionUri;

/// What the test event is called that proves the way from the BMC to us.
const TEST_MESSAGE: &str = "ResourceEvent.1.0.TestMessage";

fn event_service(document: &Value) -> Option<EventService> {
    // A service that says nothing about itself is on (DSP0268).
    if document["ServiceEnabled"] == Value::Bool(false) {
        return None;
    }
    let formats = texts(document, "EventFormatTypes");
    Some(EventService {
        subscriptions: link(document, "Subscriptions")?,
        test: text(&document["Actions"]["#EventService.SubmitTestEvent"], "target"),
        // Older services do not name their formats; they have no metric reports either.
        sends_metrics: formats.is_some_and(|formats| formats.iter().any(|format| format == "MetricReport")),
        stream: text(document, "ServerSentEventUri"),
    })
}

fn subscription(document: &Value) -> EventSubscription {
    EventSubscription {
        uri: SubscriptionUri::new(document["@odata.id"].as_str().unwrap_or_default()),
        destination: text(document, "Destination"),
        // A BMC that gave up on us says so here.
        suspended: text(&document["Status"], "State").is_some_and(|state| state != "Enabled"),
    }
}

fn wanted(destination: &str, format: EventFormat, context: &str, with_policy: bool) -> Value {
    let mut body = json!({
        "Destination": destination,
        "EventFormatType": format.as_str(),
        "Protocol": "Redfish",
        "Context": context,
    });
    if with_policy {
        body["DeliveryRetryPolicy"] = json!("TerminateAfterRetries");
    }
    body
}

async fn post(call: &Call, uri: &str, body: &Value) -> Result<super::answer::Answer, BmcError> {
    call.exchange(Outgoing::new(Method::POST, uri, Bytes::from(body.to_string())))
        .await
}

impl BmcClient {
    /// What the BMC offers; `None` when it has no `EventService`, or one that is turned off.
    ///
    /// # Errors
    /// [`BmcError`].
    pub async fn event_service(&self) -> Result<Option<EventService>, BmcError> {
        self.measured("event_service", self.reading(), async |call| {
            let root = call.connected_root().await?;
            let Some(uri) = link(&root.document, "EventService") else {
                return Ok(None);
            };
            Ok(event_service(&read(&call.compat().await?, &uri).await?))
        })
        .await
    }

    /// All subscriptions, whoever made them.
    ///
    /// # Errors
    /// [`BmcError`].
    pub async fn subscriptions(&self, service: &EventService) -> Result<Vec<EventSubscription>, BmcError> {
        self.measured("subscriptions", self.reading(), async |call| {
            let documents = members(call, &call.compat().await?, &service.subscriptions, false).await?;
            Ok(documents.iter().map(subscription).collect())
        })
        .await
    }

    /// One subscription. That it is gone is an error with `is_not_found`.
    ///
    /// # Errors
    /// [`BmcError`].
    pub async fn subscription(&self, uri: &SubscriptionUri) -> Result<EventSubscription, BmcError> {
        self.measured("subscription", self.reading(), async |call| {
            let document = read(&call.compat().await?, uri.as_str()).await?;
            Ok(EventSubscription {
                uri: uri.clone(),
                ..subscription(&document)
            })
        })
        .await
    }

    /// Subscribes. HPE refuses `DeliveryRetryPolicy`, so that a refusal is followed by a try without (contract section 9.3).
    ///
    /// # Errors
    /// [`BmcError`].
    pub async fn subscribe(
        &self,
        service: &EventService,
        destination: &str,
        format: EventFormat,
        context: &str,
    ) -> Result<SubscriptionUri, BmcError> {
        self.measured("subscribe", self.modifying(), async |call| {
            let uri = &service.subscriptions;
            let mut answer = post(call, uri, &wanted(destination, format, context, true)).await?;
            if answer.status == StatusCode::BAD_REQUEST && !answer.names_message(&["ResourceAlreadyExists"]) {
                answer = post(call, uri, &wanted(destination, format, context, false)).await?;
            }
            let answer = answer.success(true)?;
            let location = answer.header(&header::LOCATION).map(local_path);
            let in_body = || text(&answer.json(uri, true).ok()?, "@odata.id");
            location
                .or_else(in_body)
                .map(SubscriptionUri::new)
                .ok_or_else(|| BmcError::Protocol {
                    uri: uri.clone(),
                    message: "a subscription without Location".to_owned(),
                    sent: true,
                })
        })
        .await
    }

    /// Ends a subscription. One that is gone already is as good.
    ///
    /// # Errors
    /// [`BmcError`].
    pub async fn unsubscribe(&self, uri: &SubscriptionUri) -> Result<(), BmcError> {
        self.measured("unsubscribe", self.modifying(), async |call| {
            let request = Outgoing {
                method: Method::DELETE,
                path: local_path(uri.as_str()),
                if_match: None,
                body: None,
            };
            match call.exchange(request).await?.success(true) {
                Err(error) if error.is_not_found() => Ok(()),
                other => other.map(drop),
            }
        })
        .await
    }

    /// Has the BMC send an event to everybody who has subscribed. `target` is [`EventService::test`].
    ///
    /// # Errors
    /// [`BmcError`].
    pub async fn submit_test_event(&self, target: &str) -> Result<(), BmcError> {
        self.measured("submit_test_event", self.modifying(), async |call| {
            let body = json!({
                "EventId": "metal-operator",
                "EventType": "Alert",
                "Message": "Test event of metal-operator",
                "MessageArgs": [],
                "MessageId": TEST_MESSAGE,
                "Severity": "OK",
            });
            post(call, target, &body).await?.success(true).map(drop)
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_is_read_as_it_is() {
        let mut document = json!({
            "ServiceEnabled": true,
            "EventFormatTypes": ["Event", "MetricReport"],
            "ServerSentEventUri": "/redfish/v1/EventService/SSE",
            "Subscriptions": { "@odata.id": "/redfish/v1/EventService/Subscriptions" },
            "Actions": { "#EventService.SubmitTestEvent": { "target": "/test" } },
        });
        let service = event_service(&document).expect("a service");
        assert_eq!(service.subscriptions, "/redfish/v1/EventService/Subscriptions");
        assert_eq!((service.test.as_deref(), service.sends_metrics), (Some("/test"), true));
        document["EventFormatTypes"] = Value::Null;
        assert!(!event_service(&document).expect("a service").sends_metrics);
        document["ServiceEnabled"] = json!(false);
        assert_eq!(event_service(&document), None);
    }

    #[test]
    fn a_subscription_that_the_bmc_gave_up_is_seen() {
        let state =
            |state: Value| subscription(&json!({ "@odata.id": "/s/1", "Status": { "State": state } })).suspended;
        assert!(!state(json!("Enabled")) && !state(Value::Null) && state(json!("Disabled")));
    }
}
