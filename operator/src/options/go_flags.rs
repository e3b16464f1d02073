//! Go's `flag` package takes `-name` for `--name`. Clap would read `-name` as a bundle of short options, so single dashes
//! are doubled before clap sees them.

use std::ffi::OsString;

/// Doubles the dash of every single-dash long flag. What follows `--` stays as it is, and so do negative numbers and the
/// short flags `-h` and `-V`.
pub fn normalise(arguments: impl Iterator<Item = OsString>) -> Vec<OsString> {
    let mut verbatim = false;
    arguments
        .map(|argument| {
            let Some(text) = argument.to_str() else { return argument };
            if verbatim {
                return argument;
            }
            if text == "--" {
                verbatim = true;
                return argument;
            }
            match text.strip_prefix('-') {
                Some(name) if name.len() > 1 && name.starts_with(|c: char| c.is_ascii_alphabetic()) => {
                    format!("-{text}").into()
                }
                _ => argument,
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn single_dashes_are_doubled() {
        let given = [
            "-leader-elect",
            "--a=b",
            "-x",
            "-h",
            "-insecure=false",
            "v",
            "-5",
            "--",
            "-kept",
        ];
        let wanted = [
            "--leader-elect",
            "--a=b",
            "-x",
            "-h",
            "--insecure=false",
            "v",
            "-5",
            "--",
            "-kept",
        ];
        assert_eq!(
            normalise(given.into_iter().map(OsString::from)),
            wanted.map(OsString::from)
        );
    }
}
