//! Actions as a resource offers them, and `ActionInfo` (DSP0266 §7.8.1), which says the same about their parameters.

use serde_json::{Value, json};

use super::context::{Answer, Context};
use crate::personality::Personality;

/// An action and what it can be told.
#[derive(Debug)]
pub(super) struct Action {
    /// With its schema: `ComputerSystem.Reset`.
    pub name: &'static str,
    pub parameters: Vec<Parameter>,
}

#[derive(Debug)]
pub(super) struct Parameter {
    pub name: &'static str,
    pub required: bool,
    pub kind: Kind,
}

#[derive(Debug)]
pub(super) enum Kind {
    /// One of these.
    OneOf(Vec<&'static str>),
    Text,
    Texts,
    Number {
        minimum: u32,
    },
    Boolean,
}

impl Parameter {
    pub(super) fn one_of(name: &'static str, required: bool, values: impl IntoIterator<Item = &'static str>) -> Self {
        Self {
            name,
            required,
            kind: Kind::OneOf(values.into_iter().collect()),
        }
    }

    pub(super) fn optional(name: &'static str, kind: Kind) -> Self {
        Self {
            name,
            required: false,
            kind,
        }
    }

    fn to_json(&self) -> Value {
        let data_type = match self.kind {
            Kind::OneOf(_) | Kind::Text => "String",
            Kind::Texts => "StringArray",
            Kind::Number { .. } => "Number",
            Kind::Boolean => "Boolean",
        };
        let mut object = json!({ "Name": self.name, "Required": self.required, "DataType": data_type });
        match &self.kind {
            Kind::OneOf(values) => object["AllowableValues"] = json!(values),
            Kind::Number { minimum } => object["MinimumValue"] = json!(minimum),
            Kind::Text | Kind::Texts | Kind::Boolean => {}
        }
        object
    }
}

impl Action {
    /// Last segment of the URI of its `ActionInfo`.
    fn info_id(&self) -> String {
        let (_, action) = self.name.split_once('.').unwrap_or(("", self.name));
        format!("{action}ActionInfo")
    }

    fn has_info(&self, personality: &Personality) -> bool {
        personality.action_info.contains(&self.name)
    }

    /// The action as the resource at `uri` offers it.
    pub(super) fn offer(&self, personality: &Personality, uri: &str) -> Value {
        let mut offer = json!({ "target": format!("{uri}/Actions/{}", self.name) });
        for parameter in &self.parameters {
            if let Kind::OneOf(values) = &parameter.kind {
                offer[format!("{}@Redfish.AllowableValues", parameter.name)] = json!(values);
            }
        }
        if self.has_info(personality) {
            offer["@Redfish.ActionInfo"] = json!(format!("{uri}/{}", self.info_id()));
        }
        offer
    }
}

/// Answers for `id` below the resource at `uri`, which is the `ActionInfo` of one of these actions or nothing.
pub(super) fn info(cx: &mut Context<'_>, uri: &str, id: &str, actions: &[Action]) -> Answer {
    let personality = cx.personality();
    let action = actions
        .iter()
        .find(|action| action.has_info(personality) && action.info_id() == id);
    let Some(action) = action else {
        return cx.not_found();
    };
    cx.read_only(|_| {
        json!({
            "@odata.type": "#ActionInfo.v1_4_2.ActionInfo",
            "@odata.id": format!("{uri}/{id}"),
            "Id": id,
            "Name": format!("{} Action Info", action.name),
            "Parameters": action.parameters.iter().map(Parameter::to_json).collect::<Vec<_>>(),
        })
    })
}
