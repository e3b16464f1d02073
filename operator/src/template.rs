//! The part of Go's text/template that people's templates use: fields with trim marks, `index`, `if … else … end`, comments. Anything else is
//! an error that names the line, and so is a value that is not there: a template half understood makes something half right.
//!
//! Of the crates that speak Go's template language none is maintained, and none can be told that a missing key is an error.

use std::collections::BTreeSet;

use serde_json::Value;

/// A template that was understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template(Vec<Node>);

/// Why a template cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// Nothing but blanks.
    #[error("the template is empty")]
    Empty,
    /// `{{` without `}}`.
    #[error("line {line}: {{{{ without }}}}")]
    Unclosed {
        /// Line of the `{{`, from 1.
        line: usize,
    },
    /// An action that is not understood.
    #[error(
        "line {line}: {{{{{action}}}}} is not understood; use .Field, index .Field \"key\", if, else, end or a comment"
    )]
    Unknown {
        /// Line of the `{{`, from 1.
        line: usize,
        /// What stands between the braces.
        action: String,
    },
    /// `if` without `end`.
    #[error("line {line}: {{{{if}}}} without {{{{end}}}}")]
    Open {
        /// Line of the `if`.
        line: usize,
    },
    /// A field that nobody has a value for.
    #[error("line {line}: there is no {field}; there are {known}")]
    NoField {
        /// Line of the action.
        line: usize,
        /// As written.
        field: String,
        /// What there is.
        known: String,
    },
    /// A value that cannot be written as text.
    #[error("line {line}: {field} is neither text nor a number")]
    NotText {
        /// Line of the action.
        line: usize,
        /// As written.
        field: String,
    },
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Node {
    Text(String),
    Value(Term),
    /// Conditions with what they let through; what is left without a condition comes last.
    If(Vec<(Option<Term>, Vec<Node>)>),
}

/// `.Protocol.Name`, or `index .Labels "rack"`.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Term {
    line: usize,
    field: Vec<String>,
    key: Option<String>,
}

impl Template {
    /// Reads a template.
    ///
    /// # Errors
    /// [`TemplateError`].
    pub fn parse(text: &str) -> Result<Self, TemplateError> {
        if text.trim().is_empty() {
            return Err(TemplateError::Empty);
        }
        let mut tokens = tokens(text)?.into_iter();
        let (nodes, end) = block(&mut tokens, None)?;
        match end {
            None => Ok(Self(nodes)),
            Some((line, action)) => Err(TemplateError::Unknown { line, action }),
        }
    }

    /// Checks that all fields, also those of branches that are seldom taken, are among `known`, by their first word.
    ///
    /// # Errors
    /// [`TemplateError::NoField`].
    pub fn check(&self, known: &[&str]) -> Result<(), TemplateError> {
        check(&self.0, known)
    }

    /// Fills in `values`, an object.
    ///
    /// # Errors
    /// A key that is not there, or a value that is no text.
    pub fn render(&self, values: &Value) -> Result<String, TemplateError> {
        let mut output = String::new();
        render(&self.0, values, &mut output)?;
        Ok(output)
    }
}

enum Token {
    Text(String),
    Action { line: usize, action: String },
}

fn tokens(template: &str) -> Result<Vec<Token>, TemplateError> {
    let mut tokens = Vec::new();
    let mut rest = template;
    let mut line = 1;
    while let Some(start) = rest.find("{{") {
        let text = &rest[..start];
        line += text.matches('\n').count();
        let after = &rest[start + 2..];
        let end = after.find("}}").ok_or(TemplateError::Unclosed { line })?;
        let inside = &after[..end];
        rest = &after[end + 2..];
        // Go wants a blank between trim mark and action, else `{{-3}}` would be ambiguous.
        let (trim_left, inside_left) = match inside.strip_prefix('-') {
            Some(stripped) if stripped.starts_with(char::is_whitespace) => (true, stripped),
            _ => (false, inside),
        };
        let (trim_right, action) = match inside_left.strip_suffix('-') {
            Some(stripped) if stripped.ends_with(char::is_whitespace) => (true, stripped),
            _ => (false, inside_left),
        };
        let text = if trim_left { text.trim_end() } else { text };
        tokens.push(Token::Text(text.to_owned()));
        let action = action.trim();
        if !(action.starts_with("/*") && action.ends_with("*/")) {
            tokens.push(Token::Action {
                line,
                action: action.to_owned(),
            });
        }
        line += inside.matches('\n').count();
        if trim_right {
            let trimmed = rest.trim_start();
            line += rest[..rest.len() - trimmed.len()].matches('\n').count();
            rest = trimmed;
        }
    }
    tokens.push(Token::Text(rest.to_owned()));
    Ok(tokens)
}

/// Nodes, and the `else` or `end` after them with its line.
type Block = (Vec<Node>, Option<(usize, String)>);

/// Nodes up to the end, or up to an `else` or `end`, which is returned. `opened` is the line of the `if` that waits for it.
fn block(tokens: &mut impl Iterator<Item = Token>, opened: Option<usize>) -> Result<Block, TemplateError> {
    let mut nodes = Vec::new();
    while let Some(token) = tokens.next() {
        let (line, action) = match token {
            Token::Text(text) => {
                nodes.push(Node::Text(text));
                continue;
            }
            Token::Action { line, action } => (line, action),
        };
        match action.split_whitespace().next() {
            Some("else" | "end") => return Ok((nodes, Some((line, action)))),
            Some("if") => nodes.push(branches(tokens, line, &action)?),
            _ => nodes.push(Node::Value(term(line, &action, &action)?)),
        }
    }
    match opened {
        None => Ok((nodes, None)),
        Some(line) => Err(TemplateError::Open { line }),
    }
}

fn branches(tokens: &mut impl Iterator<Item = Token>, line: usize, action: &str) -> Result<Node, TemplateError> {
    let condition = action.strip_prefix("if").unwrap_or_default();
    let mut condition = Some(term(line, condition, action)?);
    let mut branches = Vec::new();
    loop {
        let was_else = condition.is_none();
        let (nodes, end) = block(tokens, Some(line))?;
        branches.push((condition, nodes));
        let Some((at, action)) = end else {
            return Err(TemplateError::Open { line });
        };
        let words: Vec<&str> = action.split_whitespace().collect();
        condition = match words.as_slice() {
            ["end"] => return Ok(Node::If(branches)),
            ["else"] if !was_else => None,
            ["else", "if", ..] if !was_else => {
                let rest = action.trim_start_matches("else").trim_start().trim_start_matches("if");
                Some(term(at, rest, &action)?)
            }
            _ => return Err(TemplateError::Unknown { line: at, action }),
        };
    }
}

fn term(line: usize, text: &str, action: &str) -> Result<Term, TemplateError> {
    let unknown = || TemplateError::Unknown {
        line,
        action: action.to_owned(),
    };
    let text = text.trim();
    let field = |text: &str| {
        let names: Option<Vec<String>> = text
            .strip_prefix('.')
            .map(|names| names.split('.').map(str::to_owned).collect());
        let is_name = |name: &String| {
            !name.is_empty()
                && name
                    .chars()
                    .all(|character| character.is_alphanumeric() || character == '_')
        };
        names.filter(|names| names.iter().all(is_name)).ok_or_else(unknown)
    };
    let Some(indexed) = text.strip_prefix("index ") else {
        return Ok(Term {
            line,
            field: field(text)?,
            key: None,
        });
    };
    let (indexed, key) = indexed.trim().split_once(char::is_whitespace).ok_or_else(unknown)?;
    let key = key.trim().strip_prefix('"').and_then(|key| key.strip_suffix('"'));
    let key = key.filter(|key| !key.contains(['"', '\\'])).ok_or_else(unknown)?;
    Ok(Term {
        line,
        field: field(indexed)?,
        key: Some(key.to_owned()),
    })
}

fn check(nodes: &[Node], known: &[&str]) -> Result<(), TemplateError> {
    for node in nodes {
        match node {
            Node::Text(_) => {}
            Node::Value(term) => term.check(known)?,
            Node::If(branches) => {
                for (condition, nodes) in branches {
                    condition.iter().try_for_each(|term| term.check(known))?;
                    check(nodes, known)?;
                }
            }
        }
    }
    Ok(())
}

fn render(nodes: &[Node], values: &Value, output: &mut String) -> Result<(), TemplateError> {
    for node in nodes {
        match node {
            Node::Text(text) => output.push_str(text),
            Node::Value(term) => match term.value(values)? {
                Value::String(text) => output.push_str(text),
                Value::Number(number) => output.push_str(&number.to_string()),
                Value::Bool(truth) => output.push_str(&truth.to_string()),
                _ => {
                    return Err(TemplateError::NotText {
                        line: term.line,
                        field: term.written(),
                    });
                }
            },
            Node::If(branches) => {
                for (condition, nodes) in branches {
                    let holds = match condition {
                        Some(term) => is_true(term.value(values)?),
                        None => true,
                    };
                    if holds {
                        render(nodes, values, output)?;
                        break;
                    }
                }
            }
        }
    }
    Ok(())
}

impl Term {
    fn written(&self) -> String {
        format!(".{}", self.field.join("."))
    }

    fn check(&self, known: &[&str]) -> Result<(), TemplateError> {
        if self.field.first().is_some_and(|first| known.contains(&first.as_str())) {
            return Ok(());
        }
        let dotted: Vec<String> = known.iter().map(|name| format!(".{name}")).collect();
        Err(TemplateError::NoField {
            line: self.line,
            field: self.written(),
            known: dotted.join(", "),
        })
    }

    fn value<'a>(&self, values: &'a Value) -> Result<&'a Value, TemplateError> {
        let mut value = values;
        for name in &self.field {
            value = value.get(name).ok_or_else(|| {
                // By name: the order of an object is nobody's business.
                let known: BTreeSet<&str> = value
                    .as_object()
                    .into_iter()
                    .flatten()
                    .map(|(key, _)| key.as_str())
                    .collect();
                TemplateError::NoField {
                    line: self.line,
                    field: self.written(),
                    known: known.into_iter().collect::<Vec<_>>().join(", "),
                }
            })?;
        }
        // As in Go, `index` asks, and what is not there is empty.
        const NOTHING: &Value = &Value::String(String::new());
        Ok(match &self.key {
            None => value,
            Some(key) => value.get(key).unwrap_or(NOTHING),
        })
    }
}

fn is_true(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(truth) => *truth,
        Value::Number(number) => number.as_f64() != Some(0.0),
        Value::String(text) => !text.is_empty(),
        Value::Array(values) => !values.is_empty(),
        Value::Object(values) => !values.is_empty(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn rendered(template: &str) -> Result<String, TemplateError> {
        let values = json!({
            "Name": "node", "Empty": "", "Protocol": { "Name": "Redfish", "Port": 443 }, "Labels": { "rack": "r1", "a/b": "c" },
        });
        Template::parse(template)?.render(&values)
    }

    #[test]
    fn renders_like_go() {
        for (template, wanted) in [
            ("a {{.Name}} b", "a node b"),
            ("a \n {{- .Name -}} \n b", "anodeb"),
            ("a {{- .Name }} b", "anode b"),
            ("x{{/* a comment */}}y", "xy"),
            ("x {{- /* a comment */ -}} y", "xy"),
            ("{{ .Protocol.Name }}:{{ .Protocol.Port }}", "Redfish:443"),
            (
                "{{ .Labels.rack }}{{ index .Labels \"a/b\" }}{{ index .Labels \"none\" }}",
                "r1c",
            ),
            ("{{ if .Empty }}a{{ else if .Name }}b{{ else }}c{{ end }}", "b"),
            ("{{ if .Empty }}a{{ else }}{{ if .Labels }}b{{ end }}{{ end }}d", "bd"),
            ("{{ if index .Labels \"none\" }}a{{ end }}d", "d"),
            ("no action }} here", "no action }} here"),
        ] {
            assert_eq!(rendered(template).as_deref(), Ok(wanted), "{template}");
        }
    }

    #[test]
    fn says_where_it_does_not_understand() {
        let unknown = |line, action: &str| TemplateError::Unknown {
            line,
            action: action.to_owned(),
        };
        for (template, error) in [
            (" \n", TemplateError::Empty),
            ("a\n\n{{.Name", TemplateError::Unclosed { line: 3 }),
            ("a\n{{ printf .Name }}", unknown(2, "printf .Name")),
            ("a\n{{ .Name | quote }}", unknown(2, ".Name | quote")),
            ("{{ end }}", unknown(1, "end")),
            ("{{ if .Name }}{{ else }}{{ else }}{{ end }}", unknown(1, "else")),
            ("{{/* \n */}}\n{{ if .Name }}", TemplateError::Open { line: 3 }),
            ("{{ index .Labels rack }}", unknown(1, "index .Labels rack")),
        ] {
            assert_eq!(rendered(template), Err(error), "{template}");
        }
        let message = |template: &str| rendered(template).expect_err("an error").to_string();
        assert_eq!(
            message("\n{{.Nope}}"),
            "line 2: there is no .Nope; there are Empty, Labels, Name, Protocol"
        );
        assert_eq!(
            message("{{.Labels.shelf}}"),
            "line 1: there is no .Labels.shelf; there are a/b, rack"
        );
        assert_eq!(message("{{.Labels}}"), "line 1: .Labels is neither text nor a number");
    }

    #[test]
    fn branches_that_are_not_taken_are_checked_too() {
        let template = Template::parse("{{ if .Name }}x{{ else }}{{ .Nope }}{{ end }}").expect("a template");
        assert_eq!(template.render(&json!({ "Name": "node" })).as_deref(), Ok("x"));
        assert!(template.check(&["Name"]).is_err() && template.check(&["Name", "Nope"]).is_ok());
    }
}
