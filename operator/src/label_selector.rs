//! `metav1.LabelSelector`.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;

/// Whether the labels are selected. An operator that is not known selects nothing; an empty selector, everything.
pub fn matches(selector: &LabelSelector, labels: &BTreeMap<String, String>) -> bool {
    let exact = selector
        .match_labels
        .iter()
        .flatten()
        .all(|(key, value)| labels.get(key) == Some(value));
    exact
        && selector.match_expressions.iter().flatten().all(|expression| {
            let value = labels.get(&expression.key);
            let values = expression.values.as_deref().unwrap_or_default();
            match expression.operator.as_str() {
                "In" => value.is_some_and(|value| values.contains(value)),
                "NotIn" => value.is_none_or(|value| !values.contains(value)),
                "Exists" => value.is_some(),
                "DoesNotExist" => value.is_none(),
                _ => false,
            }
        })
}

#[cfg(test)]
mod tests {
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelectorRequirement;

    use super::*;

    #[test]
    fn operators() {
        let labels = BTreeMap::from([("rack".to_owned(), "7".to_owned())]);
        for (operator, values, expected) in [
            ("In", vec!["7"], true),
            ("In", vec!["8"], false),
            ("NotIn", vec!["8"], true),
            ("NotIn", vec!["7"], false),
            ("Exists", vec![], true),
            ("DoesNotExist", vec![], false),
            ("Near", vec!["7"], false),
        ] {
            let selector = LabelSelector {
                match_labels: None,
                match_expressions: Some(vec![LabelSelectorRequirement {
                    key: "rack".into(),
                    operator: operator.into(),
                    values: Some(values.iter().map(ToString::to_string).collect()),
                }]),
            };
            assert_eq!(matches(&selector, &labels), expected, "{operator} {values:?}");
        }
        assert!(matches(&LabelSelector::default(), &labels));
    }
}
