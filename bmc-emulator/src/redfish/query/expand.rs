//! `$expand`: resources in the place of links to them (DSP0266 §7.3.1).

use serde_json::Value;

use super::{read, reference};
use crate::personality::QuerySupport;
use crate::redfish::context::Context;

/// Which links are replaced, and how deep.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Expand {
    scope: Scope,
    levels: u32,
}

#[derive(Debug, PartialEq, Eq)]
enum Scope {
    /// `*`
    All,
    /// `.`: those outside of `Links`.
    NotLinks,
    /// `~`: those inside of `Links`.
    Links,
}

impl Expand {
    /// `.`, `*` or `~`, optionally followed by `($levels=N)`.
    pub(super) fn parse(text: &str, support: &QuerySupport) -> Option<Self> {
        let scope = match text.chars().next()? {
            '*' if support.expand_links => Scope::All,
            '~' if support.expand_links => Scope::Links,
            '.' => Scope::NotLinks,
            _ => return None,
        };
        let levels = match &text[1..] {
            "" => 1,
            rest => rest.strip_prefix("($levels=")?.strip_suffix(')')?.parse().ok()?,
        };
        (1..=support.expand_levels)
            .contains(&levels)
            .then_some(Self { scope, levels })
    }

    pub(super) fn apply(&self, cx: &mut Context<'_>, document: &mut Value) {
        self.replace(cx, document, self.levels, false);
    }

    fn replace(&self, cx: &mut Context<'_>, value: &mut Value, levels: u32, in_links: bool) {
        if let Some(uri) = reference(value).map(str::to_owned) {
            let wanted = match self.scope {
                Scope::All => true,
                Scope::NotLinks => !in_links,
                Scope::Links => in_links,
            };
            if wanted && let Some(mut resource) = read(cx, uri) {
                if levels > 1 {
                    self.replace(cx, &mut resource, levels - 1, false);
                }
                *value = resource;
            }
            return;
        }
        match value {
            Value::Object(object) => {
                for (name, value) in object {
                    self.replace(cx, value, levels, in_links || name == "Links");
                }
            }
            Value::Array(values) => {
                for value in values {
                    self.replace(cx, value, levels, in_links);
                }
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SUPPORT: QuerySupport = QuerySupport {
        expand_levels: 2,
        expand_links: true,
        filter: false,
        select: false,
        only: false,
        excerpt: false,
        paging: false,
    };

    #[test]
    fn what_can_be_asked_for() {
        let table = [
            (".", Some((Scope::NotLinks, 1))),
            ("*($levels=2)", Some((Scope::All, 2))),
            ("~($levels=1)", Some((Scope::Links, 1))),
            (".($levels=3)", None),
            (".($levels=0)", None),
            (".($levels=x)", None),
            (".x", None),
            ("ü", None),
            ("", None),
        ];
        for (text, expected) in table {
            let expected = expected.map(|(scope, levels)| Expand { scope, levels });
            assert_eq!(Expand::parse(text, &SUPPORT), expected, "{text}");
        }
        let poor = QuerySupport {
            expand_links: false,
            ..SUPPORT
        };
        assert_eq!(Expand::parse("*", &poor), None);
    }
}
