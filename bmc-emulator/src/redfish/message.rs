//! Messages of the Base registry (DSP8011), and the error body made of them (DSP0266 §8.6).

use http::StatusCode;
use serde_json::{Value, json};

use super::call::Reply;
use crate::personality::Personality;

/// One message with its arguments filled in.
#[derive(Clone, Debug)]
pub(super) struct Message {
    pub template: &'static Template,
    pub arguments: Vec<String>,
    pub related_property: Option<String>,
}

/// An entry of the registry.
#[derive(Debug)]
pub(super) struct Template {
    pub id: &'static str,
    /// With `%1`, `%2`, … for arguments.
    pub text: &'static str,
    pub arguments: usize,
    pub severity: &'static str,
    pub resolution: &'static str,
}

macro_rules! templates {
    ($($name:ident: $id:literal, $arguments:literal, $severity:literal, $text:literal, $resolution:literal;)*) => {
        $(pub(super) static $name: Template = Template {
            id: $id, text: $text, arguments: $arguments, severity: $severity, resolution: $resolution,
        };)*
        /// Everything this service may say of this registry.
        pub(super) static ALL: &[&Template] = &[$(&$name),*];
    };
}

pub(super) use templates;

templates! {
    SUCCESS: "Success", 0, "OK", "The request completed successfully.", "None.";
    GENERAL_ERROR: "GeneralError", 0, "Critical",
        "A general error has occurred. See Resolution for information on how to resolve the error.",
        "None.";
    RESOURCE_MISSING: "ResourceMissingAtURI", 1, "Critical",
        "The resource at the URI '%1' was not found.",
        "Place a valid resource at the URI or correct the URI and resubmit the request.";
    OPERATION_NOT_ALLOWED: "OperationNotAllowed", 0, "Critical",
        "The HTTP method is not allowed on this resource.",
        "None.";
    MALFORMED_JSON: "MalformedJSON", 0, "Critical",
        "The request body submitted was malformed JSON and could not be parsed by the receiving service.",
        "Ensure that the request body is valid JSON and resubmit the request.";
    UNRECOGNIZED_BODY: "UnrecognizedRequestBody", 0, "Critical",
        "The service detected a malformed request body that it was unable to interpret.",
        "Correct the request body and resubmit the request if it failed.";
    EMPTY_JSON: "EmptyJSON", 0, "Warning",
        "The request body submitted contained an empty JSON object and the service is unable to process it.",
        "Add properties in the JSON object and resubmit the request.";
    NO_OPERATION: "NoOperation", 0, "Warning",
        "The request body submitted contain no data to act upon and no changes to the resource took place.",
        "Add properties in the JSON object and resubmit the request.";
    PAYLOAD_TOO_LARGE: "PayloadTooLarge", 0, "Critical",
        "The supplied payload exceeds the maximum size supported by the service.",
        "Supply a smaller payload and resubmit the request.";
    PROPERTY_UNKNOWN: "PropertyUnknown", 1, "Warning",
        "The property %1 is not in the list of valid properties for the resource.",
        "Remove the unknown property from the request body and resubmit the request if the operation failed.";
    PROPERTY_NOT_WRITABLE: "PropertyNotWritable", 1, "Warning",
        "The property %1 is a read-only property and cannot be assigned a value.",
        "Remove the property from the request body and resubmit the request if the operation failed.";
    PROPERTY_VALUE_TYPE: "PropertyValueTypeError", 2, "Warning",
        "The value '%1' for the property %2 is not a type that the property can accept.",
        "Correct the value for the property in the request body and resubmit the request if the operation failed.";
    PROPERTY_VALUE_NOT_IN_LIST: "PropertyValueNotInList", 2, "Warning",
        "The value '%1' for the property %2 is not in the list of acceptable values.",
        "Choose a value from the enumeration list that the implementation can support and resubmit the request if the operation failed.";
    PROPERTY_VALUE_ERROR: "PropertyValueError", 1, "Warning",
        "The value provided for the property %1 is not valid.",
        "Correct the value for the property in the request body and resubmit the request if the operation failed.";
    PROPERTY_MISSING: "PropertyMissing", 1, "Warning",
        "The property %1 is a required property and must be included in the request.",
        "Ensure that the property is in the request body and has a valid value and resubmit the request if the operation failed.";
    ACTION_NOT_SUPPORTED: "ActionNotSupported", 1, "Critical",
        "The action %1 is not supported by the resource.",
        "The action supplied cannot be resubmitted to the implementation. Perhaps the action was invalid, the wrong resource was the target or the implementation documentation may be of assistance.";
    ACTION_PARAMETER_MISSING: "ActionParameterMissing", 2, "Critical",
        "The action %1 requires that the parameter %2 be present in the request body.",
        "Supply the action with the required parameter in the request body when the request is resubmitted.";
    ACTION_PARAMETER_UNKNOWN: "ActionParameterUnknown", 2, "Warning",
        "The action %1 was submitted with the invalid parameter %2.",
        "Correct the invalid parameter and resubmit the request if the operation failed.";
    ACTION_PARAMETER_NOT_IN_LIST: "ActionParameterValueNotInList", 3, "Warning",
        "The value '%1' for the parameter %2 in the action %3 is not in the list of acceptable values.",
        "Choose a value from the enumeration list that the implementation can support and resubmit the request if the operation failed.";
    RESOURCE_IN_USE: "ResourceInUse", 0, "Warning",
        "The change to the requested resource failed because the resource is in use or in transition.",
        "Remove the condition and resubmit the request if the operation failed.";
    RESOURCE_ALREADY_EXISTS: "ResourceAlreadyExists", 3, "Critical",
        "The requested resource of type %1 with the property %2 with the value '%3' already exists.",
        "Do not repeat the create operation as the resource has already been created.";
    CREATE_LIMIT_REACHED: "CreateLimitReachedForResource", 0, "Critical",
        "The create operation failed because the resource has reached the limit of possible resources.",
        "Either delete resources and resubmit the request if the operation failed or do not resubmit the request.";
    SESSION_LIMIT_EXCEEDED: "SessionLimitExceeded", 0, "Critical",
        "The session establishment failed due to the number of simultaneous sessions exceeding the limit of the implementation.",
        "Reduce the number of other sessions before trying to establish the session or increase the limit of simultaneous sessions, if supported.";
    NO_VALID_SESSION: "NoValidSession", 0, "Critical",
        "There is no valid session established with the implementation.",
        "Establish a session before attempting any operations.";
    INSUFFICIENT_PRIVILEGE: "InsufficientPrivilege", 0, "Critical",
        "There are insufficient privileges for the account or credentials associated with the current session to perform the requested operation.",
        "Either abandon the operation or change the associated access rights and resubmit the request if the operation failed.";
    PASSWORD_CHANGE_REQUIRED: "PasswordChangeRequired", 1, "Critical",
        "The password provided for this account must be changed before access is granted.  PATCH the Password property for this account located at the target URI '%1' to complete this process.",
        "Change the password for this account using a PATCH to the Password property at the URI provided.";
    PRECONDITION_REQUIRED: "PreconditionRequired", 0, "Critical",
        "A precondition header or annotation is required to change this resource.",
        "Try the operation again using an If-Match or If-None-Match header and appropriate ETag.";
    PRECONDITION_FAILED: "PreconditionFailed", 0, "Critical",
        "The ETag supplied did not match the ETag required to change this resource.",
        "Try the operation again using the appropriate ETag.";
    QUERY_NOT_SUPPORTED: "QueryParameterUnsupported", 1, "Warning",
        "Query parameter '%1' is not supported.",
        "Correct or remove the query parameter and resubmit the request.";
    QUERY_NOT_ON_OPERATION: "QueryNotSupportedOnOperation", 0, "Warning",
        "Querying is not supported with the requested operation.",
        "Remove the query parameters and resubmit the request if the operation failed.";
    QUERY_NOT_ON_RESOURCE: "QueryNotSupportedOnResource", 0, "Warning",
        "Querying is not supported on the requested resource.",
        "Remove the query parameters and resubmit the request if the operation failed.";
    QUERY_COMBINATION: "QueryCombinationInvalid", 0, "Warning",
        "The request contains an invalid combination of query parameters.",
        "Remove one or more of the query parameters and resubmit the request if the operation failed.";
    QUERY_VALUE_ERROR: "QueryParameterValueError", 2, "Warning",
        "The value '%1' for the query parameter %2 is invalid.",
        "Correct the value for the query parameter in the request and resubmit the request if the operation failed.";
    SERVICE_TEMPORARILY_UNAVAILABLE: "ServiceTemporarilyUnavailable", 1, "Critical",
        "The service is temporarily unavailable. Retry in %1 seconds.",
        "Wait for the indicated retry duration and retry the operation.";
    STRING_TOO_LONG: "StringValueTooLong", 2, "Warning",
        "The string '%1' exceeds the length limit %2.",
        "Resubmit the request with an appropriate string length.";
    HEADER_INVALID: "HeaderInvalid", 1, "Critical",
        "Header '%1' is invalid.",
        "Correct the value in the header and resubmit the request.";
    INTERNAL_ERROR: "InternalError", 0, "Critical",
        "The request failed due to an internal service error. The service is still operational.",
        "Resubmit the request. If the problem persists, consider resetting the service.";
}

impl Template {
    pub(super) fn fill(&self, arguments: &[String]) -> String {
        let fill =
            |text: String, (index, argument): (usize, &String)| text.replace(&format!("%{}", index + 1), argument);
        arguments.iter().enumerate().fold(self.text.to_owned(), fill)
    }
}

impl Message {
    pub(super) fn new<const N: usize>(template: &'static Template, arguments: [&str; N]) -> Self {
        debug_assert_eq!(
            template.arguments, N,
            "{} takes {} arguments",
            template.id, template.arguments
        );
        Self {
            template,
            arguments: arguments.map(str::to_owned).to_vec(),
            related_property: None,
        }
    }

    /// The property of the request this message is about, as a JSON pointer fragment (`#/Boot/BootOrder`).
    pub(super) fn about(mut self, pointer: impl Into<String>) -> Self {
        self.related_property = Some(pointer.into());
        self
    }

    pub(super) fn text(&self) -> String {
        self.template.fill(&self.arguments)
    }

    pub(super) fn to_json(&self, personality: &Personality) -> Value {
        let mut object = json!({
            "@odata.type": "#Message.v1_1_2.Message",
            "MessageId": format!("{}.{}", personality.base_registry, self.template.id),
            "Message": self.text(),
            "MessageArgs": self.arguments,
            "Severity": self.template.severity,
            "MessageSeverity": self.template.severity,
            "Resolution": self.template.resolution,
        });
        if let Some(pointer) = &self.related_property {
            object["RelatedProperties"] = json!([pointer]);
        }
        if personality.annotates_counts {
            object["MessageArgs@odata.count"] = json!(self.arguments.len());
            object["RelatedProperties"] = json!(self.related_property.iter().collect::<Vec<_>>());
            object["RelatedProperties@odata.count"] = json!(usize::from(self.related_property.is_some()));
        }
        object
    }

    /// An error answer that consists of this message.
    pub(super) fn error(&self, status: StatusCode, personality: &Personality) -> Reply {
        errors(status, std::slice::from_ref(self), personality)
    }
}

/// An error answer with several messages; the first one gives the summary if it is alone.
pub(super) fn errors(status: StatusCode, messages: &[Message], personality: &Personality) -> Reply {
    Reply::json(status, error_body(messages, &[], personality))
}

/// `vendor` messages stand before those of the Base registry, as vendors do it.
pub(super) fn error_body(messages: &[Message], vendor: &[Value], personality: &Personality) -> Value {
    let summary = match messages {
        [only] if vendor.is_empty() && !personality.annotates_counts => Message {
            related_property: None,
            ..only.clone()
        },
        _ => Message::new(&GENERAL_ERROR, []),
    };
    let base = messages.iter().map(|message| message.to_json(personality));
    let (code, text) = match &personality.error_summary {
        Some(fixed) => (fixed.code.to_owned(), fixed.message.to_owned()),
        None => (
            format!("{}.{}", personality.base_registry, summary.template.id),
            summary.text(),
        ),
    };
    json!({
        "error": {
            "code": code,
            "message": text,
            "@Message.ExtendedInfo": vendor.iter().cloned().chain(base).collect::<Vec<_>>(),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_template_uses_exactly_its_arguments() {
        let all = [ALL, super::super::resource_event::ALL, super::super::task_event::ALL];
        for template in all.into_iter().flatten() {
            for index in 1..=4 {
                let used = template.text.contains(&format!("%{index}"));
                assert_eq!(used, index <= template.arguments, "%{index} in {}", template.id);
            }
        }
    }
}
