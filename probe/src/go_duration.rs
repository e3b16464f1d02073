//! Durations as Go writes them (`5s`, `1m30s`, `1.5h`, `300ms`), which is what the flags of the Go agent take.

use std::time::Duration;

/// Nanoseconds per unit, longest spelling first where one is the prefix of another.
const UNITS: [(&str, f64); 8] = [
    ("ns", 1.0),
    ("us", 1e3),
    ("µs", 1e3),
    ("μs", 1e3),
    ("ms", 1e6),
    ("s", 1e9),
    ("m", 60e9),
    ("h", 3600e9),
];

/// Parses a non-negative Go duration.
pub(crate) fn parse(text: &str) -> Result<Duration, String> {
    if text == "0" {
        return Ok(Duration::ZERO);
    }
    let complaint = || format!("{text:?} is not a duration; write it like 5s, 1m30s or 300ms");
    let mut rest = text;
    let mut total = 0.0;
    while !rest.is_empty() {
        let digits = rest
            .find(|c: char| !c.is_ascii_digit() && c != '.')
            .ok_or_else(complaint)?;
        let number: f64 = rest[..digits].parse().map_err(|_| complaint())?;
        rest = &rest[digits..];
        let letters = rest
            .find(|c: char| c.is_ascii_digit() || c == '.')
            .unwrap_or(rest.len());
        let (_, nanoseconds) = UNITS
            .iter()
            .find(|(unit, _)| *unit == &rest[..letters])
            .ok_or_else(complaint)?;
        total += number * nanoseconds;
        rest = &rest[letters..];
    }
    if text.is_empty() {
        return Err(complaint());
    }
    Duration::try_from_secs_f64(total / 1e9).map_err(|_| complaint())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn go_spellings() {
        for (text, milliseconds) in [
            ("5s", 5_000),
            ("0", 0),
            ("0s", 0),
            ("1m30s", 90_000),
            ("1.5h", 5_400_000),
            ("300ms", 300),
            ("1h0m0.5s", 3_600_500),
            ("2000us", 2),
            ("2000µs", 2),
        ] {
            assert_eq!(parse(text), Ok(Duration::from_millis(milliseconds)), "{text}");
        }
        for text in [
            "",
            "5",
            "s",
            "-5s",
            "5 s",
            "5d",
            "1.2.3s",
            "5s3",
            "99999999999999999999h",
        ] {
            let error = parse(text).expect_err(text);
            assert!(error.contains("not a duration"), "{error}");
        }
    }
}
