//! The page: one HTML file that shows what happened to which server, when and why. It loads nothing, and is complete without its script;
//! the script only adds comfort.
//!
//! | module | subject |
//! |---|---|
//! | `view` | what the templates show: verdict, order, texts |
//! | `timeline` | what happened in a scenario, on its time axis |
//! | `row` | a server in a timeline |
//! | `axis` | positions and ticks |
//! | `blocks` | spans, their classes and what they say |
//! | `marks` | markers that would lie on each other become one |
//! | `story` | the timeline of a server as a list, for whoever reads instead of looks |

mod axis;
mod blocks;
mod marks;
mod row;
mod story;
mod timeline;
mod view;

use super::model::{Millis, RunReport};
use super::words;
use minijinja::syntax::SyntaxConfig;
use minijinja::value::Serde;
use minijinja::{Environment, Error, UndefinedBehavior, Value, context};
use view::RunView;

const TEMPLATES: [(&str, &str); 5] = [
    ("page.html", include_str!("templates/page.html")),
    ("scenario.html", include_str!("templates/scenario.html")),
    ("failure.html", include_str!("templates/failure.html")),
    ("timeline.html", include_str!("templates/timeline.html")),
    ("symbols.html", include_str!("templates/symbols.html")),
];

// Both are ours and hold no `</`, so they cannot end their element early; data never goes into them.
const STYLE: [&str; 2] = [include_str!("page.css"), include_str!("timeline.css")];
const SCRIPT: &str = include_str!("page.js");

pub(super) fn render(run: &RunReport) -> Result<String, Error> {
    environment()?.get_template("page.html")?.render(context! {
        style => Value::from_safe_string(STYLE.join("\n")),
        script => Value::from_safe_string(SCRIPT.to_owned()),
        run => Serde(run),
        view => Serde(RunView::new(run)),
    })
}

fn environment() -> Result<Environment<'static>, Error> {
    let mut environment = Environment::new();
    environment.set_syntax(SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build()?);
    // A misspelt name is an error, not an empty place.
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.add_filter("time", |millis: u64| words::length(Millis(millis)));
    environment.add_filter("moment", |millis: u64| words::moment(Millis(millis)));
    environment.add_filter("count", |number: usize, noun: String| words::count(number, &noun));
    for (name, source) in TEMPLATES {
        environment.add_template(name, source)?;
    }
    Ok(environment)
}

#[cfg(test)]
mod tests;
