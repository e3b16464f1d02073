//! Path patterns.

/// Whether `path` matches: `*` stands for any text without a slash, `**` for any text.
pub(super) fn matches(pattern: &str, path: &str) -> bool {
    match pattern.find('*') {
        None => pattern == path,
        Some(star) => {
            let Some(rest) = path.strip_prefix(&pattern[..star]) else {
                return false;
            };
            let (tail, crosses_slashes) = match pattern[star..].strip_prefix("**") {
                Some(tail) => (tail, true),
                None => (&pattern[star + 1..], false),
            };
            let reach = if crosses_slashes {
                rest.len()
            } else {
                rest.find('/').unwrap_or(rest.len())
            };
            (0..=reach)
                .filter(|end| rest.is_char_boundary(*end))
                .any(|end| matches(tail, &rest[end..]))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn table() {
        for (pattern, path, expected) in [
            ("/redfish/v1", "/redfish/v1", true),
            ("/redfish/v1", "/redfish/v1/Systems", false),
            ("/redfish/v1/Systems/*", "/redfish/v1/Systems/1", true),
            ("/redfish/v1/Systems/*", "/redfish/v1/Systems/1/Bios", false),
            ("/redfish/v1/Systems/**", "/redfish/v1/Systems/1/Bios", true),
            (
                "/redfish/v1/*/1/Actions/*.Reset",
                "/redfish/v1/Systems/1/Actions/ComputerSystem.Reset",
                true,
            ),
            (
                "**/Actions/Drive.SecureErase",
                "/redfish/v1/a/b/Actions/Drive.SecureErase",
                true,
            ),
            ("**", "/anything/at/all", true),
        ] {
            assert_eq!(matches(pattern, path), expected, "{pattern} on {path}");
        }
    }
}
