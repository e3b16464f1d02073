//! One invalid field (`k8s.io/apimachinery/pkg/util/validation/field.Error`).

use std::fmt;

use serde_json::{Value, json};

/// What is wrong with a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    Required,
    Invalid,
    TypeInvalid,
    NotSupported,
    Forbidden,
    Duplicate,
    TooLong,
    TooMany,
}

impl Fault {
    fn reason(self) -> &'static str {
        match self {
            Fault::Required => "FieldValueRequired",
            Fault::Invalid => "FieldValueInvalid",
            Fault::TypeInvalid => "FieldValueTypeInvalid",
            Fault::NotSupported => "FieldValueNotSupported",
            Fault::Forbidden => "FieldValueForbidden",
            Fault::Duplicate => "FieldValueDuplicate",
            Fault::TooLong => "FieldValueTooLong",
            Fault::TooMany => "FieldValueTooMany",
        }
    }

    fn text(self) -> &'static str {
        match self {
            Fault::Required => "Required value",
            Fault::Invalid | Fault::TypeInvalid => "Invalid value",
            Fault::NotSupported => "Unsupported value",
            Fault::Forbidden => "Forbidden",
            Fault::Duplicate => "Duplicate value",
            Fault::TooLong => "Too long",
            Fault::TooMany => "Too many",
        }
    }
}

/// One invalid field: where, what, and the sentence that explains it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FieldError {
    pub(crate) fault: Fault,
    pub(crate) field: String,
    /// The offending value, already rendered.
    value: Option<String>,
    detail: String,
}

impl FieldError {
    pub(crate) fn required(field: impl Into<String>, detail: impl Into<String>) -> Self {
        Self {
            fault: Fault::Required,
            field: field.into(),
            value: None,
            detail: detail.into(),
        }
    }

    pub(crate) fn forbidden(field: impl Into<String>, detail: impl Into<String>) -> Self {
        Self {
            fault: Fault::Forbidden,
            field: field.into(),
            value: None,
            detail: detail.into(),
        }
    }

    pub(crate) fn too_long(field: impl Into<String>, detail: impl Into<String>) -> Self {
        Self {
            fault: Fault::TooLong,
            field: field.into(),
            value: None,
            detail: detail.into(),
        }
    }

    pub(crate) fn too_many(field: impl Into<String>, count: usize, most: u64) -> Self {
        Self {
            fault: Fault::TooMany,
            field: field.into(),
            value: Some(count.to_string()),
            detail: format!("must have at most {most} items"),
        }
    }

    pub(crate) fn invalid(field: impl Into<String>, value: &Value, detail: impl Into<String>) -> Self {
        Self {
            fault: Fault::Invalid,
            field: field.into(),
            value: Some(render(value)),
            detail: detail.into(),
        }
    }

    /// `Invalid value: "<text>"`: the server often names the type instead of the value.
    pub(crate) fn invalid_text(field: impl Into<String>, text: &str, detail: impl Into<String>) -> Self {
        Self {
            fault: Fault::Invalid,
            field: field.into(),
            value: Some(format!("{text:?}")),
            detail: detail.into(),
        }
    }

    pub(crate) fn type_invalid(field: impl Into<String>, value: &Value, detail: impl Into<String>) -> Self {
        Self {
            fault: Fault::TypeInvalid,
            field: field.into(),
            value: Some(render(value)),
            detail: detail.into(),
        }
    }

    pub(crate) fn duplicate(field: impl Into<String>, value: &Value) -> Self {
        Self {
            fault: Fault::Duplicate,
            field: field.into(),
            value: Some(render(value)),
            detail: String::new(),
        }
    }

    /// A value outside of an enumeration.
    pub(crate) fn not_supported<'a>(
        field: impl Into<String>,
        value: &Value,
        supported: impl IntoIterator<Item = &'a str>,
    ) -> Self {
        let supported: Vec<String> = supported.into_iter().map(|value| format!("{value:?}")).collect();
        let detail = if supported.is_empty() {
            String::new()
        } else {
            format!("supported values: {}", supported.join(", "))
        };
        Self {
            fault: Fault::NotSupported,
            field: field.into(),
            value: Some(render(value)),
            detail,
        }
    }

    /// The error with a fault chosen by a CEL rule's `reason`.
    pub(crate) fn by_reason(reason: Option<&str>, field: String, type_name: &str, detail: String) -> Self {
        match reason {
            Some("FieldValueRequired") => Self::required(field, detail),
            Some("FieldValueForbidden") => Self::forbidden(field, detail),
            Some("FieldValueDuplicate") => Self {
                fault: Fault::Duplicate,
                field,
                value: Some(format!("{type_name:?}")),
                detail: String::new(),
            },
            _ => Self::invalid_text(field, type_name, detail),
        }
    }

    /// The error without its field, as `details.causes[].message` has it.
    pub(crate) fn message(&self) -> String {
        let mut text = self.fault.text().to_owned();
        if let Some(value) = &self.value {
            text.push_str(": ");
            text.push_str(value);
        }
        if !self.detail.is_empty() {
            text.push_str(": ");
            text.push_str(&self.detail);
        }
        text
    }

    pub(crate) fn cause(&self) -> Value {
        json!({"reason": self.fault.reason(), "message": self.message(), "field": self.field})
    }
}

impl fmt::Display for FieldError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.field, self.message())
    }
}

fn render(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::String(text) => format!("{text:?}"),
        Value::Bool(_) | Value::Number(_) => value.to_string(),
        Value::Array(_) | Value::Object(_) => value.to_string(),
    }
}
