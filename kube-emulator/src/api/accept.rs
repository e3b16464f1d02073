//! Content negotiation of answers: plain objects, Tables, or metadata only. Answers are always JSON.

use super::query::Query;
use super::status::ApiError;

/// How much of the object a Table row carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum IncludeObject {
    None,
    Metadata,
    Object,
}

/// The form of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rendering {
    Plain,
    Table(IncludeObject),
    PartialMetadata,
}

impl Rendering {
    /// Chooses by the `Accept` header, in the order the client wrote it.
    pub(crate) fn negotiate(accept: Option<&str>, query: &Query) -> Result<Self, ApiError> {
        let Some(accept) = accept.filter(|accept| !accept.trim().is_empty()) else {
            return Ok(Rendering::Plain);
        };
        for range in accept.split(',') {
            let mut parts = range.split(';').map(str::trim);
            let media = parts.next().unwrap_or_default();
            if !matches!(media, "application/json" | "application/*" | "*/*") {
                continue;
            }
            let mut parameters = parts.filter_map(|part| part.split_once('='));
            let (mut form, mut version) = (None, None);
            for (name, value) in parameters.by_ref() {
                match name {
                    "as" => form = Some(value),
                    "v" => version = Some(value),
                    _ => {}
                }
            }
            match (form, version) {
                (None, _) => return Ok(Rendering::Plain),
                (Some("Table"), Some("v1")) => {
                    let include = match query.get("includeObject") {
                        Some("None") => IncludeObject::None,
                        Some("Object") => IncludeObject::Object,
                        _ => IncludeObject::Metadata,
                    };
                    return Ok(Rendering::Table(include));
                }
                (Some("PartialObjectMetadata" | "PartialObjectMetadataList"), Some("v1")) => {
                    return Ok(Rendering::PartialMetadata);
                }
                _ => {}
            }
        }
        Err(ApiError::not_acceptable(
            "application/json, application/yaml, application/vnd.kubernetes.protobuf",
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_form_that_is_served_wins() {
        let none = Query::default();
        let table = [
            (None, Some(Rendering::Plain)),
            (Some("*/*"), Some(Rendering::Plain)),
            (
                Some("application/vnd.kubernetes.protobuf,application/json"),
                Some(Rendering::Plain),
            ),
            (
                Some("application/json;as=Table;v=v1;g=meta.k8s.io,application/json"),
                Some(Rendering::Table(IncludeObject::Metadata)),
            ),
            (
                Some("application/json;as=Table;v=v9;g=meta.k8s.io,application/json"),
                Some(Rendering::Plain),
            ),
            (Some("application/json;as=Table;v=v9;g=meta.k8s.io"), None),
            (
                Some("application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"),
                Some(Rendering::PartialMetadata),
            ),
            (Some("text/html"), None),
        ];
        for (accept, expected) in table {
            assert_eq!(Rendering::negotiate(accept, &none).ok(), expected, "{accept:?}");
        }
    }
}
