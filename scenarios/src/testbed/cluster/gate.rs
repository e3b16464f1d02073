//! Nobody who lives in a world gets to know of a change of its cluster before those who watch over the world do: an answer of the API
//! server waits until what it tells was seen by the watches, too. So whatever somebody does because of a change is seen after it, as on
//! an embedded cluster.

use super::sight::{Sight, Sighting};
use crate::edges::BoxError;
use crate::script::kinds::{self, KnownKind};
use ::operator::permissions::{Access, Verb};
use bytes::{Bytes, BytesMut};
use futures::stream;
use http::{Request, Response};
use http_body::Frame;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full, StreamBody};
use kube::client::Body;
use serde::Deserialize;
use std::sync::Arc;

type Answer = Response<UnsyncBoxBody<Bytes, BoxError>>;

/// `client`, behind the gate.
pub(super) fn client(sight: &Arc<Sight>, client: kube::Client) -> kube::Client {
    let (sight, namespace) = (sight.clone(), client.default_namespace().to_owned());
    let service = tower::service_fn(move |request: Request<Body>| {
        let (sight, client) = (sight.clone(), client.clone());
        async move {
            let access = Access::of(request.method(), request.uri());
            let response = client.send(request).await.map_err(BoxError::from)?;
            match access.and_then(|access| Some((kind(&access)?, access.verb))) {
                Some((kind, Verb::Watch)) => Ok::<_, BoxError>(watched(sight, kind, response)),
                Some((kind, _)) => told(&sight, kind, response).await,
                None => Ok(response.map(|body| body.map_err(BoxError::from).boxed_unsync())),
            }
        }
    });
    kube::Client::new(service, namespace)
}

/// Of those that are watched.
fn kind(access: &Access) -> Option<KnownKind> {
    let plural = access.resource.split('/').next()?;
    let mut all = kinds::ALL.into_iter();
    all.find(|kind| kind.group == access.group && kind.plural == plural)
}

async fn told(sight: &Sight, kind: KnownKind, response: Response<Body>) -> Result<Answer, BoxError> {
    let (head, body) = response.into_parts();
    let text = body.collect().await?.to_bytes();
    if head.status.is_success() {
        sight.wait(kind, in_answer(&text)).await?;
    }
    let body = Full::new(text).map_err(|never| match never {}).boxed_unsync();
    Ok(Response::from_parts(head, body))
}

/// A line at a time.
fn watched(sight: Arc<Sight>, kind: KnownKind, response: Response<Body>) -> Answer {
    response.map(|body| {
        let lines = stream::try_unfold(
            (body, BytesMut::new(), sight),
            move |(mut body, mut text, sight)| async move {
                loop {
                    if let Some(end) = text.iter().position(|byte| *byte == b'\n') {
                        let line = text.split_to(end + 1).freeze();
                        sight.wait(kind, in_line(&line)).await?;
                        return Ok::<_, BoxError>(Some((Frame::data(line), (body, text, sight))));
                    }
                    match body.frame().await {
                        Some(frame) => {
                            if let Ok(data) = frame?.into_data() {
                                text.extend_from_slice(&data);
                            }
                        }
                        None => return Ok(None),
                    }
                }
            },
        );
        StreamBody::new(lines).boxed_unsync()
    })
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Metadata {
    resource_version: Option<String>,
}

/// An object, a list, or a Status.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Told {
    kind: String,
    metadata: Metadata,
    items: Option<Vec<Item>>,
    details: Option<Details>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Item {
    metadata: Metadata,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Details {
    uid: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Line {
    #[serde(rename = "type")]
    event: String,
    object: Item,
}

fn revision(metadata: &Metadata) -> Option<u64> {
    metadata.resource_version.as_ref()?.parse().ok()
}

/// What an answer tells. That of a list is told by its items: its own revision is that of the whole cluster.
fn in_answer(text: &[u8]) -> Sighting {
    let Told {
        kind,
        metadata,
        items,
        details,
    } = serde_json::from_slice(text).unwrap_or_default();
    match items {
        Some(items) => Sighting {
            revision: items.iter().filter_map(|item| revision(&item.metadata)).max(),
            gone: None,
        },
        None if kind == "Status" => Sighting {
            revision: None,
            gone: details.and_then(|details| details.uid),
        },
        None => Sighting {
            revision: revision(&metadata),
            gone: None,
        },
    }
}

fn in_line(line: &[u8]) -> Sighting {
    let Line { event, object } = serde_json::from_slice(line).unwrap_or_default();
    Sighting {
        revision: (event != "BOOKMARK" && event != "ERROR")
            .then(|| revision(&object.metadata))
            .flatten(),
        gone: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::{Method, Uri};

    #[test]
    fn what_answers_tell() {
        let seen = |revision| Sighting {
            revision: Some(revision),
            gone: None,
        };
        for (text, expected) in [
            (r#"{"kind":"Server","metadata":{"resourceVersion":"7"}}"#, seen(7)),
            (
                r#"{"kind":"ServerList","metadata":{"resourceVersion":"90"},"items":[{"metadata":{"resourceVersion":"5"}},{"metadata":{"resourceVersion":"8"}}]}"#,
                seen(8),
            ),
            (
                r#"{"kind":"ServerList","metadata":{"resourceVersion":"90"},"items":[]}"#,
                Sighting::default(),
            ),
            (
                r#"{"kind":"Status","metadata":{},"status":"Success","details":{"name":"a","uid":"u"}}"#,
                Sighting {
                    revision: None,
                    gone: Some("u".to_owned()),
                },
            ),
            ("ok", Sighting::default()),
        ] {
            assert_eq!(in_answer(text.as_bytes()), expected, "{text}");
        }
        let line = |event: &str| format!(r#"{{"type":"{event}","object":{{"metadata":{{"resourceVersion":"9"}}}}}}"#);
        assert_eq!(in_line(line("DELETED").as_bytes()), seen(9));
        assert_eq!(in_line(line("BOOKMARK").as_bytes()), Sighting::default());
    }

    #[test]
    fn only_what_is_watched_is_waited_for() {
        for (path, expected) in [
            ("/apis/metal.ironcore.dev/v1alpha1/servers/a/status", Some("Server")),
            ("/api/v1/namespaces/default/secrets", Some("Secret")),
            ("/api/v1/namespaces/default/pods", None),
            ("/apis/other.example/v1/servers", None),
        ] {
            let access = Access::of(&Method::GET, &Uri::from_static(path)).expect("a resource");
            assert_eq!(kind(&access).map(|kind| kind.kind), expected, "{path}");
        }
    }
}
