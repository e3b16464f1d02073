//! `AccountService`, its accounts and roles.

use http::{Method, StatusCode, header};
use serde_json::{Map, Value, json};

use super::accounts::{Account, AccountError};
use super::call::Reply;
use super::context::{Answer, Context, collection, leave_out, link};
use super::lockout::Failures;
use super::message::{self, Message};
use super::roles;
use crate::personality::AccountStyle;
use crate::quirk::Quirk;
use crate::secret::Secret;

const URI: &str = "/redfish/v1/AccountService";
const ACCOUNTS: &str = "/redfish/v1/AccountService/Accounts";
const ROLES: &str = "/redfish/v1/AccountService/Roles";

pub(super) fn route(cx: &mut Context<'_>, rest: &[&str]) -> Answer {
    match rest {
        [] if cx.call.method == Method::PATCH => patch_service(cx),
        [] => cx.read("GET, HEAD, PATCH", service),
        ["Accounts"] => accounts(cx),
        ["Accounts", id] => match id
            .parse()
            .ok()
            .filter(|number| cx.machine.redfish.accounts.get(*number).is_some())
        {
            Some(number) => account(cx, number),
            None => cx.not_found(),
        },
        ["Roles", rest @ ..] => roles::route(cx, rest),
        _ => cx.not_found(),
    }
}

fn service(cx: &mut Context<'_>) -> Value {
    let lockout = cx.machine.redfish.accounts.lockout;
    json!({
        "@odata.type": "#AccountService.v1_15_0.AccountService",
        "@odata.id": URI,
        "Id": "AccountService",
        "Name": "Account Service",
        "Description": "Local accounts of this BMC",
        "Status": { "State": "Enabled", "Health": "OK" },
        "ServiceEnabled": true,
        "MinPasswordLength": cx.machine.redfish.accounts.minimum_password_length,
        "MaxPasswordLength": cx.personality().accounts.maximum_password_length(),
        "AccountLockoutThreshold": lockout.threshold,
        "AccountLockoutDuration": lockout.duration,
        "AccountLockoutCounterResetAfter": lockout.reset_after,
        "Accounts": link(ACCOUNTS),
        "Roles": link(ROLES),
    })
}

fn patch_service(cx: &mut Context<'_>) -> Answer {
    let before = service(cx);
    cx.check_if_match(&before)?;
    let mut lockout = cx.machine.redfish.accounts.lockout;
    let mut shortest = cx.machine.redfish.accounts.minimum_password_length;
    let longest = cx.personality().accounts.maximum_password_length();
    let mut wrong = Vec::new();
    for (name, value) in cx.patch_object()? {
        let pointer = format!("#/{name}");
        let number = value.as_u64().and_then(|number| u32::try_from(number).ok());
        match (name.as_str(), number) {
            ("AccountLockoutThreshold", Some(number)) => lockout.threshold = number,
            ("AccountLockoutDuration", Some(number)) => lockout.duration = number,
            ("AccountLockoutCounterResetAfter", Some(number)) => lockout.reset_after = number,
            ("MinPasswordLength", Some(number)) if (1..=longest).contains(&number) => shortest = number,
            ("MinPasswordLength", Some(_)) => {
                wrong.push(Message::new(&message::PROPERTY_VALUE_ERROR, [&name]).about(pointer));
            }
            (
                "AccountLockoutThreshold"
                | "AccountLockoutDuration"
                | "AccountLockoutCounterResetAfter"
                | "MinPasswordLength",
                None,
            ) => {
                wrong.push(Message::new(&message::PROPERTY_VALUE_TYPE, [&value.to_string(), &name]).about(pointer));
            }
            _ if before.get(&name).is_some() => {
                wrong.push(Message::new(&message::PROPERTY_NOT_WRITABLE, [&name]).about(pointer));
            }
            _ => wrong.push(Message::new(&message::PROPERTY_UNKNOWN, [&name]).about(pointer)),
        }
    }
    // DSP0268: failures are forgotten no later than a lock ends.
    if lockout.reset_after > lockout.duration {
        let message = Message::new(&message::PROPERTY_VALUE_ERROR, ["AccountLockoutCounterResetAfter"]);
        wrong.push(message.about("#/AccountLockoutCounterResetAfter"));
    }
    cx.refuse_if_any(&wrong)?;
    cx.machine.redfish.accounts.lockout = lockout;
    cx.machine.redfish.accounts.minimum_password_length = shortest;
    let document = service(cx);
    Ok(cx.document(document))
}

fn account_document(cx: &Context<'_>, number: u32, account: &Account) -> Value {
    let mut document = json!({
        "@odata.type": "#ManagerAccount.v1_12_0.ManagerAccount",
        "@odata.id": format!("{ACCOUNTS}/{number}"),
        "Id": number.to_string(),
        "Name": "User Account",
        "UserName": account.user_name,
        "Password": null,
        "RoleId": if account.user_name.is_empty() { "" } else { account.role.as_str() },
        "Enabled": account.enabled,
        "Locked": account.is_locked(cx.moment.now),
        "PasswordChangeRequired": account.password_change_required,
        "PasswordExpiration": null,
        "AccountTypes": ["Redfish"],
        "Links": { "Role": link(format!("{ROLES}/{}", account.role.as_str())) },
    });
    if cx.machine.has(Quirk::NoAccountTypes) {
        leave_out(&mut document, "AccountTypes");
    }
    document
}

fn accounts(cx: &mut Context<'_>) -> Answer {
    let creates = matches!(cx.personality().accounts, AccountStyle::Collection { .. });
    if creates && cx.call.method == Method::POST {
        return create(cx);
    }
    cx.read(if creates { "GET, HEAD, POST" } else { "GET, HEAD" }, |cx| {
        let members = cx
            .machine
            .redfish
            .accounts
            .numbers()
            .into_iter()
            .map(|number| format!("{ACCOUNTS}/{number}"));
        collection(ACCOUNTS, "ManagerAccountCollection", "Accounts", members)
    })
}

fn create(cx: &mut Context<'_>) -> Answer {
    let body = cx.object()?;
    let missing: Vec<Message> = ["UserName", "Password", "RoleId"]
        .into_iter()
        .filter(|name| !body.contains_key(*name))
        .map(|name| Message::new(&message::PROPERTY_MISSING, [name]).about(format!("#/{name}")))
        .collect();
    cx.refuse_if_any(&missing)?;
    let mut account = Account {
        enabled: true,
        ..Account::empty()
    };
    update(cx, &mut account, body)?;
    let number = cx
        .machine
        .redfish
        .accounts
        .create(account.clone())
        .map_err(|error| account_error(cx, error, &account.user_name))?;
    let location = format!("{ACCOUNTS}/{number}");
    Ok(Reply::json(StatusCode::CREATED, account_document(cx, number, &account)).with(header::LOCATION, location))
}

fn account(cx: &mut Context<'_>, number: u32) -> Answer {
    let removable = matches!(cx.personality().accounts, AccountStyle::Collection { .. });
    let Some(mut account) = cx.machine.redfish.accounts.get(number) else {
        return cx.not_found();
    };
    let document = account_document(cx, number, &account);
    match cx.call.method {
        Method::PATCH => {
            cx.check_if_match(&document)?;
            let body = cx.patch_object()?;
            update(cx, &mut account, body)?;
            let stored = cx.machine.redfish.accounts.put(number, account.clone());
            stored.map_err(|error| account_error(cx, error, &account.user_name))?;
            Ok(cx.document(account_document(cx, number, &account)))
        }
        Method::DELETE if removable => {
            cx.check_if_match(&document)?;
            cx.machine.redfish.accounts.remove(number);
            Ok(cx.success())
        }
        _ => cx.read(
            if removable {
                "GET, HEAD, PATCH, DELETE"
            } else {
                "GET, HEAD, PATCH"
            },
            |_| document,
        ),
    }
}

fn update(cx: &Context<'_>, account: &mut Account, body: Map<String, Value>) -> Result<(), Reply> {
    let longest = cx.personality().accounts.maximum_password_length();
    let shortest = cx.machine.redfish.accounts.minimum_password_length;
    let (mut wrong, mut change_required) = (Vec::new(), None);
    for (name, value) in body {
        let pointer = format!("#/{name}");
        match (name.as_str(), &value) {
            ("UserName", Value::String(text)) => account.user_name = text.clone(),
            ("Password", Value::String(text)) if text.chars().count() > longest as usize => {
                // The value stays out of the message: it is a password.
                wrong.push(Message::new(&message::STRING_TOO_LONG, ["******", &longest.to_string()]).about(pointer));
            }
            ("Password", Value::String(text)) if text.chars().count() < shortest as usize => {
                wrong.push(Message::new(&message::PROPERTY_VALUE_ERROR, [&name]).about(pointer));
            }
            ("Password", Value::String(text)) => {
                account.password = Secret::new(text.clone());
                account.password_change_required = false;
            }
            ("PasswordChangeRequired", Value::Bool(required)) => change_required = Some(*required),
            // DSP0268: only false may be written, which unlocks the account.
            ("Locked", Value::Bool(false)) => account.failures = Failures::default(),
            ("Locked", _) => wrong.push(Message::new(&message::PROPERTY_VALUE_ERROR, [&name]).about(pointer)),
            ("Enabled", Value::Bool(enabled)) => account.enabled = *enabled,
            ("RoleId", Value::String(text)) => match cx.machine.redfish.accounts.roles.find(text) {
                Some(role) => account.role = role,
                None => wrong.push(Message::new(&message::PROPERTY_VALUE_NOT_IN_LIST, [text, "RoleId"]).about(pointer)),
            },
            ("Password", _) => wrong.push(Message::new(&message::PROPERTY_VALUE_ERROR, ["Password"]).about(pointer)),
            ("UserName" | "Enabled" | "RoleId" | "PasswordChangeRequired", other) => {
                wrong.push(Message::new(&message::PROPERTY_VALUE_TYPE, [&other.to_string(), &name]).about(pointer))
            }
            ("AccountTypes" | "Id" | "Name" | "Links", _) => {
                wrong.push(Message::new(&message::PROPERTY_NOT_WRITABLE, [&name]).about(pointer));
            }
            _ => wrong.push(Message::new(&message::PROPERTY_UNKNOWN, [&name]).about(pointer)),
        }
    }
    // A new password that somebody else has set may have to be changed again.
    if let Some(required) = change_required {
        account.password_change_required = required;
    }
    cx.refuse_if_any(&wrong)
}

fn account_error(cx: &Context<'_>, error: AccountError, user_name: &str) -> Reply {
    match error {
        AccountError::NameTaken => cx.error(
            StatusCode::BAD_REQUEST,
            Message::new(
                &message::RESOURCE_ALREADY_EXISTS,
                ["ManagerAccount", "UserName", user_name],
            )
            .about("#/UserName"),
        ),
        AccountError::Full => cx.error(
            StatusCode::BAD_REQUEST,
            Message::new(&message::CREATE_LIMIT_REACHED, []),
        ),
    }
}
