//! `SessionService`: log in by POST, log out by DELETE (DSP0266 §13.3.4).

use std::collections::BTreeMap;
use std::time::Duration;

use http::{HeaderName, Method, StatusCode, header};
use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::call::Reply;
use super::context::{Answer, Context, collection, link};
use super::message::{self, Message};
use super::vendor;
use crate::event::MachineEventKind;
use crate::identity;
use crate::personality::SessionLimits;
use crate::quirk::Quirk;
use crate::secret::Secret;

const URI: &str = "/redfish/v1/SessionService";
const SESSIONS: &str = "/redfish/v1/SessionService/Sessions";
pub(super) const AUTH_TOKEN: HeaderName = HeaderName::from_static("x-auth-token");

/// The open sessions of one BMC.
#[derive(Debug)]
pub(crate) struct Sessions {
    seed: u64,
    machine: String,
    maximum: usize,
    timeout_seconds: u64,
    opened: u64,
    open: BTreeMap<u64, Session>,
}

#[derive(Debug)]
struct Session {
    token: Secret,
    user: String,
    created: Timestamp,
    last_used: Instant,
}

impl Sessions {
    pub(crate) fn new(limits: &SessionLimits, machine: &str, seed: u64) -> Self {
        Self {
            seed,
            machine: machine.to_owned(),
            maximum: limits.maximum,
            timeout_seconds: limits.timeout_seconds,
            opened: 0,
            open: BTreeMap::new(),
        }
    }

    pub(crate) fn ids(&self) -> Vec<String> {
        self.open.keys().map(u64::to_string).collect()
    }

    /// Ends all sessions and says which there were.
    pub(crate) fn clear(&mut self) -> Vec<String> {
        std::mem::take(&mut self.open)
            .into_keys()
            .map(|id| id.to_string())
            .collect()
    }

    /// Ends the sessions nobody has used for too long.
    pub(super) fn expire(&mut self, now: Instant) -> Vec<String> {
        let timeout = Duration::from_secs(self.timeout_seconds);
        self.open
            .extract_if(.., |_, session| {
                now.saturating_duration_since(session.last_used) >= timeout
            })
            .map(|(id, _)| id.to_string())
            .collect()
    }

    fn open(&mut self, user: &str, now: Instant, created: Timestamp) -> Option<(String, Secret)> {
        if self.open.len() >= self.maximum {
            return None;
        }
        self.opened += 1;
        let id = self.opened;
        let token = Secret::new(identity::hex(
            self.seed,
            &[&self.machine, "session", &id.to_string()],
            32,
        ));
        self.open.insert(
            id,
            Session {
                token: token.clone(),
                user: user.to_owned(),
                created,
                last_used: now,
            },
        );
        Some((id.to_string(), token))
    }

    /// Session id and user of a token, which counts as used now.
    pub(super) fn authenticate(&mut self, token: &str, now: Instant) -> Option<(String, String)> {
        let (id, session) = self
            .open
            .iter_mut()
            .find(|(_, session)| session.token.expose() == token)?;
        session.last_used = now;
        Some((id.to_string(), session.user.clone()))
    }

    fn get(&self, id: &str) -> Option<&Session> {
        self.open.get(&id.parse().ok()?)
    }

    fn close(&mut self, id: &str) -> bool {
        id.parse().ok().and_then(|id: u64| self.open.remove(&id)).is_some()
    }
}

pub(super) fn route(cx: &mut Context<'_>, rest: &[&str]) -> Answer {
    match rest {
        [] if cx.call.method == Method::PATCH => patch(cx),
        [] => cx.read("GET, HEAD, PATCH", service),
        ["Sessions"] | ["Sessions", "Members"] if cx.call.method == Method::POST => log_in(cx),
        ["Sessions"] => cx.read("GET, HEAD, POST", |cx| {
            let members = cx
                .machine
                .redfish
                .sessions
                .ids()
                .into_iter()
                .map(|id| format!("{SESSIONS}/{id}"));
            collection(SESSIONS, "SessionCollection", "Sessions", members)
        }),
        ["Sessions", id] => session(cx, id),
        _ => cx.not_found(),
    }
}

fn service(cx: &mut Context<'_>) -> Value {
    json!({
        "@odata.type": "#SessionService.v1_1_9.SessionService",
        "@odata.id": URI,
        "Id": "SessionService",
        "Name": "Session Service",
        "Description": "Sessions of this BMC",
        "Status": { "State": "Enabled", "Health": "OK" },
        "ServiceEnabled": true,
        "SessionTimeout": cx.machine.redfish.sessions.timeout_seconds,
        "Sessions": link(SESSIONS),
    })
}

fn patch(cx: &mut Context<'_>) -> Answer {
    let document = service(cx);
    cx.check_if_match(&document)?;
    let mut wrong = Vec::new();
    let mut timeout = None;
    for (name, value) in cx.patch_object()? {
        let pointer = format!("#/{name}");
        match name.as_str() {
            // DSP0266 allows 30 seconds to one day.
            "SessionTimeout" => match value.as_u64() {
                Some(seconds @ 30..=86_400) => timeout = Some(seconds),
                Some(_) => wrong.push(Message::new(&message::PROPERTY_VALUE_ERROR, [&name]).about(pointer)),
                None => {
                    wrong.push(Message::new(&message::PROPERTY_VALUE_TYPE, [&value.to_string(), &name]).about(pointer))
                }
            },
            "ServiceEnabled" | "Id" | "Name" | "Status" => {
                wrong.push(Message::new(&message::PROPERTY_NOT_WRITABLE, [&name]).about(pointer));
            }
            _ => wrong.push(Message::new(&message::PROPERTY_UNKNOWN, [&name]).about(pointer)),
        }
    }
    cx.refuse_if_any(&wrong)?;
    if let Some(seconds) = timeout {
        cx.machine.redfish.sessions.timeout_seconds = seconds;
    }
    let document = service(cx);
    Ok(cx.document(document))
}

fn session_document(id: &str, session: &Session) -> Value {
    json!({
        "@odata.type": "#Session.v1_7_0.Session",
        "@odata.id": format!("{SESSIONS}/{id}"),
        "Id": id,
        "Name": "User Session",
        "UserName": session.user,
        "Password": null,
        "SessionType": "Redfish",
        "CreatedTime": session.created.to_string(),
    })
}

fn log_in(cx: &mut Context<'_>) -> Answer {
    let body = cx.object()?;
    let text = |name: &str| body.get(name).and_then(Value::as_str);
    let missing: Vec<Message> = ["UserName", "Password"]
        .into_iter()
        .filter(|name| text(name).is_none())
        .map(|name| Message::new(&message::PROPERTY_MISSING, [name]).about(format!("#/{name}")))
        .collect();
    cx.refuse_if_any(&missing)?;
    let (user, password) = (
        text("UserName").unwrap_or_default(),
        text("Password").unwrap_or_default(),
    );
    let refused = cx.machine.faults.rejects_credentials();
    if refused
        || cx
            .machine
            .redfish
            .accounts
            .log_in(user, password, cx.moment.now)
            .is_none()
    {
        cx.machine.counters.logins_failed += 1;
        cx.machine
            .event(cx.moment.wall, MachineEventKind::LoginFailed { user: user.to_owned() });
        return Err(super::auth::unauthorized(cx));
    }
    let created = cx.machine.bmc_time(cx.moment.wall);
    let sessions = &mut cx.machine.redfish.sessions;
    // Others hold what the table has room for.
    let opened = match cx.machine.faults.session_table_full() {
        true => None,
        false => sessions.open(user, cx.moment.now, created),
    };
    let Some((id, token)) = opened else {
        if cx.machine.has(Quirk::SessionLimitInOwnWords) {
            let text = "The maximum number of user sessions has been reached.";
            return Err(cx.vendor_error(StatusCode::SERVICE_UNAVAILABLE, vendor::IDRAC, "RAC0218", text));
        }
        let message = Message::new(&message::SESSION_LIMIT_EXCEEDED, []);
        return Err(cx.error(StatusCode::SERVICE_UNAVAILABLE, message));
    };
    cx.machine.counters.sessions_opened += 1;
    cx.machine.event(
        cx.moment.wall,
        MachineEventKind::SessionOpened {
            session: id.clone(),
            user: user.to_owned(),
        },
    );
    let document = cx
        .machine
        .redfish
        .sessions
        .get(&id)
        .map(|session| session_document(&id, session));
    let mut document = document.unwrap_or_default();
    if let Some((number, account)) = cx.machine.redfish.accounts.of_user(user)
        && account.password_change_required
    {
        let message = super::auth::password_change_required(number).to_json(cx.personality());
        document["@Message.ExtendedInfo"] = json!([message]);
    }
    Ok(Reply::json(StatusCode::CREATED, document)
        .with(AUTH_TOKEN, token.expose())
        .with(header::LOCATION, format!("{SESSIONS}/{id}")))
}

fn session(cx: &mut Context<'_>, id: &str) -> Answer {
    let Some(document) = cx
        .machine
        .redfish
        .sessions
        .get(id)
        .map(|session| session_document(id, session))
    else {
        return cx.not_found();
    };
    if cx.call.method != Method::DELETE {
        return cx.read("GET, HEAD, DELETE", |_| document);
    }
    cx.machine.redfish.sessions.close(id);
    cx.machine.redfish.subscriptions.end_streams(Some(id));
    let reason = "logged out".to_owned();
    cx.machine.event(
        cx.moment.wall,
        MachineEventKind::SessionClosed {
            session: id.to_owned(),
            reason,
        },
    );
    Ok(cx.success())
}
