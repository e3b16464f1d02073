//! Parameters: `${servers}` in the text of a script, replaced before it is parsed, so that a parameter can be a number where a
//! number is due. Values cannot contain YAML syntax, so a value never changes the structure of a script, only scalars in it.

use super::error::ScriptError;
use super::suggest;
use std::collections::BTreeMap;

/// Values by name.
pub type Parameters = BTreeMap<String, String>;

/// The defaults of a script with `overrides` on top.
///
/// # Errors
/// An override that the script does not declare, or a value with other characters than allowed.
pub fn bind(scenario: &str, defaults: &Parameters, overrides: &Parameters) -> Result<Parameters, ScriptError> {
    let mut bound = defaults.clone();
    for (name, value) in overrides {
        let Some(slot) = bound.get_mut(name) else {
            return Err(ScriptError::UnknownParameter {
                scenario: scenario.to_owned(),
                name: name.clone(),
                hint: suggest::hint(name, defaults.keys().map(String::as_str)),
            });
        };
        slot.clone_from(value);
    }
    match bound.iter().find(|(_, value)| !is_plain(value)) {
        Some((name, value)) => Err(ScriptError::BadParameter {
            name: name.clone(),
            value: value.clone(),
        }),
        None => Ok(bound),
    }
}

/// `text` with every `${name}` of a parameter replaced. Line numbers stay as they are.
pub fn substitute(text: &str, parameters: &Parameters) -> String {
    parameters.iter().fold(text.to_owned(), |text, (name, value)| {
        text.replace(&format!("${{{name}}}"), value)
    })
}

fn is_plain(value: &str) -> bool {
    !value.is_empty()
        && value.chars().all(|c| c.is_ascii_alphanumeric() || "._-/:@".contains(c))
        && !value.ends_with(':')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parameters(pairs: &[(&str, &str)]) -> Parameters {
        pairs
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect()
    }

    #[test]
    fn overrides_replace_defaults_and_nothing_else() {
        let defaults = parameters(&[("servers", "1"), ("image", "registry.example/os:v1")]);
        let bound = bind("life-cycle", &defaults, &parameters(&[("servers", "100")])).unwrap();
        assert_eq!(
            substitute("count: ${servers}\nimage: ${image}\nname: ${machine.name}", &bound),
            "count: 100\nimage: registry.example/os:v1\nname: ${machine.name}"
        );
    }

    #[test]
    fn unknown_and_dangerous_values_are_refused() {
        let defaults = parameters(&[("servers", "1")]);
        let unknown = bind("life-cycle", &defaults, &parameters(&[("server", "2")])).unwrap_err();
        assert!(
            matches!(unknown, ScriptError::UnknownParameter { hint, .. } if hint.contains("did you mean `servers`?"))
        );
        for value in ["", "1\nsteps: []", "a b", "x: y", "{}", "a:"] {
            assert!(
                bind("life-cycle", &defaults, &parameters(&[("servers", value)])).is_err(),
                "{value:?}"
            );
        }
    }
}
