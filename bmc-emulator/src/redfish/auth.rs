//! Who may do what: Basic authentication, session tokens, and the privileges of roles.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::{Method, StatusCode, header};

use super::call::{Call, Reply};
use super::context::{Caller, Context};
use super::message::{self, Message};
use super::roles::{Privilege, Role};
use super::session_service::AUTH_TOKEN;
use crate::event::MachineEventKind;

/// Identifies the caller, or refuses the request.
pub(super) fn authenticate(cx: &mut Context<'_>, segments: &[&str]) -> Result<(), Reply> {
    for session in cx.machine.redfish.sessions.expire(cx.moment.now) {
        cx.machine.redfish.subscriptions.end_streams(Some(&session));
        let reason = "not used for too long".to_owned();
        cx.machine
            .event(cx.moment.wall, MachineEventKind::SessionClosed { session, reason });
    }
    if is_open(cx.call, segments) {
        return Ok(());
    }
    let caller = identify(cx).ok_or_else(|| unauthorized(cx))?;
    demand_new_password(cx, &caller, segments)?;
    if !may(&caller, &cx.call.method, segments, cx) {
        return Err(cx.error(
            StatusCode::FORBIDDEN,
            Message::new(&message::INSUFFICIENT_PRIVILEGE, []),
        ));
    }
    cx.caller = Some(caller);
    Ok(())
}

/// As long as the password has to be changed, a user may do that and nothing else (DSP0266 §13.3.6.1).
fn demand_new_password(cx: &Context<'_>, caller: &Caller, segments: &[&str]) -> Result<(), Reply> {
    let accounts = &cx.machine.redfish.accounts;
    let Some((number, account)) = accounts.of_user(&caller.user) else {
        return Ok(());
    };
    let own = number.to_string();
    let allowed = match (&cx.call.method, segments) {
        (&Method::GET | &Method::HEAD | &Method::PATCH, ["redfish", "v1", "AccountService", "Accounts", id]) => {
            *id == own
        }
        (&Method::DELETE, ["redfish", "v1", "SessionService", "Sessions", id]) => {
            caller.session.as_deref() == Some(*id)
        }
        _ => false,
    };
    if allowed || !account.password_change_required {
        return Ok(());
    }
    Err(cx.error(StatusCode::FORBIDDEN, password_change_required(number)))
}

/// Where the password of this account can be changed.
pub(super) fn password_change_required(number: u32) -> Message {
    let uri = format!("/redfish/v1/AccountService/Accounts/{number}");
    Message::new(&message::PASSWORD_CHANGE_REQUIRED, [&uri])
}

/// What DSP0266 §13.3.2 leaves open, and the login itself.
fn is_open(call: &Call, segments: &[&str]) -> bool {
    match segments {
        // Expanded, the root would show what is not open.
        ["redfish", "v1"] => !call.query.as_ref().is_some_and(|query| query.contains("expand")),
        ["redfish"] | ["redfish", "v1", "$metadata" | "odata"] => true,
        ["redfish", "v1", "SessionService", "Sessions"]
        | ["redfish", "v1", "SessionService", "Sessions", "Members"] => call.method == Method::POST,
        _ => false,
    }
}

fn identify(cx: &mut Context<'_>) -> Option<Caller> {
    let token = cx.call.header(&AUTH_TOKEN).map(str::to_owned);
    let basic = cx.call.header(&header::AUTHORIZATION).and_then(basic_credentials);
    let refused = (token.is_some() || basic.is_some()) && cx.machine.faults.rejects_credentials();
    if let Some(token) = token {
        if refused {
            return None;
        }
        let (session, user) = cx.machine.redfish.sessions.authenticate(&token, cx.moment.now)?;
        let (_, account) = cx.machine.redfish.accounts.of_user(&user)?;
        let role = account.role.clone();
        return Some(Caller {
            user,
            role,
            session: Some(session),
        });
    }
    let (user, password) = basic?;
    match cx.machine.redfish.accounts.log_in(&user, &password, cx.moment.now) {
        Some(role) if !refused => {
            let event = MachineEventKind::BasicAuthenticated { user: user.clone() };
            cx.machine.event(cx.moment.wall, event);
            Some(Caller {
                user,
                role,
                session: None,
            })
        }
        _ => {
            cx.machine.counters.logins_failed += 1;
            cx.machine.event(cx.moment.wall, MachineEventKind::LoginFailed { user });
            None
        }
    }
}

fn basic_credentials(header: &str) -> Option<(String, String)> {
    let (scheme, encoded) = header.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = String::from_utf8(STANDARD.decode(encoded.trim()).ok()?).ok()?;
    let (user, password) = decoded.split_once(':')?;
    Some((user.to_owned(), password.to_owned()))
}

pub(super) fn unauthorized(cx: &Context<'_>) -> Reply {
    let message = Message::new(&message::NO_VALID_SESSION, []);
    cx.error(StatusCode::UNAUTHORIZED, message)
        .with(header::WWW_AUTHENTICATE, "Basic realm=\"Redfish\"")
}

fn may(caller: &Caller, method: &Method, segments: &[&str], cx: &Context<'_>) -> bool {
    if matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS) {
        return true;
    }
    let own_session = |id: &&str| caller.session.as_deref() == Some(*id);
    let own_account = |id: &&str| {
        let account = id
            .parse()
            .ok()
            .and_then(|number| cx.machine.redfish.accounts.get(number));
        let only_password = cx.object().is_ok_and(|body| body.keys().all(|name| name == "Password"));
        only_password && account.is_some_and(|account| account.user_name == caller.user)
    };
    let privileges = cx.machine.redfish.accounts.roles.privileges(&caller.role);
    let has = |privilege| privileges.contains(&privilege);
    match segments.get(2..).unwrap_or_default() {
        _ if caller.role == Role::Administrator => true,
        ["SessionService", "Sessions", id] if own_session(id) => true,
        ["AccountService", "Accounts", id] if *method == Method::PATCH && own_account(id) => {
            has(Privilege::ConfigureSelf)
        }
        ["AccountService", ..] => has(Privilege::ConfigureUsers),
        ["Systems" | "Chassis", ..] => has(Privilege::ConfigureComponents),
        _ => has(Privilege::ConfigureManager),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn basic_credentials_may_contain_colons() {
        let header = format!("Basic {}", STANDARD.encode("admin:a:b"));
        assert_eq!(basic_credentials(&header), Some(("admin".to_owned(), "a:b".to_owned())));
        assert_eq!(basic_credentials("Bearer abc"), None);
    }
}
