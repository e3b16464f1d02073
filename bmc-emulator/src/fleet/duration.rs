//! Durations as people write them in a fleet file: `90s`, `2m30s`, `500ms`.

use std::borrow::Cow;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A duration in the notation shared by Go and humantime (`1h2m3s`, `500ms`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct DurationText(pub Duration);

impl FromStr for DurationText {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let signed: jiff::SignedDuration = text
            .parse()
            .map_err(|_| format!("{text:?} is not a duration; write for example \"90s\" or \"2m30s\""))?;
        Duration::try_from(signed)
            .map(Self)
            .map_err(|_| format!("{text:?} is negative; a delay cannot be"))
    }
}

impl std::fmt::Display for DurationText {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match jiff::SignedDuration::try_from(self.0) {
            Ok(signed) => write!(f, "{signed:#}"),
            Err(_) => write!(f, "{}s", self.0.as_secs()),
        }
    }
}

impl Serialize for DurationText {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for DurationText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(serde::de::Error::custom)
    }
}

impl schemars::JsonSchema for DurationText {
    fn schema_name() -> Cow<'static, str> {
        "Duration".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "string",
            "description": "A duration such as 500ms, 90s or 2m30s.",
            "examples": ["500ms", "90s", "2m30s"],
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_go_and_humantime_write() {
        for (text, millis) in [
            ("500ms", 500),
            ("90s", 90_000),
            ("2m30s", 150_000),
            ("1h", 3_600_000),
            ("0s", 0),
        ] {
            assert_eq!(
                text.parse::<DurationText>().map(|d| d.0.as_millis()),
                Ok(millis),
                "{text}"
            );
        }
        for text in ["", "5", "-3s", "soon"] {
            assert!(text.parse::<DurationText>().is_err(), "{text:?} must be refused");
        }
    }

    #[test]
    fn what_is_printed_can_be_read_again() {
        for millis in [0, 1, 999, 1_500, 61_000, 7_200_000] {
            let duration = DurationText(Duration::from_millis(millis));
            assert_eq!(duration.to_string().parse(), Ok(duration));
        }
    }
}
