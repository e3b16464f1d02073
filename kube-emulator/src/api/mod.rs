//! The HTTP face: one handler that reads a request, finds its target and answers.

mod accept;
mod auth;
mod body;
mod create;
mod delete;
mod discovery;
pub(crate) mod field_error;
mod metadata;
mod openapi;
mod patch;
mod path;
mod protobuf;
mod query;
mod read;
mod render;
mod review;
mod scale;
pub(crate) mod status;
mod update;
mod watch;

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use http::header::{ACCEPT, CACHE_CONTROL, CONTENT_TYPE, USER_AGENT};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};
use serde_json::Value;

use crate::apply::Operation;
use crate::emulator::KubeEmulator;
use crate::front_end::FrontEnd;
use crate::resource::Resource;
use crate::resource::registry::Registry;
use crate::store::{ObjectKey, Stored, WriteContext};
use accept::Rendering;
use auth::rbac::Attributes;
pub(crate) use auth::tokens::Issued;
use auth::{User, rbac, tokens};
pub(crate) use create::create_object;
pub(crate) use delete::{DeleteOptions, Propagation, delete_object};
pub(crate) use metadata::of as metadata_of;
use path::{ResourcePath, Target};
use query::Query;
use status::ApiError;

/// Everything about a request besides its target and body.
pub(crate) struct Call {
    pub(crate) emulator: KubeEmulator,
    /// Whose watch cache answers.
    pub(crate) front_end: FrontEnd,
    pub(crate) registry: Arc<Registry>,
    pub(crate) query: Query,
    pub(crate) headers: HeaderMap,
    pub(crate) user: User,
    /// Become Warning headers of the answer.
    pub(crate) warnings: Vec<String>,
}

impl Call {
    /// A call by the emulator's own controllers.
    pub(crate) fn internal(emulator: &KubeEmulator) -> Self {
        Self::by(emulator, "kube-controller-manager")
    }

    /// A call from inside whose writes are recorded under a name.
    pub(crate) fn by(emulator: &KubeEmulator, manager: &str) -> Self {
        Self {
            emulator: emulator.clone(),
            front_end: emulator.front_end(),
            registry: emulator.registry(),
            query: Query::with_manager(manager),
            headers: HeaderMap::new(),
            user: User {
                name: "system:kube-controller-manager".to_owned(),
                groups: Vec::new(),
            },
            warnings: Vec::new(),
        }
    }

    fn header(&self, name: http::header::HeaderName) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    pub(crate) fn user_agent(&self) -> Option<&str> {
        self.header(USER_AGENT)
    }

    fn rendering(&self) -> Result<Rendering, ApiError> {
        Rendering::negotiate(self.header(ACCEPT), &self.query)
    }

    /// Name under which a write is recorded in managedFields: the parameter, or the program of the User-Agent.
    pub(crate) fn field_manager(&self) -> String {
        if let Some(manager) = self.query.get("fieldManager") {
            return manager.to_owned();
        }
        match self
            .user_agent()
            .and_then(|agent| agent.split('/').next())
            .filter(|program| !program.is_empty())
        {
            Some(program) => program.to_owned(),
            None => "unknown".to_owned(),
        }
    }

    pub(crate) fn write_context(&self, resource: &Resource, subresource: Option<&str>, dry_run: bool) -> WriteContext {
        let version = resource
            .storage_version
            .rsplit('/')
            .next()
            .unwrap_or_default()
            .to_owned();
        WriteContext {
            version,
            kind: resource.kind.clone(),
            user_agent: self.user_agent().map(str::to_owned),
            field_manager: Some(self.field_manager()),
            subresource: subresource.map(str::to_owned),
            dry_run,
        }
    }
}

/// Finalizers of an object.
pub(crate) fn finalizers_of(object: &Value) -> Vec<String> {
    metadata::finalizers(object).into_iter().map(str::to_owned).collect()
}

/// Changes an existing object without going through HTTP.
pub(crate) fn edit_object(
    call: &mut Call,
    resource: &Arc<Resource>,
    key: &ObjectKey,
    subresource: Option<&str>,
    edit: impl FnOnce(&mut Value),
) -> Result<Arc<Stored>, ApiError> {
    let change = update::Change {
        subresource,
        operation: Operation::Update,
        dry_run: false,
        uid_change: update::UidChange::Conflict,
    };
    update::change_object(call, resource, key, change, |_, current| {
        let mut object = current.clone();
        edit(&mut object);
        Ok(object)
    })
}

/// What a handler answers; turned into HTTP at one place.
pub(crate) enum Answer {
    Json(StatusCode, Value),
    /// JSON that is already text.
    Text(StatusCode, &'static str, Body),
    /// An object, still in its stored shape.
    Object(StatusCode, Arc<Resource>, Arc<Stored>),
    Ready(Response<Body>),
}

/// The entry point of every request.
pub(crate) async fn handle(State(front_end): State<FrontEnd>, request: Request<Body>) -> Response<Body> {
    let emulator = front_end.emulator().clone();
    let (parts, body) = request.into_parts();
    let target = Target::parse(parts.uri.path());
    let query = Query::parse(parts.uri.query());
    let attributes = attributes(&target, &parts.method, parts.uri.path(), &query);
    let user = auth::authenticate(&parts.headers, &emulator)
        .and_then(|user| auth::impersonated(&emulator, user, &parts.headers))
        .and_then(|user| match rbac::allowed(&emulator, &user, &attributes) {
            Some(_) => Ok(user),
            None => Err(rbac::refusal(&user, &attributes)),
        });
    let user = match user {
        Ok(user) => user,
        Err(error) => return respond(Err(error), Vec::new()),
    };
    let mut call = Call {
        registry: emulator.registry(),
        emulator,
        front_end,
        query,
        headers: parts.headers,
        user,
        warnings: Vec::new(),
    };
    let answer = dispatch(&mut call, &parts.method, target, body).await;
    let answer = answer.and_then(|answer| render::finish(&call, answer));
    respond(answer, call.warnings)
}

/// What a request asks to do, in the words of roles.
fn attributes(target: &Target, method: &Method, path: &str, query: &Query) -> Attributes {
    let Target::Object(target) = target else {
        return Attributes {
            verb: method.as_str().to_lowercase(),
            path: Some(path.to_owned()),
            ..Attributes::default()
        };
    };
    let watch = target.watch || query.flag("watch") && query.get("watch").is_some();
    let verb = match (method.as_str(), &target.name) {
        ("GET" | "HEAD", None) if watch => "watch",
        ("GET" | "HEAD", None) => "list",
        ("GET" | "HEAD", Some(_)) => "get",
        ("POST", _) => "create",
        ("PUT", _) => "update",
        ("PATCH", _) => "patch",
        ("DELETE", None) => "deletecollection",
        _ => "delete",
    };
    let resource = match &target.subresource {
        Some(subresource) => format!("{}/{subresource}", target.resource),
        None => target.resource.clone(),
    };
    // A namespace is inside of itself.
    let namespace = match (&target.namespace, target.group.as_str(), target.resource.as_str()) {
        (None, "", "namespaces") => target.name.clone(),
        (namespace, ..) => namespace.clone(),
    };
    Attributes {
        verb: verb.to_owned(),
        group: target.group.clone(),
        resource,
        name: target.name.clone().unwrap_or_default(),
        namespace,
        path: None,
    }
}

async fn dispatch(call: &mut Call, method: &Method, target: Target, body: Body) -> Result<Answer, ApiError> {
    if let Target::Object(path) = target {
        return object(call, method, path, body).await;
    }
    if method != Method::GET && method != Method::HEAD {
        return Err(ApiError::method_not_allowed());
    }
    match target {
        Target::Version => Ok(Answer::Json(StatusCode::OK, discovery::version())),
        Target::Health => Ok(Answer::Text(
            StatusCode::OK,
            "text/plain; charset=utf-8",
            Body::from("ok"),
        )),
        Target::CoreVersions => discovery::core_versions(call),
        Target::Groups => discovery::groups(call),
        Target::Group(group) => discovery::group(call, &group),
        Target::Resources { group, version } => discovery::resources(call, &group, &version),
        Target::OpenApiIndex => Ok(openapi::index(call)),
        Target::OpenApiDocument { group, version } => openapi::document(call, &group, &version),
        Target::Object(_) | Target::Unknown => Err(ApiError::page_not_found()),
    }
}

/// Requests to objects: collection verbs, object verbs, subresources.
async fn object(call: &mut Call, method: &Method, path: ResourcePath, body: Body) -> Result<Answer, ApiError> {
    if review::is_review(&path) {
        let body = body::read(call, body).await?;
        return review::answer(call, method, &path, &body);
    }
    let registry = call.registry.clone();
    if !registry.has_version(&path.group, &path.version) {
        return Err(ApiError::page_not_found());
    }
    let Some(resource) = registry.find(&path.group, &path.version, &path.resource) else {
        // The handler of custom resources answers like a path nobody knows.
        let custom = registry
            .in_version(&path.group, &path.version)
            .any(|resource| resource.custom);
        return Err(if custom {
            ApiError::page_not_found()
        } else {
            ApiError::resource_not_found()
        });
    };
    if path.namespace.is_some() && !resource.namespaced {
        return Err(ApiError::resource_not_found());
    }
    if let Some(warning) = &resource.deprecation {
        call.warnings.push(warning.clone());
    }
    let namespace = path.namespace.as_deref();
    let Some(name) = path.name.as_deref() else {
        if resource.namespaced && namespace.is_none() && !matches!(*method, Method::GET | Method::HEAD) {
            return Err(ApiError::method_not_allowed());
        }
        return match *method {
            Method::GET | Method::HEAD
                if path.watch || call.query.flag("watch") && call.query.get("watch").is_some() =>
            {
                watch::start(call, resource, namespace)
            }
            Method::GET | Method::HEAD => read::list(call, resource, namespace).await,
            Method::POST => {
                let body = body::read(call, body).await?;
                create::create(call, resource, namespace, &body)
            }
            Method::DELETE if resource.plural == "namespaces" => Err(ApiError::method_not_allowed()),
            Method::DELETE => {
                let body = body::read(call, body).await?;
                delete::delete_collection(call, resource, namespace, &body)
            }
            Method::PUT if resource.custom => Err(ApiError::bad_request("name must be provided")),
            _ => Err(ApiError::method_not_allowed()),
        };
    };
    if resource.namespaced && namespace.is_none() {
        return Err(ApiError::resource_not_found());
    }
    match path.subresource.as_deref() {
        None => {}
        Some("status") if resource.status => {}
        Some("token") if resource.plural == "serviceaccounts" && *method == Method::POST => {
            let body = body::read(call, body).await?;
            return tokens::request(call, resource, namespace.unwrap_or_default(), name, &body);
        }
        Some("finalize") if resource.plural == "namespaces" && resource.group.is_empty() => {}
        Some("scale") if resource.scale.is_some() => {
            let body = body::read(call, body).await?;
            return scale::handle(call, method, resource, namespace, name, &body);
        }
        Some(_) if resource.custom => return Err(ApiError::not_found(resource, name)),
        Some(_) => return Err(ApiError::resource_not_found()),
    }
    let subresource = path.subresource.as_deref();
    match *method {
        Method::GET | Method::HEAD => read::get(call, resource, namespace, name).await,
        Method::PUT => {
            let body = body::read(call, body).await?;
            update::put(call, resource, namespace, name, subresource, &body)
        }
        Method::PATCH => {
            let body = body::read(call, body).await?;
            patch::patch(call, resource, namespace, name, subresource, &body)
        }
        Method::DELETE if subresource.is_none() => {
            let body = body::read(call, body).await?;
            delete::delete(call, resource, namespace, name, &body)
        }
        Method::POST if subresource.is_some() => Err(ApiError::verb_not_supported(resource, "create")),
        Method::DELETE if resource.custom => Err(ApiError::verb_not_supported(resource, "delete")),
        _ => Err(ApiError::method_not_allowed()),
    }
}

/// Longest total of warning texts (`k8s.io/apiserver/pkg/endpoints/filters/warning.go`).
const WARNING_BUDGET: usize = 4096;

fn respond(answer: Result<Response<Body>, ApiError>, warnings: Vec<String>) -> Response<Body> {
    let mut response = answer.unwrap_or_else(|error| failure(&error));
    let mut budget = WARNING_BUDGET;
    let mut seen: Vec<&String> = Vec::new();
    for warning in &warnings {
        if seen.contains(&warning) || warning.len() > budget {
            continue;
        }
        budget -= warning.len();
        seen.push(warning);
        let quoted = warning.replace('\\', "\\\\").replace('"', "\\\"");
        if let Ok(value) = HeaderValue::from_str(&format!("299 - \"{quoted}\"")) {
            response.headers_mut().append("warning", value);
        }
    }
    response
        .headers_mut()
        .entry(CACHE_CONTROL)
        .or_insert(HeaderValue::from_static("no-cache, private"));
    response
}

fn failure(error: &ApiError) -> Response<Body> {
    let code = StatusCode::from_u16(error.code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let (media, body) = if error.plain_text {
        ("text/plain; charset=utf-8", error.message.clone())
    } else {
        ("application/json", error.body().to_string())
    };
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = code;
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static(media));
    if let Some(seconds) = error.retry_after() {
        response.headers_mut().insert("retry-after", HeaderValue::from(seconds));
    }
    response
}
