//! `ComputerSystem.Boot`: override and order.

use http::Method;
use serde_json::{Map, Value, json};

use super::context::{Answer, Context, link};
use super::message::{self, Message};
use super::task_service;
use crate::machine::Machine;
use crate::machine::boot::{BootTarget, OverrideEnabled, OverrideMode};
use crate::personality::BootOrderStyle;
use crate::quirk::Quirk;

/// Last segment of the URI of the system's settings object, if it has one.
pub(super) fn settings_id(cx: &Context<'_>) -> Option<&'static str> {
    let needed = || cx.machine.has(Quirk::BootOnlyInSettings).then_some("Settings");
    cx.personality().system_settings.or_else(needed)
}

/// The `Boot` object of the system at `uri`.
pub(super) fn boot(machine: &Machine, uri: &str) -> Value {
    let boot = &machine.boot;
    let personality = machine.personality;
    let enabled: Vec<&str> = personality
        .boot_enabled
        .iter()
        .map(|enabled| enabled.as_str())
        .collect();
    let usb_cd = machine.has(Quirk::VirtualCdIsUsbCd).then_some(BootTarget::UsbCd);
    let targets = personality.boot_targets.iter().chain(&usb_cd);
    let targets: Vec<&str> = targets.map(|target| target.as_str()).collect();
    let mut document = json!({
        "BootSourceOverrideEnabled": boot.override_.enabled.as_str(),
        "BootSourceOverrideEnabled@Redfish.AllowableValues": enabled,
        "BootSourceOverrideTarget": boot.override_.target.as_str(),
        "BootSourceOverrideTarget@Redfish.AllowableValues": targets,
        "BootSourceOverrideMode": boot.override_.mode.as_str(),
        "BootSourceOverrideMode@Redfish.AllowableValues": OverrideMode::ALL.map(OverrideMode::as_str),
        "HttpBootUri": boot.override_.http_boot_uri,
        "BootOptions": link(format!("{uri}/BootOptions")),
        "BootOrder": boot.order,
    });
    if machine.has(Quirk::NullOverrideTarget) && boot.override_.enabled == OverrideEnabled::Disabled {
        document["BootSourceOverrideTarget"] = Value::Null;
    }
    if machine.has(Quirk::NoBootOrder)
        && let Some(boot) = document.as_object_mut()
    {
        boot.retain(|name, _| !matches!(name.as_str(), "BootOptions" | "BootOrder"));
    }
    if machine.has(Quirk::NoBootMode)
        && let Some(boot) = document.as_object_mut()
    {
        boot.retain(|name, _| !name.starts_with("BootSourceOverrideMode"));
    }
    document
}

/// A checked PATCH of `Boot`.
#[derive(Default)]
pub(super) struct BootChange {
    enabled: Option<OverrideEnabled>,
    target: Option<BootTarget>,
    mode: Option<OverrideMode>,
    http_boot_uri: Option<Option<String>>,
    order: Option<Vec<String>>,
}

impl BootChange {
    pub(super) fn read(cx: &Context<'_>, body: &Map<String, Value>, wrong: &mut Vec<Message>) -> Self {
        let mut change = Self::default();
        for (name, value) in body {
            let pointer = format!("#/Boot/{name}");
            let mistyped = || Message::new(&message::PROPERTY_VALUE_TYPE, [&value.to_string(), name]).about(&pointer);
            let not_in_list =
                |text: &str| Message::new(&message::PROPERTY_VALUE_NOT_IN_LIST, [text, name]).about(&pointer);
            let problem = match (name.as_str(), value) {
                ("BootSourceOverrideEnabled", Value::String(text)) => {
                    let known = |enabled: &OverrideEnabled| cx.personality().boot_enabled.contains(enabled);
                    change.enabled = OverrideEnabled::parse(text).filter(known);
                    change.enabled.is_none().then(|| not_in_list(text))
                }
                ("BootSourceOverrideTarget", Value::String(text)) => {
                    let known = |target: &BootTarget| cx.personality().boot_targets.contains(target);
                    let usb_cd =
                        (text == "UsbCd" && cx.machine.has(Quirk::VirtualCdIsUsbCd)).then_some(BootTarget::UsbCd);
                    change.target = BootTarget::parse(text).filter(known).or(usb_cd);
                    change.target.is_none().then(|| not_in_list(text))
                }
                ("BootSourceOverrideMode", _) if cx.machine.has(Quirk::NoBootMode) => {
                    Some(Message::new(&message::PROPERTY_UNKNOWN, [name]).about(&pointer))
                }
                ("BootSourceOverrideMode", _) if cx.machine.has(Quirk::BootModeNotWritable) => {
                    Some(Message::new(&message::PROPERTY_NOT_WRITABLE, [name]).about(&pointer))
                }
                ("BootSourceOverrideMode", Value::String(text)) => {
                    change.mode = OverrideMode::parse(text);
                    change.mode.is_none().then(|| not_in_list(text))
                }
                ("HttpBootUri", Value::String(text)) => {
                    change.http_boot_uri = Some(Some(text.clone()));
                    None
                }
                ("HttpBootUri", Value::Null) => {
                    change.http_boot_uri = Some(None);
                    None
                }
                ("BootOrder" | "BootOptions", _) if cx.machine.has(Quirk::NoBootOrder) => {
                    Some(Message::new(&message::PROPERTY_UNKNOWN, [name]).about(&pointer))
                }
                ("BootOrder", Value::Array(order)) => match order_of(cx, order) {
                    Ok(order) => {
                        change.order = Some(order);
                        None
                    }
                    Err(bad) => Some(not_in_list(&bad)),
                },
                (
                    "BootSourceOverrideEnabled"
                    | "BootSourceOverrideTarget"
                    | "BootSourceOverrideMode"
                    | "HttpBootUri"
                    | "BootOrder",
                    _,
                ) => Some(mistyped()),
                ("BootOptions", _) => Some(Message::new(&message::PROPERTY_NOT_WRITABLE, [name]).about(&pointer)),
                _ => Some(Message::new(&message::PROPERTY_UNKNOWN, [name]).about(&pointer)),
            };
            wrong.extend(problem);
        }
        let is_enabled = change
            .enabled
            .is_some_and(|enabled| enabled != OverrideEnabled::Disabled);
        if is_enabled && change.target == Some(BootTarget::None) && cx.machine.has(Quirk::OverrideNoneRefused) {
            let name = "BootSourceOverrideTarget";
            let refused = Message::new(&message::PROPERTY_VALUE_NOT_IN_LIST, ["None", name]);
            wrong.push(refused.about(format!("#/Boot/{name}")));
        }
        change
    }

    /// Sets what was asked for. A boot order that has to wait for the next POST becomes a task, whose id is returned.
    pub(super) fn apply(self, cx: &mut Context<'_>) -> Option<String> {
        let partial = self.enabled.is_none() || self.target.is_none() || self.mode.is_none();
        if partial && cx.machine.has(Quirk::PartialBootIgnored) {
            return self.apply_order(cx);
        }
        let ignores_uri = cx.machine.has(Quirk::HttpBootUriIgnored);
        let reverts = cx.machine.has(Quirk::BootModeReverts);
        let override_ = &mut cx.machine.boot.override_;
        if let Some(enabled) = self.enabled {
            override_.enabled = enabled;
        }
        if let Some(target) = self.target {
            override_.target = target;
        }
        match self.mode {
            Some(mode) => override_.mode = mode,
            None if reverts && (self.enabled.is_some() || self.target.is_some()) => {
                override_.mode = OverrideMode::Legacy
            }
            None => {}
        }
        if let Some(uri) = self.http_boot_uri.as_ref().filter(|_| !ignores_uri) {
            override_.http_boot_uri.clone_from(uri);
        }
        // DSP0268: with the override disabled, its target means nothing and reads None.
        if override_.enabled == OverrideEnabled::Disabled {
            override_.target = BootTarget::None;
        }
        self.apply_order(cx)
    }

    fn apply_order(self, cx: &mut Context<'_>) -> Option<String> {
        let order = self.order?;
        match cx.personality().boot_order {
            BootOrderStyle::Immediate => {
                cx.machine.boot.order = order;
                None
            }
            BootOrderStyle::Staged => {
                cx.machine.boot.staged_order = Some(order);
                None
            }
            BootOrderStyle::StagedJob => {
                if order == cx.machine.boot.order && cx.machine.boot.staged_order.is_none() {
                    return None;
                }
                cx.machine.boot.staged_order = Some(order);
                let target = cx.system_uri();
                let started = cx.machine.bmc_moment(cx.moment);
                let tasks = &mut cx.machine.redfish.tasks;
                Some(tasks.start("ConfigBIOS:BIOS.Setup.1-1", target, None, started))
            }
        }
    }
}

/// A boot order names existing boot options, none of them twice; on failure, the entry that is wrong.
fn order_of(cx: &Context<'_>, order: &[Value]) -> Result<Vec<String>, String> {
    let mut result: Vec<String> = Vec::with_capacity(order.len());
    for entry in order {
        match entry.as_str() {
            Some(text) if cx.machine.boot.device(text).is_some() && !result.iter().any(|known| known == text) => {
                result.push(text.to_owned());
            }
            _ => return Err(entry.as_str().map_or_else(|| entry.to_string(), str::to_owned)),
        }
    }
    Ok(result)
}

/// The settings object of the system: what the next POST will do to the boot order.
pub(super) fn settings(cx: &mut Context<'_>) -> Answer {
    let document = settings_document(cx);
    if cx.call.method != Method::PATCH {
        return cx.read("GET, HEAD, PATCH", |_| document);
    }
    cx.check_if_match(&document)?;
    let mut body = cx.patch_object()?;
    body.shift_remove("@Redfish.SettingsApplyTime");
    let mut wrong = Vec::new();
    let mut change = None;
    for (name, value) in &body {
        match (name.as_str(), value) {
            ("Boot", Value::Object(boot)) => change = Some(BootChange::read(cx, boot, &mut wrong)),
            _ => wrong.push(Message::new(&message::PROPERTY_UNKNOWN, [name]).about(format!("#/{name}"))),
        }
    }
    cx.refuse_if_any(&wrong)?;
    match change.and_then(|change| change.apply(cx)) {
        Some(task) => Ok(task_service::accepted(cx, &task)),
        None => Ok(cx.success()),
    }
}

fn settings_document(cx: &Context<'_>) -> Value {
    let id = settings_id(cx).unwrap_or_default();
    let settings = &cx.machine.boot;
    let mut document = json!({
        "@odata.type": "#ComputerSystem.v1_22_2.ComputerSystem",
        "@odata.id": format!("{}/{id}", cx.system_uri()),
        "Id": id,
        "Name": "Pending System Settings",
        "Boot": {},
    });
    if cx.machine.has(Quirk::BootOnlyInSettings) {
        document["Boot"] = boot(cx.machine, &cx.system_uri());
    }
    if !cx.machine.has(Quirk::NoBootOrder) {
        document["Boot"]["BootOrder"] = json!(settings.staged_order.as_ref().unwrap_or(&settings.order));
    }
    document
}
