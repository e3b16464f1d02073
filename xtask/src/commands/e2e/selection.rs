//! Which scenarios are run, with which parameters.

use miette::{Diagnostic, Report};
use scenarios::script::parameters::Parameters;
use scenarios::script::{Scenario, Script};
use std::path::Path;
use std::str::FromStr;

/// A name is taken for a misspelling of another from this similarity on (Jaro-Winkler, 0 to 1).
const SIMILAR: f64 = 0.8;

/// `name=value` of `--set`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Assignment {
    name: String,
    value: String,
}

impl FromStr for Assignment {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.split_once('=') {
            Some((name, value)) if !name.is_empty() => Ok(Self {
                name: name.to_owned(),
                value: value.to_owned(),
            }),
            _ => Err("write name=value, for example servers=20"),
        }
    }
}

/// What the command line asks for and the scripts do not have.
#[derive(Debug, thiserror::Error, Diagnostic)]
enum SelectionError {
    #[error("there is no scenario `{name}`")]
    UnknownScenario {
        name: String,
        #[help]
        help: String,
    },
    #[error("none of these scenarios has a parameter `{name}`")]
    UnknownParameter {
        name: String,
        #[help]
        help: String,
    },
    #[error("there are no scenarios in {folder}")]
    #[diagnostic(help("scenarios are *.yaml files"))]
    None { folder: String },
}

/// The scenarios called `names`, each once, in the order of the scripts; all if no name is given.
pub(super) fn select(
    scripts: &[Script],
    names: &[String],
    assignments: &[Assignment],
    folder: &Path,
) -> miette::Result<Vec<Scenario>> {
    let known = || scripts.iter().map(|script| script.name.as_str());
    if scripts.is_empty() {
        let folder = folder.display().to_string();
        return Err(SelectionError::None { folder }.into());
    }
    if let Some(name) = names.iter().find(|name| !known().any(|known| known == *name)) {
        let help = suggestion(name, known());
        return Err(SelectionError::UnknownScenario {
            name: name.clone(),
            help,
        }
        .into());
    }
    let selected: Vec<&Script> = scripts
        .iter()
        .filter(|script| names.is_empty() || names.contains(&script.name))
        .collect();
    let mut parameters: Vec<&str> = selected
        .iter()
        .flat_map(|script| script.parameters.keys())
        .map(String::as_str)
        .collect();
    parameters.sort_unstable();
    parameters.dedup();
    if let Some(assignment) = assignments
        .iter()
        .find(|assignment| !parameters.contains(&assignment.name.as_str()))
    {
        let help = suggestion(&assignment.name, parameters);
        let name = assignment.name.clone();
        return Err(SelectionError::UnknownParameter { name, help }.into());
    }
    selected
        .into_iter()
        .map(|script| script.bind(&overrides(script, assignments)).map_err(Report::from))
        .collect()
}

/// The assignments that concern this script; of several to one parameter, the last.
fn overrides(script: &Script, assignments: &[Assignment]) -> Parameters {
    assignments
        .iter()
        .filter(|assignment| script.parameters.contains_key(&assignment.name))
        .map(|assignment| (assignment.name.clone(), assignment.value.clone()))
        .collect()
}

/// The nearest names, or all when none is near.
fn suggestion<'a>(wanted: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    let known: Vec<&str> = known.into_iter().collect();
    let mut near: Vec<(f64, &str)> = known
        .iter()
        .map(|name| (strsim::jaro_winkler(wanted, name), *name))
        .filter(|(similarity, name)| *similarity >= SIMILAR || name.contains(wanted))
        .collect();
    near.sort_by(|(a, _), (b, _)| b.total_cmp(a));
    match (near.as_slice(), known.as_slice()) {
        (_, []) => "there are none".to_owned(),
        ([], known) => format!("there are: {}", known.join(", ")),
        (near, _) => {
            let near: Vec<String> = near.iter().take(3).map(|(_, name)| format!("`{name}`")).collect();
            format!("did you mean {}?", near.join(" or "))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn script(name: &str, parameters: &str) -> Script {
        let text = format!(
            "name: {name}\ndescription: d\nparameters: {parameters}\nfleet: {{ machines: [{{ name: node }}] }}\nsteps: []\n"
        );
        Script::parse(&format!("{name}.yaml"), text).expect("a script")
    }

    fn selected(names: &[&str], assignments: &[&str]) -> Result<Vec<String>, String> {
        let scripts = [
            script("discover-one-server", "{}"),
            script("life-cycle", "{ servers: 1 }"),
            script("ten-servers-four-claims", "{ servers: 10, claims: 4 }"),
        ];
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let assignments: Vec<Assignment> = assignments
            .iter()
            .map(|text| text.parse().expect("name=value"))
            .collect();
        match select(&scripts, &names, &assignments, Path::new("scripts")) {
            Ok(scenarios) => Ok(scenarios
                .into_iter()
                .map(|scenario| format!("{} {:?}", scenario.name, scenario.parameters))
                .collect()),
            Err(report) => Err(format!("{report}: {}", report.help().expect("help"))),
        }
    }

    #[test]
    fn names_select_and_parameters_go_where_they_are_known() {
        assert_eq!(
            selected(&["ten-servers-four-claims", "discover-one-server"], &["servers=2"]),
            Ok(vec![
                "discover-one-server {}".to_owned(),
                r#"ten-servers-four-claims {"claims": "4", "servers": "2"}"#.to_owned(),
            ])
        );
        assert_eq!(selected(&[], &[]).map(|all| all.len()), Ok(3));
    }

    #[test]
    fn what_does_not_exist_is_told_with_what_does() {
        for (names, assignments, expected) in [
            (
                &["discover-one-sever"][..],
                &[][..],
                "there is no scenario `discover-one-sever`: did you mean `discover-one-server`?",
            ),
            (
                &["claims"],
                &[],
                "there is no scenario `claims`: did you mean `ten-servers-four-claims`?",
            ),
            (
                &["xyz"],
                &[],
                "there is no scenario `xyz`: there are: discover-one-server, life-cycle, ten-servers-four-claims",
            ),
            (
                &["life-cycle"],
                &["claims=1"],
                "none of these scenarios has a parameter `claims`: there are: servers",
            ),
            (
                &["discover-one-server"],
                &["servers=1"],
                "none of these scenarios has a parameter `servers`: there are none",
            ),
        ] {
            assert_eq!(selected(names, assignments), Err(expected.to_owned()));
        }
        assert!("servers".parse::<Assignment>().is_err());
    }
}
