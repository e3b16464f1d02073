//! Built-in kinds are decoded into Go structs by the real server: wrong types are 400 (not 422), nulls and empty
//! collections vanish, and times must have their exact form. This walk does the same by schema.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::{JsonType, Place, Schema};

/// Normalises `value` as a decode and encode through the Go type would. The error is the text after
/// `cannot be handled as a <Kind>: `.
pub(crate) fn decode_typed(schema: &Schema, kind: &str, value: &mut Value) -> Result<(), String> {
    decode(schema, value, &Place::Named(kind))
}

fn decode(schema: &Schema, value: &mut Value, place: &Place<'_>) -> Result<(), String> {
    if schema.preserve_unknown {
        return Ok(());
    }
    let wrong = |found: &str, wanted: &str| {
        Err(format!(
            "json: cannot unmarshal {found} into Go struct field {place} of type {wanted}"
        ))
    };
    match (value, schema.json_type) {
        (Value::Object(object), Some(JsonType::Object) | None) => {
            object.retain(|_, child| !child.is_null());
            for (name, child) in object.iter_mut() {
                // Go names the struct field, not the key of a map or the index of a list.
                if let Some(field) = schema.properties.get(name) {
                    decode(field, child, &Place::Field(place, name))?;
                } else if let Some(values) = &schema.additional {
                    decode(values, child, place)?;
                }
            }
            object.retain(|name, child| !schema.field(name).is_some_and(|field| is_omitted(field, child)));
            Ok(())
        }
        (Value::Array(list), Some(JsonType::Array) | None) => {
            if let Some(items) = &schema.items {
                for item in list.iter_mut() {
                    decode(items, item, place)?;
                }
            }
            Ok(())
        }
        (Value::String(text), Some(JsonType::String) | None) => decode_text(schema.format.as_deref(), text),
        (Value::String(_), _) if schema.int_or_string => Ok(()),
        (Value::Number(number), Some(JsonType::Integer)) if number.is_i64() => Ok(()),
        (Value::Number(_), Some(JsonType::Number) | None) => Ok(()),
        (Value::Bool(_), Some(JsonType::Boolean) | None) => Ok(()),
        (Value::Null, _) => Ok(()),
        (Value::Object(_), Some(wanted)) => wrong("object", go_type(wanted)),
        (Value::Array(_), Some(wanted)) => wrong("array", go_type(wanted)),
        (Value::String(_), Some(wanted)) => wrong("string", go_type(wanted)),
        (Value::Number(_), Some(wanted)) => wrong("number", go_type(wanted)),
        (Value::Bool(_), Some(wanted)) => wrong("bool", go_type(wanted)),
    }
}

/// `omitempty` of maps and slices; structs behind pointers stay.
fn is_omitted(schema: &Schema, value: &Value) -> bool {
    match value {
        Value::Object(object) => object.is_empty() && schema.is_map(),
        Value::Array(list) => list.is_empty() && schema.items.is_some(),
        _ => false,
    }
}

fn decode_text(format: Option<&str>, text: &mut String) -> Result<(), String> {
    match format {
        Some("byte") => match STANDARD.decode(text.as_bytes()) {
            Ok(_) => Ok(()),
            Err(error) => {
                let at = match error {
                    base64::DecodeError::InvalidByte(at, _) | base64::DecodeError::InvalidLastSymbol(at, _) => at,
                    base64::DecodeError::InvalidLength(length) => length,
                    base64::DecodeError::InvalidPadding => text.len(),
                };
                Err(format!("illegal base64 data at input byte {at}"))
            }
        },
        Some("micro-time") => micro_time(text),
        Some("date-time") => match text.parse::<jiff::Timestamp>() {
            Ok(at) => {
                *text = crate::edges::rfc3339_seconds(at);
                Ok(())
            }
            Err(_) => Err(format!(
                "parsing time {text:?} as \"2006-01-02T15:04:05Z07:00\": cannot parse {text:?} as \"2006\""
            )),
        },
        _ => Ok(()),
    }
}

/// `metav1.MicroTime` wants exactly six fractional digits (trap T12).
fn micro_time(text: &mut String) -> Result<(), String> {
    const LAYOUT: &str = "2006-01-02T15:04:05.000000Z07:00";
    let Ok(at) = text.parse::<jiff::Timestamp>() else {
        return Err(format!(
            "parsing time {text:?} as {LAYOUT:?}: cannot parse {text:?} as \"2006\""
        ));
    };
    let rest = text.get(19..).unwrap_or_default();
    let digits = rest
        .strip_prefix('.')
        .map_or(0, |rest| rest.bytes().take_while(u8::is_ascii_digit).count());
    if digits < 6 {
        return Err(format!(
            "parsing time {text:?} as {LAYOUT:?}: cannot parse {rest:?} as \".000000\""
        ));
    }
    *text = at.strftime("%Y-%m-%dT%H:%M:%S.%6fZ").to_string();
    Ok(())
}

fn go_type(wanted: JsonType) -> &'static str {
    match wanted {
        JsonType::Object => "map[string]interface {}",
        JsonType::Array => "[]interface {}",
        JsonType::String => "string",
        JsonType::Integer => "int64",
        JsonType::Number => "float64",
        JsonType::Boolean => "bool",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn micro_times_need_six_digits() {
        let table = [
            ("2026-01-01T00:00:00Z", None),
            ("2026-01-01T00:00:00.123Z", None),
            ("2026-01-01T00:00:00.123456Z", Some("2026-01-01T00:00:00.123456Z")),
            ("2026-01-01T02:00:00.123456+02:00", Some("2026-01-01T00:00:00.123456Z")),
        ];
        for (text, expected) in table {
            let mut text = text.to_owned();
            let outcome = micro_time(&mut text);
            assert_eq!(outcome.is_ok().then_some(text.as_str()), expected);
        }
    }
}
