//! AdmissionReview in, AdmissionReview out. Whatever is sent here, the answer is a verdict or says what was wrong with the question
//! (400, 413, 503); nothing of an object is logged or quoted, because BMCSecrets pass through.

use std::time::Duration;

use axum::body::{Body, Bytes, to_bytes};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use crds::Endpoint;
use kube::core::DynamicObject;
use kube::core::admission::{AdmissionRequest, AdmissionResponse, AdmissionReview, META_API_VERSION_V1, Operation};
use serde::de::DeserializeOwned;

use super::firmware::{Firmware, is_changed, maintenances};
use super::hooks::{HOOKS, Hook, Subject};
use super::verdict::Verdict;
use super::{Webhooks, bmc_secret, endpoint, server};
use crate::metrics::AdmissionOutcome;

/// Longest accepted review in bytes: the object and what it was before, each as large as etcd takes it, and some JSON around.
const BODY_LIMIT: usize = 4 << 20;
/// The API server does not wait longer (`timeoutSeconds` of the configuration).
pub(super) const DEADLINE: Duration = Duration::from_secs(10);

pub(super) fn router(webhooks: &Webhooks) -> Router {
    HOOKS.iter().fold(Router::new(), |router, hook| {
        let webhooks = webhooks.clone();
        router.route(
            hook.path,
            post(move |body: Body| async move { webhooks.answer(hook, body).await }),
        )
    })
}

/// A question that cannot be answered.
struct Refusal(StatusCode, String);

impl Refusal {
    fn bad(text: impl Into<String>) -> Self {
        Self(StatusCode::BAD_REQUEST, text.into())
    }
}

impl Webhooks {
    async fn answer(&self, hook: &Hook, body: Body) -> Response {
        let reviewed = tokio::time::timeout(DEADLINE, self.review(hook, body)).await;
        let (outcome, response) = match reviewed {
            Ok(Ok(review)) => {
                let allowed = review.response.as_ref().is_some_and(|response| response.allowed);
                let outcome = if allowed {
                    AdmissionOutcome::Allowed
                } else {
                    AdmissionOutcome::Denied
                };
                (outcome, Json(review).into_response())
            }
            Ok(Err(Refusal(status, text))) => (AdmissionOutcome::Refused, (status, text).into_response()),
            Err(_) => (
                AdmissionOutcome::Refused,
                (
                    StatusCode::SERVICE_UNAVAILABLE,
                    [(header::RETRY_AFTER, "1")],
                    "too busy",
                )
                    .into_response(),
            ),
        };
        self.0.metrics.admission_reviewed(hook.resource, outcome);
        response
    }

    async fn review(&self, hook: &Hook, body: Body) -> Result<AdmissionReview<DynamicObject>, Refusal> {
        // Never closed.
        let _turn = self.0.reviews.acquire().await;
        let bytes = to_bytes(body, BODY_LIMIT).await.map_err(|_| {
            Refusal(
                StatusCode::PAYLOAD_TOO_LARGE,
                format!("the review is longer than {BODY_LIMIT} bytes, or was not sent to its end"),
            )
        })?;
        let request = read(&bytes)?;
        if request.resource.group != crds::GROUP || request.resource.resource != hook.resource {
            return Err(Refusal::bad(format!(
                "this path judges {} of {}",
                hook.resource,
                crds::GROUP
            )));
        }
        let mut response = AdmissionResponse::from(&request);
        if let Verdict::Denied(status) = self.judge(hook, &request).await? {
            tracing::info!(
                webhook = hook.name,
                name = request.name,
                operation = ?request.operation,
                user = request.user_info.username,
                reason = status.reason,
                "admission denied"
            );
            response.allowed = false;
            response.result = *status;
        }
        Ok(response.into_review())
    }

    async fn judge(&self, hook: &Hook, request: &AdmissionRequest<DynamicObject>) -> Result<Verdict, Refusal> {
        let (new, old) = (request.object.as_ref(), request.old_object.as_ref());
        // Whoever removes the last finalizer must never be in the way of an object that is going.
        let going = new.is_some_and(|object| object.metadata.deletion_timestamp.is_some());
        if !hook.operations.contains(&request.operation) || going {
            return Ok(Verdict::Allowed);
        }
        match (hook.subject, &request.operation) {
            (Subject::Endpoint, _) => {
                let new: Endpoint = parsed(given(new, "object")?)?;
                let old: Option<Endpoint> = old.map(parsed).transpose()?;
                self.endpoint(&request.name, &new, old.as_ref()).await
            }
            (Subject::BmcSecret, Operation::Update) => {
                Ok(bmc_secret::update(given(old, "oldObject")?, given(new, "object")?))
            }
            (Subject::BmcSecret, _) => Ok(Verdict::Allowed),
            (Subject::Server, _) => Ok(server::delete(given(old, "oldObject")?)),
            (Subject::Firmware(firmware), Operation::Delete) => {
                let old = given(old, "oldObject")?;
                Ok(match self.0.world.in_maintenance(&maintenances(old)).await {
                    Ok(false) => Verdict::Allowed,
                    Ok(true) => firmware.deleted_in_maintenance(old),
                    Err(error) => unknown(&error),
                })
            }
            (Subject::Firmware(firmware), _) => {
                Ok(self.firmware(firmware, &request.name, given(new, "object")?, old).await)
            }
        }
    }

    async fn firmware(
        &self,
        firmware: Firmware,
        name: &str,
        new: &DynamicObject,
        old: Option<&DynamicObject>,
    ) -> Verdict {
        if let Some(machine) = firmware.claimed(new, old) {
            match self.0.world.has_firmware(firmware, machine, name).await {
                Ok(false) => {}
                Ok(true) => return firmware.duplicate(name, machine),
                Err(error) => return unknown(&error),
            }
        }
        let Some(old) = old.filter(|old| is_changed(new, old)) else {
            return Verdict::Allowed;
        };
        match self.0.world.in_maintenance(&maintenances(old)).await {
            Ok(false) => Verdict::Allowed,
            Ok(true) => firmware.changed_in_maintenance(new),
            Err(error) => unknown(&error),
        }
    }

    async fn endpoint(&self, name: &str, new: &Endpoint, old: Option<&Endpoint>) -> Result<Verdict, Refusal> {
        let Some(address) = endpoint::claimed(new, old) else {
            return Ok(Verdict::Allowed);
        };
        Ok(match self.0.world.has_endpoint(address, name).await {
            Ok(false) => Verdict::Allowed,
            Ok(true) => endpoint::duplicate(name, address),
            Err(error) => unknown(&error),
        })
    }
}

fn unknown(error: &kube::Error) -> Verdict {
    tracing::warn!(%error, "an object that another one depends on could not be read");
    Verdict::unavailable("the objects that this one depends on cannot be read at the moment; try again")
}

fn read(bytes: &Bytes) -> Result<AdmissionRequest<DynamicObject>, Refusal> {
    // What serde says may quote the object.
    let review: AdmissionReview<DynamicObject> =
        serde_json::from_slice(bytes).map_err(|_| Refusal::bad("not an AdmissionReview"))?;
    if review.types.api_version != META_API_VERSION_V1 {
        return Err(Refusal::bad(format!("only {META_API_VERSION_V1} is understood")));
    }
    review
        .try_into()
        .map_err(|_| Refusal::bad("an AdmissionReview without request"))
}

fn given<'a>(object: Option<&'a DynamicObject>, field: &str) -> Result<&'a DynamicObject, Refusal> {
    object.ok_or_else(|| Refusal::bad(format!("request.{field} is missing")))
}

fn parsed<K>(object: &DynamicObject) -> Result<K, Refusal>
where
    K: kube::Resource<DynamicType = ()> + DeserializeOwned,
{
    let kind = K::kind(&());
    object
        .clone()
        .try_parse()
        .map_err(|_| Refusal::bad(format!("the object is no {kind}")))
}
