//! Bearer tokens, and pretending to be somebody else.

use http::HeaderMap;
use http::header::AUTHORIZATION;

use super::rbac::{self, Attributes};
use super::tokens;
use crate::api::status::ApiError;
use crate::emulator::KubeEmulator;

/// Whoever may do everything, whatever roles say.
pub(super) const MASTERS: &str = "system:masters";
const AUTHENTICATED: &str = "system:authenticated";

/// The user behind a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct User {
    pub(crate) name: String,
    pub(crate) groups: Vec<String>,
}

impl User {
    fn anonymous() -> Self {
        Self {
            name: "system:anonymous".to_owned(),
            groups: vec!["system:unauthenticated".to_owned()],
        }
    }

    pub(super) fn service_account(namespace: &str, name: &str) -> Self {
        Self {
            name: format!("system:serviceaccount:{namespace}:{name}"),
            groups: vec![
                "system:serviceaccounts".to_owned(),
                format!("system:serviceaccounts:{namespace}"),
                AUTHENTICATED.to_owned(),
            ],
        }
    }

    pub(crate) fn is_authenticated(&self) -> bool {
        self.groups.iter().any(|group| group == AUTHENTICATED)
    }
}

/// No credentials are the anonymous user; wrong ones are 401.
pub(crate) fn authenticate(headers: &HeaderMap, emulator: &KubeEmulator) -> Result<User, ApiError> {
    let Some(header) = headers.get(AUTHORIZATION) else {
        return Ok(User::anonymous());
    };
    let token = header
        .to_str()
        .ok()
        .and_then(|header| header.split_once(' '))
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
        .map(|(_, token)| token.trim())
        .ok_or_else(ApiError::unauthorized)?;
    if same(token, emulator.admin_token()) {
        return Ok(User {
            name: "kubernetes-admin".to_owned(),
            groups: vec![MASTERS.to_owned(), AUTHENTICATED.to_owned()],
        });
    }
    match tokens::owner(emulator, token) {
        Some((namespace, name)) => Ok(User::service_account(&namespace, &name)),
        None => Err(ApiError::unauthorized()),
    }
}

/// The user that the `Impersonate-*` headers name, if there are any and the one who asks may.
pub(crate) fn impersonated(emulator: &KubeEmulator, user: User, headers: &HeaderMap) -> Result<User, ApiError> {
    let text = |value: &http::HeaderValue| value.to_str().unwrap_or_default().to_owned();
    let Some(name) = headers.get("impersonate-user").map(text) else {
        return Ok(user);
    };
    let mut groups: Vec<String> = headers.get_all("impersonate-group").iter().map(text).collect();
    let asked = std::iter::once(("users", name.as_str())).chain(groups.iter().map(|group| ("groups", group.as_str())));
    for (resource, name) in asked {
        let attributes = Attributes {
            verb: "impersonate".to_owned(),
            resource: resource.to_owned(),
            name: name.to_owned(),
            ..Attributes::default()
        };
        if rbac::allowed(emulator, &user, &attributes).is_none() {
            return Err(rbac::refusal(&user, &attributes));
        }
    }
    let account = name
        .strip_prefix("system:serviceaccount:")
        .and_then(|rest| rest.split_once(':'));
    if let (Some((namespace, account)), true) = (account, groups.is_empty()) {
        return Ok(User::service_account(namespace, account));
    }
    if name == User::anonymous().name {
        return Ok(User::anonymous());
    }
    if !groups.iter().any(|group| group == AUTHENTICATED) {
        groups.push(AUTHENTICATED.to_owned());
    }
    Ok(User { name, groups })
}

/// Compares without telling by its duration how much was right.
fn same(given: &str, expected: &str) -> bool {
    given.len() == expected.len()
        && !expected.is_empty()
        && given
            .bytes()
            .zip(expected.bytes())
            .fold(0, |difference, (a, b)| difference | (a ^ b))
            == 0
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn tokens_decide() {
        let emulator = KubeEmulator::new(crate::Settings {
            clock: Arc::new(|| jiff::Timestamp::UNIX_EPOCH),
            seed: 1,
            admin_token: "secret".to_owned(),
            watch_history: 10,
        });
        let ask = |header: Option<&str>| {
            let mut headers = HeaderMap::new();
            if let Some(header) = header {
                headers.insert(AUTHORIZATION, header.parse().unwrap());
            }
            authenticate(&headers, &emulator)
                .map(|user| user.is_authenticated())
                .map_err(|error| error.code)
        };
        assert_eq!(ask(None), Ok(false));
        assert_eq!(ask(Some("Bearer secret")), Ok(true));
        assert_eq!(ask(Some("bearer secret")), Ok(true));
        assert_eq!(ask(Some("Bearer wrong")), Err(401));
        assert_eq!(ask(Some("Basic secret")), Err(401));
    }
}
