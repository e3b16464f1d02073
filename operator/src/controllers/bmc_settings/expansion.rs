//! `$(NAME)` in texts, as Kubernetes expands it in the environment of containers (contract section 4.6). Pure.

use std::collections::BTreeMap;

/// Puts the values in. `$$` is a dollar, so that `$$(NAME)` is the text `$(NAME)`; what is not known stays as it is.
pub fn expand(text: &str, variables: &BTreeMap<String, String>) -> String {
    let mut expanded = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(dollar) = rest.find('$') {
        expanded.push_str(&rest[..dollar]);
        let after = &rest[dollar + 1..];
        if let Some(escaped) = after.strip_prefix('$') {
            expanded.push('$');
            rest = escaped;
            continue;
        }
        let named = after.strip_prefix('(').and_then(|inner| inner.split_once(')'));
        match named {
            Some((name, remainder)) => {
                match variables.get(name) {
                    Some(value) => expanded.push_str(value),
                    None => {
                        expanded.push_str("$(");
                        expanded.push_str(name);
                        expanded.push(')');
                    }
                }
                rest = remainder;
            }
            None => {
                expanded.push('$');
                rest = after;
            }
        }
    }
    expanded.push_str(rest);
    expanded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_kubernetes_does() {
        let variables = BTreeMap::from([
            ("A".to_owned(), "a".to_owned()),
            ("DOLLAR".to_owned(), "$(A)".to_owned()),
        ]);
        for (text, expected) in [
            ("$(A)", "a"),
            ("x$(A)y$(A)", "xaya"),
            ("$$(A)", "$(A)"),
            ("$$$(A)", "$a"),
            ("$$$$(A)", "$$(A)"),
            ("$(MISSING)", "$(MISSING)"),
            ("$A $", "$A $"),
            ("$(A", "$(A"),
            ("$()", "$()"),
            // A value is not expanded again.
            ("$(DOLLAR)", "$(A)"),
            ("ä$(A)ö", "äaö"),
            ("", ""),
        ] {
            assert_eq!(expand(text, &variables), expected, "{text}");
        }
    }
}
