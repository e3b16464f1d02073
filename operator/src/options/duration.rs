//! Durations in Go syntax (`time.ParseDuration`): `2m`, `1h30m`, `1.5s`, `250ms`, `0`.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// A non-negative duration written as Go writes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct GoDuration(Duration);

impl GoDuration {
    /// The value.
    pub const fn get(self) -> Duration {
        self.0
    }
}

impl From<Duration> for GoDuration {
    fn from(value: Duration) -> Self {
        Self(value)
    }
}

/// Why a text is not a duration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DurationError {
    /// Nothing there, or no digits where some must be.
    #[error("`{0}` is not a duration; write for example 90s, 2m or 1h30m")]
    Malformed(String),
    /// A number without a unit, or with an unknown one.
    #[error("`{text}` has the unknown unit `{unit}`; known are ns, us, ms, s, m and h")]
    Unit {
        /// The text.
        text: String,
        /// What stood where the unit should be.
        unit: String,
    },
    /// Below zero.
    #[error("`{0}` is negative")]
    Negative(String),
    /// More than 2^63 nanoseconds, Go's limit.
    #[error("`{0}` is longer than 292 years")]
    TooLong(String),
}

const MAX_NANOSECONDS: u128 = i64::MAX as u128;

impl FromStr for GoDuration {
    type Err = DurationError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let malformed = || DurationError::Malformed(text.to_owned());
        let mut rest = text.strip_prefix('+').unwrap_or(text);
        if rest.starts_with('-') {
            return Err(DurationError::Negative(text.to_owned()));
        }
        if rest == "0" {
            return Ok(Self(Duration::ZERO));
        }
        if rest.is_empty() {
            return Err(malformed());
        }
        let mut total: u128 = 0;
        while !rest.is_empty() {
            let whole = leading_digits(rest);
            rest = &rest[whole.len()..];
            let fraction = match rest.strip_prefix('.') {
                Some(after) => {
                    let digits = leading_digits(after);
                    rest = &after[digits.len()..];
                    digits
                }
                None => "",
            };
            if whole.is_empty() && fraction.is_empty() {
                return Err(malformed());
            }
            let unit_length = rest
                .find(|c: char| c.is_ascii_digit() || c == '.')
                .unwrap_or(rest.len());
            let (unit, after) = rest.split_at(unit_length);
            rest = after;
            let scale: u128 = match unit {
                "ns" => 1,
                "us" | "µs" | "μs" => 1_000,
                "ms" => 1_000_000,
                "s" => 1_000_000_000,
                "m" => 60_000_000_000,
                "h" => 3_600_000_000_000,
                other => {
                    return Err(DurationError::Unit {
                        text: text.to_owned(),
                        unit: other.to_owned(),
                    });
                }
            };
            total += scaled(whole, fraction, scale).ok_or_else(|| DurationError::TooLong(text.to_owned()))?;
            if total > MAX_NANOSECONDS {
                return Err(DurationError::TooLong(text.to_owned()));
            }
        }
        let nanoseconds = u64::try_from(total).map_err(|_| DurationError::TooLong(text.to_owned()))?;
        Ok(Self(Duration::from_nanos(nanoseconds)))
    }
}

fn leading_digits(text: &str) -> &str {
    &text[..text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len())]
}

/// `whole.fraction` units of `scale` nanoseconds, rounded down; `None` when it cannot be a duration.
fn scaled(whole: &str, fraction: &str, scale: u128) -> Option<u128> {
    let whole: u128 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
    let mut total = whole.checked_mul(scale)?;
    let mut unit = scale;
    for digit in fraction.bytes() {
        unit /= 10;
        total += u128::from(digit - b'0') * unit;
    }
    Some(total)
}

impl fmt::Display for GoDuration {
    /// As Go's `Duration.String` prints it: `1h30m0s`, `2m0s`, `1.5s`, `250ms`, `0s`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nanoseconds = self.0.as_nanos();
        if nanoseconds == 0 {
            return f.write_str("0s");
        }
        if nanoseconds < 1_000_000_000 {
            let (scale, unit) = match nanoseconds {
                0..1_000 => (1, "ns"),
                1_000..1_000_000 => (1_000, "µs"),
                _ => (1_000_000, "ms"),
            };
            return write!(f, "{}{unit}", decimal(nanoseconds, scale));
        }
        let seconds = nanoseconds / 1_000_000_000;
        let (hours, minutes) = (seconds / 3600, seconds / 60 % 60);
        if hours > 0 {
            write!(f, "{hours}h")?;
        }
        if hours > 0 || minutes > 0 {
            write!(f, "{minutes}m")?;
        }
        write!(f, "{}s", decimal(nanoseconds % 60_000_000_000, 1_000_000_000))
    }
}

/// `value / scale` in decimal without trailing zeros; `scale` is a power of ten.
fn decimal(value: u128, scale: u128) -> String {
    let (whole, fraction) = (value / scale, value % scale);
    if fraction == 0 {
        return whole.to_string();
    }
    let width = scale.ilog10() as usize;
    format!("{whole}.{}", format!("{fraction:0width$}").trim_end_matches('0'))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn reads_what_go_reads() {
        for (text, nanoseconds) in [
            ("0", 0),
            ("2m", 120_000_000_000_u64),
            ("1h30m", 5_400_000_000_000),
            ("1.5s", 1_500_000_000),
            (".5s", 500_000_000),
            ("1.s", 1_000_000_000),
            ("250ms", 250_000_000),
            ("3us", 3_000),
            ("+5s", 5_000_000_000),
        ] {
            assert_eq!(
                text.parse::<GoDuration>().map(|d| d.get().as_nanos()),
                Ok(u128::from(nanoseconds)),
                "{text}"
            );
        }
    }

    #[test]
    fn refuses_what_go_refuses() {
        for text in ["", "5", "s", "1d", "1h 30m", "-5s", "abc", "1.2.3s", "999999999h"] {
            assert!(text.parse::<GoDuration>().is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn prints_what_it_reads(nanoseconds in 0..=i64::MAX as u64) {
            let duration = GoDuration(Duration::from_nanos(nanoseconds));
            prop_assert_eq!(duration.to_string().parse::<GoDuration>(), Ok(duration));
        }
    }
}
