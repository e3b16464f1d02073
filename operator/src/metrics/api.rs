//! Requests to the API server, under the name that client-go has for them.

use http::Request;
use kube::Client;
use kube::client::Body;

use super::Metrics;

/// `client`, with every request counted in `rest_client_requests_total`. What got no answer has the code `<error>`, as in client-go.
pub fn counted(client: Client, metrics: Metrics) -> Client {
    let namespace = client.default_namespace().to_owned();
    let service = tower::service_fn(move |request: Request<Body>| {
        let (client, metrics) = (client.clone(), metrics.clone());
        async move {
            let method = method(&request);
            let answer = client.send(request).await;
            let code = answer.as_ref().map(|answer| answer.status().as_u16()).ok();
            metrics.api_requested(method, code);
            answer
        }
    });
    Client::new(service, namespace)
}

fn method(request: &Request<Body>) -> &'static str {
    match request.method().as_str() {
        "GET" => "GET",
        "POST" => "POST",
        "PUT" => "PUT",
        "PATCH" => "PATCH",
        "DELETE" => "DELETE",
        _ => "other",
    }
}
