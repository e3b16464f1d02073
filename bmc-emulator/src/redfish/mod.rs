//! The Redfish face (DSP0266) of one BMC. One file per service, named as the specification names it.
//!
//! Documents are built when they are read; a BMC at rest stores none. A request is carried out under the machine's
//! lock and never waits in it: faults that delay or swallow a request act before or after.

mod account_service;
mod accounts;
mod actions;
mod auth;
mod bios;
mod boot_options;
mod call;
mod certificate_service;
mod chassis;
mod context;
pub(crate) mod delivery;
mod dell_jobs;
mod drives;
pub(crate) mod enclosure;
mod ethernet_interfaces;
mod event_filter;
mod event_service;
mod job_service;
mod json_schemas;
pub(crate) mod lockout;
mod log_services;
mod managers;
mod mangled;
mod memory;
mod message;
mod multipart;
mod negotiation;
mod network_adapters;
mod network_device_functions;
mod network_protocol;
mod occurrence;
mod pcie_devices;
mod power_subsystem;
mod processors;
mod query;
mod recorded;
mod registries;
mod resource_event;
mod roles;
mod secure_boot;
mod sensors;
mod server_sent_events;
mod service_root;
mod session_service;
pub(crate) mod state;
mod storage;
mod storage_controllers;
mod subscriptions;
mod system_boot;
mod systems;
mod task_event;
mod task_service;
mod tasks;
mod telemetry;
mod telemetry_service;
mod thermal_and_power;
mod thermal_subsystem;
mod trusted_components;
mod update_push;
mod update_service;
mod vendor;
mod virtual_media;
mod volumes;

use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::Response;
use http::{HeaderName, Method, StatusCode, header};
use http_body_util::{BodyExt, Limited};
use jiff::fmt::rfc2822::DateTimePrinter;

use self::call::{Call, Reply};
use self::context::{Answer, Context};
use self::enclosure::Others;
use self::message::Message;
use self::query::Query;
use crate::bmc::Bmc;
use crate::event::MachineEventKind;
use crate::fault::{Asked, ConnectionDropped, HttpAction, Stuck};
use crate::machine::{Machine, Moment};
use crate::quirk::Quirk;

const ODATA_VERSION: HeaderName = HeaderName::from_static("odata-version");
/// No request that this service understands is larger, except firmware images.
const MAXIMUM_BODY: usize = 256 * 1024;

pub(crate) fn router(bmc: Bmc) -> Router {
    Router::new().fallback(handle).with_state(bmc)
}

async fn handle(State(bmc): State<Bmc>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let path = parts.uri.path().trim_end_matches('/').to_owned();
    let whole = parts
        .uri
        .path_and_query()
        .map_or_else(|| path.clone(), ToString::to_string);
    let asked = |bmc: &Bmc, machine: &mut Machine, moment: Moment| {
        let asked = Asked {
            method: parts.method.as_str(),
            path: &path,
            whole: &whole,
            now: moment.now,
        };
        let outcome = bmc.on_request(machine, asked);
        for fault in &outcome.fired {
            let (method, path) = (parts.method.to_string(), path.clone());
            machine.event(
                moment.wall,
                MachineEventKind::FaultFired {
                    fault: fault.0,
                    method,
                    path,
                },
            );
        }
        outcome
    };
    let faults = bmc.with(|machine, moment| {
        machine.counters.requests += 1;
        if machine.is_unreachable(moment.now) || machine.is_distrusted() {
            return None;
        }
        let outcome = asked(&bmc, machine, moment);
        let latency = machine.scaled(outcome.latency);
        let maximum_body = if path == machine.personality.multipart_push_uri {
            MAXIMUM_BODY + update_push::MAXIMUM_IMAGE
        } else {
            MAXIMUM_BODY
        };
        Some((outcome, latency, maximum_body, machine.time_scale))
    });
    let Some((mut outcome, mut latency, maximum_body, time_scale)) = faults else {
        return dropped();
    };
    // Where something is wrong: with the BMC, or with one of the other systems behind it.
    let mut afflicted = bmc.clone();
    if outcome.fired.is_empty()
        && let Some(system) = bmc.behind_at(&path)
    {
        (outcome, latency) = system.with(|machine, moment| {
            let outcome = asked(&system, machine, moment);
            let latency = machine.scaled(outcome.latency);
            (outcome, latency)
        });
        afflicted = system;
    }
    if !latency.is_zero() {
        tokio::time::sleep(latency).await;
    }
    match &outcome.answer {
        Some(HttpAction::Hang) => return std::future::pending().await,
        Some(HttpAction::Drop { processed: false }) => return dropped(),
        Some(HttpAction::Crash { processed: false }) => return crashed(&bmc),
        Some(HttpAction::Status { status, body }) => return faulty(&bmc, &parts.method, *status, body.clone()),
        _ => {}
    }
    if let Some(answer) = outcome.stuck.as_ref().and_then(|stuck| stuck.answer.clone()) {
        return answer.map(Body::from);
    }
    let Ok(body) = Limited::new(body, maximum_body).collect().await else {
        return too_large(&bmc);
    };
    let call = Call {
        method: parts.method,
        path,
        query: parts.uri.query().map(str::to_owned),
        headers: parts.headers,
        body: body.to_bytes(),
    };
    let response = bmc.with_others(|machine, others, moment| serve(machine, others, moment, &call));
    match outcome.answer {
        None => response,
        Some(HttpAction::Drop { .. }) => dropped(),
        Some(HttpAction::Crash { .. }) => crashed(&bmc),
        Some(HttpAction::Stuck) => {
            if let Some(stuck) = &outcome.stuck {
                return remembered(&afflicted, stuck, &whole, response).await;
            }
            response
        }
        Some(action) => {
            let duration = match &action {
                HttpAction::SlowBody { duration } => duration.0.div_f64(time_scale),
                _ => Duration::ZERO,
            };
            mangled::mangle(response, &action, duration).await
        }
    }
}

/// The BMC restarts instead of an answer.
fn crashed(bmc: &Bmc) -> Response {
    bmc.with(|machine, moment| machine.reset_bmc(moment));
    dropped()
}

/// The answer to a request whose path is stuck from now on.
async fn remembered(bmc: &Bmc, stuck: &Stuck, whole: &str, response: Response) -> Response {
    let (parts, body) = response.into_parts();
    let Ok(body) = body.collect().await else {
        return dropped();
    };
    let answer = Response::from_parts(parts, body.to_bytes());
    // What was refused is not what the path has.
    if answer.status() == StatusCode::OK {
        bmc.with(|machine, _| machine.faults.remember(stuck, whole, answer.clone()));
    }
    answer.map(Body::from)
}

/// The answer that stands for no answer: see [`ConnectionDropped`].
fn dropped() -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::BAD_GATEWAY;
    response.extensions_mut().insert(ConnectionDropped);
    response
}

fn too_large(bmc: &Bmc) -> Response {
    let reply = bmc.with(|machine, moment| {
        let message = Message::new(&message::PAYLOAD_TOO_LARGE, []);
        let reply = message.error(StatusCode::PAYLOAD_TOO_LARGE, machine.personality);
        reply.with(header::DATE, date(machine, moment))
    });
    reply.into_response(false, None)
}

fn faulty(bmc: &Bmc, method: &Method, status: u16, body: Option<serde_json::Value>) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let reply = bmc.with(|machine, moment| {
        let reply = match body {
            Some(body) => Reply::json(status, body),
            None => Message::new(&message::GENERAL_ERROR, []).error(status, machine.personality),
        };
        reply.with(header::DATE, date(machine, moment))
    });
    reply.into_response(method == Method::HEAD, None)
}

/// One request from authentication to response.
fn serve(machine: &mut Machine, others: &mut dyn Others, moment: Moment, call: &Call) -> Response {
    let personality = machine.personality;
    let mut cx = Context {
        call,
        machine,
        others,
        moment,
        caller: None,
    };
    let mut reply = answer(&mut cx).unwrap_or_else(|reply| reply);
    if cx.machine.has(Quirk::NullMembers) {
        vendor::nullify_empty_members(&mut reply);
    }
    if cx.machine.has(Quirk::ExtendedInfoIsObject) {
        vendor::unwrap_extended_info(&mut reply);
    }
    let status = reply.status.as_u16();
    let (method, path) = (call.method.to_string(), call.path.clone());
    machine.event(moment.wall, MachineEventKind::RequestServed { method, path, status });
    let response = reply
        .with(header::LINK, described_by(&call.path))
        .with(header::DATE, date(machine, moment));
    let response = if negotiation::accepts_gzip(call) {
        response.compressed()
    } else {
        response
    };
    response.into_response(call.method == Method::HEAD, personality.server_header)
}

/// RFC 9110 §6.6.1, by the BMC's own clock.
fn date(machine: &Machine, moment: Moment) -> String {
    let time = machine.bmc_time(moment.wall);
    // Fails only for years with more than four digits.
    DateTimePrinter::new()
        .timestamp_to_rfc9110_string(&time)
        .unwrap_or_default()
}

/// DSP0266 §8.2: a `Link` header with `rel=describedby` on every response to a GET.
fn described_by(path: &str) -> String {
    let schema = match path.split('/').nth(3) {
        None | Some("") => "ServiceRoot",
        Some("Systems") => "ComputerSystem",
        Some("Managers") => "Manager",
        Some("Registries") => "MessageRegistryFile",
        Some(service) => service,
    };
    format!("<https://redfish.dmtf.org/schemas/v1/{schema}.json>; rel=describedby")
}

fn answer(cx: &mut Context<'_>) -> Answer {
    if let Some(absence) = cx.machine.absence {
        let seconds = absence
            .ready_at
            .saturating_duration_since(cx.moment.now)
            .as_secs()
            .max(1)
            .to_string();
        let message = Message::new(&message::SERVICE_TEMPORARILY_UNAVAILABLE, [&seconds]);
        return Err(cx
            .error(StatusCode::SERVICE_UNAVAILABLE, message)
            .with(header::RETRY_AFTER, seconds));
    }
    if cx.call.header(&ODATA_VERSION).is_some_and(|version| version != "4.0") {
        let message = Message::new(&message::HEADER_INVALID, ["OData-Version"]);
        return Err(cx.error(StatusCode::PRECONDITION_FAILED, message));
    }
    let path = cx.call.path.clone();
    let segments: Vec<&str> = path.split('/').skip(1).collect();
    auth::authenticate(cx, &segments)?;
    if cx.call.method == Method::OPTIONS {
        return options(cx, &segments);
    }
    negotiation::check_content_type(cx)?;
    let reply = Query::parse(cx)?.answer(cx, &segments)?;
    negotiation::check_accept(cx)?;
    Ok(reply)
}

/// Which methods there are: what a GET would be answered with says so, whether it is allowed or not.
fn options(cx: &mut Context<'_>, segments: &[&str]) -> Answer {
    let allow = if cx.call.path == server_sent_events::URI {
        // A GET would open a stream.
        "GET".to_owned()
    } else {
        let reply = query::unconditionally(cx, Method::GET, |cx| dispatch(cx, segments)).unwrap_or_else(|reply| reply);
        if reply.status == StatusCode::NOT_FOUND {
            return Err(reply);
        }
        let found = reply.headers.into_iter().find(|(name, _)| *name == header::ALLOW);
        found.map_or_else(|| "GET, HEAD".to_owned(), |(_, allow)| allow)
    };
    Ok(Reply::new(StatusCode::NO_CONTENT).with(header::ALLOW, allow))
}

/// A resource, as whoever has it answers: the machine itself, or the recording it replays.
fn dispatch(cx: &mut Context<'_>, segments: &[&str]) -> Answer {
    if let Some(index) = enclosure::owner(cx, segments) {
        return enclosure::answered_by(cx, index, |cx| live(cx, segments));
    }
    match cx.machine.replay.as_ref().map(|replay| replay.mockup.clone()) {
        Some(mockup) => recorded::dispatch(cx, &mockup),
        None => live(cx, segments),
    }
}

fn live(cx: &mut Context<'_>, segments: &[&str]) -> Answer {
    if cx.call.path == cx.personality().multipart_push_uri {
        return update_push::push(cx);
    }
    match segments {
        ["redfish"] => service_root::versions(cx),
        ["redfish", "v1"] => service_root::root(cx),
        ["redfish", "v1", "odata"] => service_root::odata(cx),
        ["redfish", "v1", "$metadata"] => service_root::metadata(cx),
        ["redfish", "v1", service, rest @ ..] => match *service {
            "Systems" => systems::route(cx, rest),
            "Managers" => managers::route(cx, rest),
            "Chassis" => chassis::route(cx, rest),
            "TaskService" => task_service::route(cx, rest),
            "SessionService" => session_service::route(cx, rest),
            "AccountService" => account_service::route(cx, rest),
            "EventService" => event_service::route(cx, rest),
            "ComponentIntegrity" => trusted_components::integrity_route(cx, rest),
            "JsonSchemas" => json_schemas::route(cx, rest),
            "JobService" => job_service::route(cx, rest),
            "TelemetryService" => telemetry_service::route(cx, rest),
            "UpdateService" => update_service::route(cx, rest),
            "Registries" => registries::route(cx, rest),
            "CertificateService" => certificate_service::route(cx, rest),
            _ => cx.not_found(),
        },
        _ => cx.not_found(),
    }
}
