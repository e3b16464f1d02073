//! Request bodies: size limit, content types, duplicate fields.

use axum::body::Body;
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use serde::de::{DeserializeSeed, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

use super::Call;
use super::protobuf;
use super::status::ApiError;
use crate::resource::Resource;
use crate::schema::Place;

/// `MaxRequestBodyBytes` of the real server.
pub(crate) const MAX_BODY_BYTES: usize = 3 * 1024 * 1024;
const ACCEPTED: &str = "application/json, application/yaml, application/vnd.kubernetes.protobuf";

/// A body with its media type (without parameters).
pub(crate) struct RequestBody {
    pub(crate) media: String,
    pub(crate) bytes: Bytes,
}

pub(crate) async fn read(call: &Call, body: Body) -> Result<RequestBody, ApiError> {
    let media = call
        .headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or("application/json");
    let media = media.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    match axum::body::to_bytes(body, MAX_BODY_BYTES).await {
        Ok(bytes) => Ok(RequestBody { media, bytes }),
        Err(_) => Err(ApiError::too_large(MAX_BODY_BYTES)),
    }
}

/// A decoded object and the fields that were given twice.
pub(crate) struct Decoded {
    pub(crate) value: Value,
    pub(crate) duplicates: Vec<String>,
}

impl RequestBody {
    /// The object in the body, whatever its encoding.
    pub(crate) fn decode(&self, resource: &Resource) -> Result<Decoded, ApiError> {
        let decoded = match self.media.as_str() {
            "application/json" | "" => decode_json(&self.bytes),
            "application/yaml" => decode_yaml(&self.bytes),
            protobuf::MEDIA_TYPE => protobuf::decode(&self.bytes).map(|value| Decoded {
                value,
                duplicates: Vec::new(),
            }),
            _ => return Err(ApiError::unsupported_media_type(ACCEPTED)),
        };
        let decoded = decoded.map_err(|error| {
            let shown = match self.bytes.is_empty() {
                true => "<empty>".into(),
                false => String::from_utf8_lossy(&self.bytes),
            };
            ApiError::bad_request(format!(
                "the object provided is unrecognized (must be of type {}): couldn't get version/kind; json parse error: {error} ({shown})",
                resource.kind
            ))
        })?;
        if decoded.value.is_object() {
            return Ok(decoded);
        }
        Err(ApiError::bad_request(format!(
            "the object provided is unrecognized (must be of type {}): couldn't get version/kind; json parse error: \
             json: cannot unmarshal into Go value of type struct",
            resource.kind
        )))
    }

    /// An options body (`DeleteOptions`); none at all is fine.
    pub(crate) fn decode_options(&self) -> Result<Value, ApiError> {
        if self.bytes.is_empty() {
            return Ok(Value::Object(Map::new()));
        }
        let value = match self.media.as_str() {
            "application/yaml" => decode_yaml(&self.bytes).map(|decoded| decoded.value),
            protobuf::MEDIA_TYPE => protobuf::decode(&self.bytes),
            _ => decode_json(&self.bytes).map(|decoded| decoded.value),
        };
        value.map_err(|error| ApiError::internal(format!("couldn't get version/kind; json parse error: {error}")))
    }
}

pub(crate) fn decode_json(bytes: &[u8]) -> Result<Decoded, String> {
    let mut duplicates = Vec::new();
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let node = Node {
        place: &Place::Root,
        duplicates: &mut duplicates,
    };
    let worded = |error: serde_json::Error| match error.is_eof() {
        true => "unexpected end of JSON input".to_owned(),
        false => error.to_string(),
    };
    let value = node.deserialize(&mut deserializer).map_err(worded)?;
    deserializer.end().map_err(|error| error.to_string())?;
    Ok(Decoded { value, duplicates })
}

pub(crate) fn decode_yaml(bytes: &[u8]) -> Result<Decoded, String> {
    let text = std::str::from_utf8(bytes).map_err(|error| error.to_string())?;
    // Any JSON is YAML, and clients send JSON under this type: the strict reader knows about duplicates.
    if text.trim_start().starts_with('{')
        && let Ok(decoded) = decode_json(bytes)
    {
        return Ok(decoded);
    }
    let value = serde_saphyr::from_str::<Value>(text).map_err(|error| error.to_string())?;
    Ok(Decoded {
        value,
        duplicates: Vec::new(),
    })
}

/// Reads a value and notes the path of every field that occurs twice; the last one wins, as in Go.
struct Node<'a> {
    place: &'a Place<'a>,
    duplicates: &'a mut Vec<String>,
}

impl<'de> DeserializeSeed<'de> for Node<'_> {
    type Value = Value;

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Node<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Number::from_f64(value).map_or(Value::Null, Value::Number))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        loop {
            let node = Node {
                place: &Place::Item(self.place, list.len()),
                duplicates: self.duplicates,
            };
            match sequence.next_element_seed(node)? {
                Some(item) => list.push(item),
                None => return Ok(Value::Array(list)),
            }
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        while let Some(name) = entries.next_key::<String>()? {
            let place = Place::Field(self.place, &name);
            if object.contains_key(&name) {
                self.duplicates.push(place.to_string());
            }
            let value = entries.next_value_seed(Node {
                place: &place,
                duplicates: self.duplicates,
            })?;
            object.insert(name, value);
        }
        Ok(Value::Object(object))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn duplicates_are_found_and_the_last_wins() {
        let decoded = decode_json(br#"{"a": {"b": 1, "b": 2}, "l": [{"x": 1, "x": 2}]}"#).unwrap();
        assert_eq!(decoded.duplicates, ["a.b", "l[0].x"]);
        assert_eq!(decoded.value, serde_json::json!({"a": {"b": 2}, "l": [{"x": 2}]}));
        assert!(decode_json(b"{").is_err());
        assert!(decode_json(b"{} x").is_err());
    }
}
