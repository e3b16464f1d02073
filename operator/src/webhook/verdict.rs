//! What is said of an object: allowed, or denied with the status that the API server itself would give.

use kube::core::Status;
use kube::core::response::{StatusCause, StatusDetails};

/// Of one object.
#[derive(Clone, Debug, PartialEq)]
pub enum Verdict {
    Allowed,
    Denied(Box<Status>),
}

/// What is wrong with a field, in the words of `k8s.io/apimachinery`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cause {
    /// Somebody else has this value.
    Duplicate(String),
    /// It may not be changed, for this reason.
    Forbidden(String),
}

impl Cause {
    fn reason(&self) -> &'static str {
        match self {
            Self::Duplicate(_) => "FieldValueDuplicate",
            Self::Forbidden(_) => "FieldValueForbidden",
        }
    }

    fn message(&self) -> String {
        match self {
            Self::Duplicate(value) => format!("Duplicate value: {value:?}"),
            Self::Forbidden(why) => format!("Forbidden: {why}"),
        }
    }
}

impl Verdict {
    /// 422: a field of the object is wrong.
    pub fn invalid(kind: &str, name: &str, field: &str, cause: &Cause) -> Self {
        let message = format!(
            "{kind}.{} {name:?} is invalid: {field}: {}",
            crds::GROUP,
            cause.message()
        );
        Self::denied(
            Status::failure(&message, "Invalid")
                .with_code(422)
                .with_details(StatusDetails {
                    name: name.to_owned(),
                    group: crds::GROUP.to_owned(),
                    kind: kind.to_owned(),
                    causes: vec![StatusCause {
                        reason: cause.reason().to_owned(),
                        message: cause.message(),
                        field: field.to_owned(),
                    }],
                    uid: String::new(),
                    retry_after_seconds: 0,
                }),
        )
    }

    /// 400: what was asked for is not possible now.
    pub fn bad_request(message: &str) -> Self {
        Self::denied(Status::failure(message, "BadRequest").with_code(400))
    }

    /// 503: nobody can say at the moment; the client tries again.
    pub fn unavailable(message: &str) -> Self {
        Self::denied(Status::failure(message, "ServiceUnavailable").with_code(503))
    }

    fn denied(status: Status) -> Self {
        Self::Denied(status.boxed())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn denials_read_as_those_of_kubernetes() {
        let verdict = Verdict::invalid(
            "Endpoint",
            "a",
            "spec.macAddress",
            &Cause::Duplicate("aa:bb".to_owned()),
        );
        let Verdict::Denied(status) = verdict else {
            panic!("denied")
        };
        assert_eq!(
            status.message,
            "Endpoint.metal.ironcore.dev \"a\" is invalid: spec.macAddress: Duplicate value: \"aa:bb\""
        );
        assert_eq!((status.code, status.reason.as_str()), (422, "Invalid"));
        let details = status.details.expect("details");
        assert_eq!(details.causes[0].reason, "FieldValueDuplicate");
    }
}
