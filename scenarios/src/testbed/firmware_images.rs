//! A server with firmware images, which the machines of every world find under one name: `http://firmware.example/`.
//!
//! An image is what its name says (`bios-2.0.bin`: see `bmc-emulator/src/update.rs`). What is below `/locked/` needs a user and a password.

use crate::edges::HttpService;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{Request, Response, StatusCode, header};
use tower::ServiceExt;

/// Name of the server.
const HOST: &str = "firmware.example";
/// Who may read what is locked.
const USER: &str = "reader";
const PASSWORD: &str = "let-me-read";

/// What machines reach over HTTP, with this server beside it.
pub(super) fn beside(others: HttpService) -> HttpService {
    HttpService::new(tower::service_fn(move |request: Request<Bytes>| {
        let others = others.clone();
        async move {
            match request.uri().host() {
                Some(HOST) => Ok(answer(&request)),
                _ => others.oneshot(request).await,
            }
        }
    }))
}

fn answer(request: &Request<Bytes>) -> Response<Bytes> {
    let path = request.uri().path();
    let expected = format!("Basic {}", STANDARD.encode(format!("{USER}:{PASSWORD}")));
    let given = request.headers().get(header::AUTHORIZATION);
    let (status, body) = match path {
        _ if path.starts_with("/locked/") && given.is_none_or(|given| given != expected.as_str()) => {
            (StatusCode::UNAUTHORIZED, "")
        }
        _ if path.starts_with("/missing/") => (StatusCode::NOT_FOUND, ""),
        _ if path.starts_with("/damaged/") => (StatusCode::OK, "corrupt"),
        _ => (StatusCode::OK, "firmware"),
    };
    let mut response = Response::new(Bytes::from_static(body.as_bytes()));
    *response.status_mut() = status;
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_gets_what() {
        // reader:let-me-read, and the two swapped (W24).
        let (right, swapped) = ("Basic cmVhZGVyOmxldC1tZS1yZWFk", "Basic bGV0LW1lLXJlYWQ6cmVhZGVy");
        for (path, authorization, status, body) in [
            ("/bios-2.0.bin", None, 200, "firmware"),
            ("/locked/bios-2.0.bin", None, 401, ""),
            ("/locked/bios-2.0.bin", Some(swapped), 401, ""),
            ("/locked/bios-2.0.bin", Some(right), 200, "firmware"),
            ("/missing/bios-2.0.bin", None, 404, ""),
            ("/damaged/bios-2.0.bin", None, 200, "corrupt"),
        ] {
            let mut request = Request::get(format!("http://{HOST}{path}"));
            if let Some(authorization) = authorization {
                request = request.header(header::AUTHORIZATION, authorization);
            }
            let response = answer(&request.body(Bytes::new()).unwrap());
            assert_eq!(
                (response.status().as_u16(), &response.body()[..]),
                (status, body.as_bytes()),
                "{path}"
            );
        }
    }
}
