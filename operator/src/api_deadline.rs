//! A deadline for every request to the API server. kube sets none, so that a connection that has silently died would hold a pass, and
//! with it its object, for ever (bugs.md #146, L10; docs/found-by-simulation.md).

use std::time::Duration;

use http::{Request, Response};
use http_body_util::BodyExt;
use kube::Client;
use kube::client::Body;

use crate::edges::BoxError;

/// The API server itself ends requests after 60 seconds; half of that is long for any request of ours.
const DEADLINE: Duration = Duration::from_secs(30);

/// The API server did not answer in time. Whether a write has happened is not known.
#[derive(Debug, thiserror::Error)]
#[error("the API server did not answer within {} seconds; a write may have happened", DEADLINE.as_secs())]
struct NoAnswer;

/// `client` with a deadline. Of a watch only its beginning has one: it ends by kube's own idle timeout.
pub fn with_deadline(client: Client) -> Client {
    let namespace = client.default_namespace().to_owned();
    let service = tower::service_fn(move |request: Request<Body>| {
        let client = client.clone();
        async move {
            let is_watch = is_watch(&request);
            let answer = async {
                let response = client.send(request).await?;
                if is_watch {
                    return Ok(response);
                }
                let (parts, body) = response.into_parts();
                let body = body.collect().await?.to_bytes();
                Ok::<_, BoxError>(Response::from_parts(parts, Body::from(body.to_vec())))
            };
            match tokio::time::timeout(DEADLINE, answer).await {
                Ok(answer) => answer,
                Err(_) => Err(NoAnswer.into()),
            }
        }
    });
    Client::new(service, namespace)
}

fn is_watch(request: &Request<Body>) -> bool {
    let query = request.uri().query().unwrap_or_default();
    query.split('&').any(|pair| matches!(pair, "watch=true" | "watch=1"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use k8s_openapi::api::core::v1::Namespace;
    use kube::Api;

    #[tokio::test(start_paused = true)]
    async fn a_dead_connection_ends() {
        let silent = tower::service_fn(|_: Request<Body>| std::future::pending::<Result<Response<Body>, BoxError>>());
        let client = with_deadline(Client::new(silent, "default"));
        let start = tokio::time::Instant::now();
        let error = Api::<Namespace>::all(client)
            .get("default")
            .await
            .expect_err("no answer");
        assert!(error.to_string().contains("did not answer"), "{error}");
        assert_eq!(start.elapsed(), DEADLINE);
    }

    #[test]
    fn watches_are_known_by_their_query() {
        for (uri, expected) in [
            ("/api/v1/namespaces", false),
            ("/api/v1/namespaces?watch=true&timeoutSeconds=290", true),
            ("/api/v1/namespaces?labelSelector=watch", false),
        ] {
            let request = Request::get(uri).body(Body::empty()).expect("valid");
            assert_eq!(is_watch(&request), expected, "{uri}");
        }
    }
}
