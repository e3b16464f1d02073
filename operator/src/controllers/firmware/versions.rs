//! Firmware versions. Every vendor writes them in its own way, so nothing is known of them but that the numbers in them are numbers.

use std::cmp::Ordering;

/// Whether a machine that reports `running` runs `wanted`.
pub fn same(running: Option<&str>, wanted: &str) -> bool {
    running.is_some_and(|running| running.trim().eq_ignore_ascii_case(wanted.trim()))
}

/// Which of two versions is the later one: numbers count as numbers (W22: the Go operator has `2.9` after `2.10`).
pub fn compare(a: &str, b: &str) -> Ordering {
    parts(a).cmp(&parts(b))
}

/// Numbers come before words, as `2.10` before `2.10-rc`.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Part {
    Number(u64),
    Word(String),
}

fn parts(version: &str) -> Vec<Part> {
    let mut parts = Vec::new();
    let mut rest = version.trim();
    while let Some(first) = rest.chars().next() {
        let kind = |character: char| (character.is_ascii_digit(), character.is_alphabetic());
        let end = rest
            .find(|character| kind(character) != kind(first))
            .unwrap_or(rest.len());
        let (part, remainder) = rest.split_at(end);
        rest = remainder;
        match kind(first) {
            (true, _) => parts.push(Part::Number(part.parse().unwrap_or(u64::MAX))),
            (_, true) => parts.push(Part::Word(part.to_ascii_lowercase())),
            // Separators only separate.
            _ => {}
        }
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_in_versions_are_numbers() {
        for (a, b, expected) in [
            ("2.9", "2.10", Ordering::Less),
            ("2.10", "2.9", Ordering::Greater),
            ("2.10", "2.10", Ordering::Equal),
            ("2.1.5", "2.1", Ordering::Greater),
            ("U54 v2.06", "U54 v2.4", Ordering::Greater),
            ("AFE136A", "AFE99A", Ordering::Greater),
            ("7.10.30.00", "7.10.30.05", Ordering::Less),
            ("1.0", "1.0-rc1", Ordering::Less),
            ("", "1", Ordering::Less),
        ] {
            assert_eq!(compare(a, b), expected, "{a} and {b}");
        }
    }

    #[test]
    fn a_machine_runs_what_it_says() {
        for (running, wanted, expected) in [
            (Some("2.10"), "2.10", true),
            (Some(" u54 v2.10 "), "U54 v2.10", true),
            (Some("2.1"), "2.10", false),
            (None, "2.10", false),
        ] {
            assert_eq!(same(running, wanted), expected, "{running:?} and {wanted}");
        }
    }
}
