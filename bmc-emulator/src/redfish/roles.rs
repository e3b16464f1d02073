//! Roles: the predefined ones of DSP0266 §13.2.8, and those that users make of its privileges.

use std::collections::BTreeMap;

use http::{Method, StatusCode, header};
use serde_json::{Value, json};

use super::call::Reply;
use super::context::{Answer, Context, collection};
use super::message::{self, Message};

const URI: &str = "/redfish/v1/AccountService/Roles";

/// What a role allows. Reading takes `Login`, which nobody is without.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Privilege {
    Login,
    ConfigureManager,
    ConfigureUsers,
    ConfigureComponents,
    ConfigureSelf,
}

impl Privilege {
    const ALL: [Privilege; 5] = [
        Privilege::Login,
        Privilege::ConfigureManager,
        Privilege::ConfigureUsers,
        Privilege::ConfigureComponents,
        Privilege::ConfigureSelf,
    ];

    fn as_str(self) -> &'static str {
        match self {
            Privilege::Login => "Login",
            Privilege::ConfigureManager => "ConfigureManager",
            Privilege::ConfigureUsers => "ConfigureUsers",
            Privilege::ConfigureComponents => "ConfigureComponents",
            Privilege::ConfigureSelf => "ConfigureSelf",
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Role {
    Administrator,
    Operator,
    ReadOnly,
    Custom(String),
}

impl Role {
    const PREDEFINED: [Role; 3] = [Role::Administrator, Role::Operator, Role::ReadOnly];

    pub(crate) fn as_str(&self) -> &str {
        match self {
            Role::Administrator => "Administrator",
            Role::Operator => "Operator",
            Role::ReadOnly => "ReadOnly",
            Role::Custom(id) => id,
        }
    }
}

/// The roles that users have made.
#[derive(Debug, Default)]
pub(crate) struct CustomRoles(BTreeMap<String, Vec<Privilege>>);

impl CustomRoles {
    /// The role of this id, predefined or not.
    pub(super) fn find(&self, id: &str) -> Option<Role> {
        let mut predefined = Role::PREDEFINED.into_iter();
        let custom = || self.0.contains_key(id).then(|| Role::Custom(id.to_owned()));
        predefined.find(|role| role.as_str() == id).or_else(custom)
    }

    pub(super) fn privileges(&self, role: &Role) -> &[Privilege] {
        match role {
            Role::Administrator => &Privilege::ALL,
            Role::Operator => &[
                Privilege::Login,
                Privilege::ConfigureComponents,
                Privilege::ConfigureSelf,
            ],
            Role::ReadOnly => &[Privilege::Login, Privilege::ConfigureSelf],
            Role::Custom(id) => self.0.get(id).map_or(&[], Vec::as_slice),
        }
    }
}

pub(super) fn route(cx: &mut Context<'_>, rest: &[&str]) -> Answer {
    let is_open = cx.personality().custom_roles;
    match rest {
        [] if is_open && cx.call.method == Method::POST => create(cx),
        [] => cx.read(if is_open { "GET, HEAD, POST" } else { "GET, HEAD" }, |cx| {
            let custom = cx
                .machine
                .redfish
                .accounts
                .roles
                .0
                .keys()
                .map(|id| format!("{URI}/{id}"));
            let predefined = Role::PREDEFINED.iter().map(|role| format!("{URI}/{}", role.as_str()));
            let members: Vec<String> = predefined.chain(custom).collect();
            collection(URI, "RoleCollection", "Roles", members)
        }),
        [id] => match cx.machine.redfish.accounts.roles.find(id) {
            Some(Role::Custom(id)) => match cx.call.method {
                Method::PATCH => patch(cx, id),
                Method::DELETE => delete(cx, &id),
                _ => cx.read("GET, HEAD, PATCH, DELETE", |cx| document(cx, &Role::Custom(id))),
            },
            Some(role) => cx.read_only(|cx| document(cx, &role)),
            None => cx.not_found(),
        },
        _ => cx.not_found(),
    }
}

fn document(cx: &Context<'_>, role: &Role) -> Value {
    let id = role.as_str();
    let privileges = cx.machine.redfish.accounts.roles.privileges(role).iter();
    json!({
        "@odata.type": "#Role.v1_3_1.Role",
        "@odata.id": format!("{URI}/{id}"),
        "Id": id,
        "Name": format!("{id} role"),
        "IsPredefined": !matches!(role, Role::Custom(_)),
        "AssignedPrivileges": privileges.map(|privilege| privilege.as_str()).collect::<Vec<_>>(),
        "RoleId": id,
    })
}

/// `AssignedPrivileges`, each once and in order.
fn read_privileges(value: &Value) -> Result<Vec<Privilege>, Message> {
    const NAME: &str = "AssignedPrivileges";
    let about = |message: Message| message.about(format!("#/{NAME}"));
    let Some(list) = value.as_array() else {
        return Err(about(Message::new(
            &message::PROPERTY_VALUE_TYPE,
            [&value.to_string(), NAME],
        )));
    };
    let mut privileges = Vec::new();
    for entry in list {
        let text = entry.as_str().unwrap_or_default();
        let found = Privilege::ALL.into_iter().find(|privilege| privilege.as_str() == text);
        let unknown = || about(Message::new(&message::PROPERTY_VALUE_NOT_IN_LIST, [text, NAME]));
        privileges.push(found.ok_or_else(unknown)?);
    }
    privileges.sort_unstable();
    privileges.dedup();
    Ok(privileges)
}

fn create(cx: &mut Context<'_>) -> Answer {
    let (mut id, mut privileges, mut wrong) = (None, None, Vec::new());
    for (name, value) in cx.object()? {
        let pointer = format!("#/{name}");
        match (name.as_str(), &value) {
            ("RoleId", Value::String(text)) if is_id(text) => id = Some(text.clone()),
            ("AssignedPrivileges", value) => match read_privileges(value) {
                Ok(list) => privileges = Some(list),
                Err(message) => wrong.push(message),
            },
            ("RoleId", _) => wrong.push(Message::new(&message::PROPERTY_VALUE_ERROR, [&name]).about(pointer)),
            // Nobody has privileges of a vendor to give.
            ("OemPrivileges", Value::Array(list)) if list.is_empty() => {}
            ("Name" | "Description", Value::String(_)) => {}
            _ => wrong.push(Message::new(&message::PROPERTY_UNKNOWN, [&name]).about(pointer)),
        }
    }
    cx.refuse_if_any(&wrong)?;
    let (Some(id), Some(privileges)) = (id, privileges) else {
        let message = Message::new(&message::PROPERTY_MISSING, ["RoleId"]);
        return Err(cx.error(StatusCode::BAD_REQUEST, message));
    };
    let roles = &mut cx.machine.redfish.accounts.roles;
    if roles.find(&id).is_some() {
        let message = Message::new(&message::RESOURCE_ALREADY_EXISTS, ["Role", "RoleId", &id]);
        return Err(cx.error(StatusCode::BAD_REQUEST, message.about("#/RoleId")));
    }
    roles.0.insert(id.clone(), privileges);
    let location = format!("{URI}/{id}");
    Ok(Reply::json(StatusCode::CREATED, document(cx, &Role::Custom(id))).with(header::LOCATION, location))
}

/// What can stand in a URI as it is.
fn is_id(text: &str) -> bool {
    !text.is_empty()
        && text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))
}

fn patch(cx: &mut Context<'_>, id: String) -> Answer {
    let role = Role::Custom(id);
    let before = document(cx, &role);
    cx.check_if_match(&before)?;
    let (mut privileges, mut wrong) = (None, Vec::new());
    for (name, value) in cx.patch_object()? {
        match name.as_str() {
            "AssignedPrivileges" => match read_privileges(&value) {
                Ok(list) => privileges = Some(list),
                Err(message) => wrong.push(message),
            },
            _ => {
                let template = if before.get(&name).is_some() {
                    &message::PROPERTY_NOT_WRITABLE
                } else {
                    &message::PROPERTY_UNKNOWN
                };
                wrong.push(Message::new(template, [&name]).about(format!("#/{name}")));
            }
        }
    }
    cx.refuse_if_any(&wrong)?;
    if let Some(privileges) = privileges {
        cx.machine
            .redfish
            .accounts
            .roles
            .0
            .insert(role.as_str().to_owned(), privileges);
    }
    let after = document(cx, &role);
    Ok(cx.document(after))
}

/// A role that somebody has stays (DSP0268, Role).
fn delete(cx: &mut Context<'_>, id: &str) -> Answer {
    if cx.machine.redfish.accounts.is_used(&Role::Custom(id.to_owned())) {
        return Err(cx.error(StatusCode::CONFLICT, Message::new(&message::RESOURCE_IN_USE, [])));
    }
    cx.machine.redfish.accounts.roles.0.remove(id);
    Ok(cx.success())
}
