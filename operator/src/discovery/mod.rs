//! Endpoints that nobody had to write down: BMCs that a DHCP server has given an address, or that answer a search (SSDP).
//!
//! | module | subject |
//! |---|---|
//! | [`leases`] | lease files of dnsmasq, Kea and ISC dhcpd |
//! | [`ssdp`] | searches for Redfish services |
//! | [`neighbors`] | which hardware address an IP address belongs to |
//! | [`filter`] | which networks and devices it is about |
//! | `plan` | what follows from what was seen |
//!
//! Off unless a flag asks for it. Files, datagrams and the clock come in from outside. An Endpoint is made for hardware
//! addresses that the database of MAC prefixes knows as BMCs, and for no other: a management network has laptops, too.
//! Nothing is changed or deleted: a lease that ends is no reason to forget a machine.

pub mod filter;
pub mod leases;
pub mod neighbors;
mod plan;
pub mod ssdp;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use crds::Endpoint;
use futures::future::BoxFuture;
use kube::api::{Api, PostParams};
use tokio_util::sync::CancellationToken;

use self::filter::Filter;
use self::plan::{Plan, plan};
use crate::context::Context;

/// A device on the management network.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Sighting {
    /// Lower case, with colons.
    pub mac_address: String,
    pub ip: IpAddr,
}

/// Somebody who has seen devices.
pub trait Source: Send + Sync {
    /// For messages: what a person has to look at when it fails.
    fn name(&self) -> String;

    /// Everything that is there now, or why that is not known.
    fn look(&self) -> BoxFuture<'_, Result<Vec<Sighting>, String>>;
}

/// Looks again and again, until `stop`.
pub(crate) async fn run(
    context: Arc<Context>,
    sources: Arc<[Box<dyn Source>]>,
    filter: Filter,
    interval: Duration,
    stop: CancellationToken,
) {
    loop {
        for source in sources.iter() {
            let seen = tokio::select! {
                biased;
                () = stop.cancelled() => return,
                seen = source.look() => seen,
            };
            match seen {
                Ok(mut seen) => {
                    seen.retain(|sighting| filter.lets_through(sighting));
                    let known = context.caches.endpoints.all();
                    let is_bmc = |mac: &str| context.mac_prefixes.find(mac).is_some();
                    create(&context.api(), &source.name(), plan(&known, &seen, is_bmc)).await;
                }
                Err(reason) => tracing::warn!(source = source.name(), reason, "nothing is discovered"),
            }
        }
        tokio::select! {
            biased;
            () = stop.cancelled() => return,
            () = tokio::time::sleep(interval) => {}
        }
    }
}

async fn create(api: &Api<Endpoint>, source: &str, plan: Plan) {
    for moved in plan.moved {
        tracing::warn!(
            endpoint = moved.endpoint,
            source,
            was = moved.was,
            is = %moved.is,
            "a BMC has another address than its Endpoint says; change the Endpoint, or reserve the address"
        );
    }
    for endpoint in plan.new {
        let name = endpoint.metadata.name.clone().unwrap_or_default();
        match api.create(&PostParams::default(), &endpoint).await {
            Ok(_) => tracing::info!(endpoint = name, source, ip = endpoint.spec.ip, "discovered"),
            // A cache that is behind, or another source that was faster.
            Err(kube::Error::Api(status)) if status.is_already_exists() => {}
            Err(error) => tracing::warn!(endpoint = name, source, %error, "a discovered Endpoint cannot be created"),
        }
    }
}

/// `b0:7b:25:d6:51:82`, however it was written; nothing if it is no hardware address of a device.
pub(crate) fn mac_address(text: &str) -> Option<String> {
    let digits: String = text
        .chars()
        .filter(|c| !matches!(c, ':' | '-' | '.'))
        .collect::<String>()
        .to_lowercase();
    let is_one = digits.len() == 12
        && digits.bytes().all(|byte| byte.is_ascii_hexdigit())
        && digits.bytes().any(|byte| byte != b'0');
    let pairs = || {
        digits
            .as_bytes()
            .chunks(2)
            .map(|pair| String::from_utf8_lossy(pair).into_owned())
    };
    is_one.then(|| pairs().collect::<Vec<_>>().join(":"))
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use bytes::Bytes;
    use http::{Request, Response};
    use http_body_util::{BodyExt, Full};
    use kube::client::Body;

    use super::*;

    #[test]
    fn hardware_addresses_are_read_however_they_are_written() {
        for text in [
            "B0:7B:25:D6:51:82",
            "b0-7b-25-d6-51-82",
            "b07b.25d6.5182",
            "b07b25d65182",
        ] {
            assert_eq!(mac_address(text).as_deref(), Some("b0:7b:25:d6:51:82"), "{text}");
        }
        for text in ["00:00:00:00:00:00", "b0:7b", "", "zz:7b:25:d6:51:82", "1234567"] {
            assert_eq!(mac_address(text), None, "{text}");
        }
    }

    /// An API server that takes every object, except for the second, which somebody else was faster with.
    fn api(created: Arc<Mutex<Vec<serde_json::Value>>>) -> Api<Endpoint> {
        let service = tower::service_fn(move |request: Request<Body>| {
            let created = created.clone();
            async move {
                let body = request.into_body().collect().await?.to_bytes();
                let object: serde_json::Value = serde_json::from_slice(&body).expect("an object");
                let count = {
                    let mut created = created.lock().expect("lock");
                    created.push(object.clone());
                    created.len()
                };
                let (status, answer) = if count == 2 {
                    let exists = serde_json::json!({
                        "kind": "Status", "apiVersion": "v1", "status": "Failure", "message": "", "reason": "AlreadyExists", "code": 409,
                    });
                    (409, exists)
                } else {
                    (201, object)
                };
                let response = Response::builder().status(status);
                Ok::<_, crate::edges::BoxError>(
                    response
                        .body(Full::new(Bytes::from(answer.to_string())))
                        .expect("a response"),
                )
            }
        });
        Api::all(kube::Client::new(service, "default"))
    }

    #[tokio::test]
    async fn what_is_new_is_created_once_each() {
        let created = Arc::new(Mutex::new(Vec::new()));
        let seen: Vec<Sighting> = (1..=3_u8)
            .map(|number| Sighting {
                mac_address: format!("b0:7b:25:00:00:0{number}"),
                ip: [10, 0, 0, number].into(),
            })
            .collect();
        create(&api(created.clone()), "test", plan(&[], &seen, |_| true)).await;
        let created = created.lock().expect("lock");
        assert_eq!(created.len(), 3, "one that exists already keeps nobody from the next");
        assert_eq!(created[2]["metadata"]["name"], "bmc-b07b25000003");
        assert_eq!(
            created[2]["spec"],
            serde_json::json!({ "macAddress": "b0:7b:25:00:00:03", "ip": "10.0.0.3" })
        );
    }
}
