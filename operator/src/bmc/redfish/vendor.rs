//! Whose BMC it is, for the few things that each vendor does in its own way.

use serde_json::Value;

/// Vendors whose ways are known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Vendor {
    Dell,
    Hpe,
    Lenovo,
    Other,
}

impl Vendor {
    /// What the service root says.
    pub(super) fn of(root: &Value) -> Self {
        let oem = root["Oem"].as_object();
        let named = |name: &str| {
            root["Vendor"]
                .as_str()
                .is_some_and(|vendor| vendor.to_ascii_lowercase().starts_with(&name.to_ascii_lowercase()))
                || oem.is_some_and(|oem| oem.keys().any(|key| key.eq_ignore_ascii_case(name)))
        };
        [
            ("Dell", Self::Dell),
            ("HPE", Self::Hpe),
            ("HP", Self::Hpe),
            ("Lenovo", Self::Lenovo),
        ]
        .into_iter()
        .find(|(name, _)| named(name))
        .map_or(Self::Other, |(_, vendor)| vendor)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_root_tells() {
        for (root, expected) in [
            (json!({"Vendor": "Dell"}), Vendor::Dell),
            (json!({"Oem": {"Hpe": {}}}), Vendor::Hpe),
            (json!({"Vendor": "Lenovo", "Oem": {}}), Vendor::Lenovo),
            (json!({"Vendor": "Supermicro"}), Vendor::Other),
            (json!({}), Vendor::Other),
        ] {
            assert_eq!(Vendor::of(&root), expected, "{root}");
        }
    }
}
