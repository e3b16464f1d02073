use super::*;
use crate::report::model::Outcome;
use crate::report::sample;

#[test]
fn the_page_of_a_small_run() {
    let page = render(&sample::small()).expect("rendered");
    // Style and script are files of their own; a snapshot of them would only repeat them.
    let page = page.replace(&STYLE.join("\n"), "…").replace(SCRIPT, "…");
    insta::assert_snapshot!(page);
}

#[test]
fn an_empty_run_has_a_page() {
    let run = RunReport {
        scenarios: Vec::new(),
        wall_time: None,
        ..sample::small()
    };
    assert!(render(&run).expect("rendered").contains("Nothing was run"));
}

/// Every text of a report may come from a log or a manifest.
#[test]
fn hostile_text_stays_text() {
    let hostile =
        "</script></style></details><script>alert(1)</script><img src=x onerror=alert(2)>\" onload='x' ]]> {{ 7*7 }}";
    let json = serde_json::to_value(sample::small()).expect("plain data");
    let run: RunReport = serde_json::from_value(poison(json, hostile)).expect("still a report");
    assert!(matches!(&run.scenarios[1].outcome, Outcome::Failed(failure) if failure.message.ends_with(hostile)));
    let clean = render(&sample::small()).expect("rendered");
    let page = render(&run).expect("rendered");
    for tag in ["<script", "</script", "</style", "<img", "<details", "</details"] {
        assert_eq!(page.matches(tag).count(), clean.matches(tag).count(), "{tag}");
    }
    assert!(page.contains("{{ 7*7 }}"));
    // Quotes end attributes; there is one of them in the poison for each time it was told.
    let attribute = page.split("title=\"").skip(1).find(|rest| rest.contains("alert(1)"));
    assert!(attribute.is_some_and(|rest| !rest.split('"').next().unwrap_or_default().contains('<')));
}

/// Appends `hostile` to all texts but those that must stay what they are to be a report.
fn poison(value: serde_json::Value, hostile: &str) -> serde_json::Value {
    use serde_json::Value as Json;
    const FIXED: [&str; 4] = ["result", "mode", "startedAt", "kind"];
    match value {
        Json::String(text) => Json::String(text + hostile),
        Json::Array(items) => items.into_iter().map(|item| poison(item, hostile)).collect(),
        Json::Object(fields) => fields
            .into_iter()
            .map(|(name, value)| {
                let value = if FIXED.contains(&name.as_str()) {
                    value
                } else {
                    poison(value, hostile)
                };
                (name, value)
            })
            .collect(),
        other => other,
    }
}

#[test]
fn the_page_loads_nothing_and_nothing_ends_its_style_or_script() {
    assert!(!SCRIPT.contains("</"));
    assert!(
        STYLE
            .iter()
            .all(|style| !style.contains("</") && !style.contains("url(") && !style.contains("@import"))
    );
    let page = render(&sample::small()).expect("rendered");
    for loading in [" src=", "<link", "http://", "https://"] {
        assert!(!page.contains(loading), "{loading}");
    }
}
