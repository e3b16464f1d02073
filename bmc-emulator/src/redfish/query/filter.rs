//! `$filter`: members of a collection that match an expression (DSP0266 §7.3.4).

use std::cmp::Ordering;

use serde_json::Value;

/// Deeper nesting than this is refused, for every level is a call.
const MAXIMUM_DEPTH: usize = 32;

/// An expression that is true of a resource or not.
#[derive(Debug, PartialEq)]
pub(super) enum Filter {
    Or(Box<Filter>, Box<Filter>),
    And(Box<Filter>, Box<Filter>),
    Not(Box<Filter>),
    Compare(Operand, Comparison, Operand),
}

#[derive(Debug, PartialEq)]
pub(super) enum Operand {
    /// Segments of the path of a property.
    Property(Vec<String>),
    Literal(Value),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Comparison {
    Equal,
    NotEqual,
    Greater,
    GreaterOrEqual,
    Less,
    LessOrEqual,
}

impl Filter {
    /// `or` binds weakest, then `and`, then `not`, then the comparisons.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut parser = Parser {
            tokens: tokens(text)?,
            next: 0,
        };
        let filter = parser.or(0)?;
        (parser.next == parser.tokens.len()).then_some(filter)
    }

    pub(super) fn matches(&self, resource: &Value) -> bool {
        match self {
            Filter::Or(left, right) => left.matches(resource) || right.matches(resource),
            Filter::And(left, right) => left.matches(resource) && right.matches(resource),
            Filter::Not(inner) => !inner.matches(resource),
            Filter::Compare(left, comparison, right) => comparison.holds(left.value(resource), right.value(resource)),
        }
    }
}

impl Operand {
    /// What is not there is null.
    fn value<'a>(&'a self, resource: &'a Value) -> &'a Value {
        match self {
            Operand::Property(path) => path
                .iter()
                .try_fold(resource, |value, name| value.get(name))
                .unwrap_or(&Value::Null),
            Operand::Literal(value) => value,
        }
    }
}

impl Comparison {
    fn parse(word: &str) -> Option<Self> {
        Some(match word {
            "eq" => Comparison::Equal,
            "ne" => Comparison::NotEqual,
            "gt" => Comparison::Greater,
            "ge" => Comparison::GreaterOrEqual,
            "lt" => Comparison::Less,
            "le" => Comparison::LessOrEqual,
            _ => return None,
        })
    }

    /// Values of different types are unequal, and neither is greater.
    fn holds(self, left: &Value, right: &Value) -> bool {
        let order = match (left, right) {
            (Value::Number(left), Value::Number(right)) => left
                .as_f64()
                .zip(right.as_f64())
                .and_then(|(left, right)| left.partial_cmp(&right)),
            (Value::String(left), Value::String(right)) => Some(left.cmp(right)),
            (left, right) if left == right => Some(Ordering::Equal),
            _ => None,
        };
        match self {
            Comparison::Equal => order == Some(Ordering::Equal),
            Comparison::NotEqual => order != Some(Ordering::Equal),
            Comparison::Greater => order == Some(Ordering::Greater),
            Comparison::GreaterOrEqual => order.is_some_and(Ordering::is_ge),
            Comparison::Less => order == Some(Ordering::Less),
            Comparison::LessOrEqual => order.is_some_and(Ordering::is_le),
        }
    }
}

#[derive(Debug, PartialEq)]
enum Token {
    Open,
    Close,
    Text(String),
    Word(String),
}

/// `None` if a text literal does not end.
fn tokens(text: &str) -> Option<Vec<Token>> {
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let length = match first {
            '(' | ')' => {
                tokens.push(if first == '(' { Token::Open } else { Token::Close });
                1
            }
            '\'' => {
                let (literal, length) = text_literal(rest)?;
                tokens.push(Token::Text(literal));
                length
            }
            _ => {
                let end = |c: char| c.is_whitespace() || matches!(c, '(' | ')' | '\'');
                let length = rest.find(end).unwrap_or(rest.len());
                tokens.push(Token::Word(rest[..length].to_owned()));
                length
            }
        };
        rest = rest[length..].trim_start();
    }
    Some(tokens)
}

/// The text between the quotes at the beginning, and how long it is with them. A doubled quote stands for itself.
fn text_literal(quoted: &str) -> Option<(String, usize)> {
    let mut literal = String::new();
    let mut from = 1;
    loop {
        let end = from + quoted[from..].find('\'')?;
        literal += &quoted[from..end];
        if !quoted[end + 1..].starts_with('\'') {
            return Some((literal, end + 1));
        }
        literal.push('\'');
        from = end + 2;
    }
}

struct Parser {
    tokens: Vec<Token>,
    next: usize,
}

impl Parser {
    fn take_word(&mut self, word: &str) -> bool {
        let found = matches!(self.tokens.get(self.next), Some(Token::Word(next)) if next == word);
        self.next += usize::from(found);
        found
    }

    fn take(&mut self, token: &Token) -> bool {
        let found = self.tokens.get(self.next) == Some(token);
        self.next += usize::from(found);
        found
    }

    fn or(&mut self, depth: usize) -> Option<Filter> {
        let mut left = self.and(depth)?;
        while self.take_word("or") {
            left = Filter::Or(Box::new(left), Box::new(self.and(depth)?));
        }
        Some(left)
    }

    fn and(&mut self, depth: usize) -> Option<Filter> {
        let mut left = self.not(depth)?;
        while self.take_word("and") {
            left = Filter::And(Box::new(left), Box::new(self.not(depth)?));
        }
        Some(left)
    }

    fn not(&mut self, depth: usize) -> Option<Filter> {
        if depth > MAXIMUM_DEPTH {
            return None;
        }
        if self.take_word("not") {
            return Some(Filter::Not(Box::new(self.not(depth + 1)?)));
        }
        if self.take(&Token::Open) {
            let inner = self.or(depth + 1)?;
            return self.take(&Token::Close).then_some(inner);
        }
        let left = self.operand()?;
        let Some(Token::Word(word)) = self.tokens.get(self.next) else {
            return None;
        };
        let comparison = Comparison::parse(word)?;
        self.next += 1;
        Some(Filter::Compare(left, comparison, self.operand()?))
    }

    fn operand(&mut self) -> Option<Operand> {
        let operand = match self.tokens.get(self.next)? {
            Token::Text(text) => Operand::Literal(Value::from(text.as_str())),
            Token::Word(word) => word_operand(word)?,
            Token::Open | Token::Close => return None,
        };
        self.next += 1;
        Some(operand)
    }
}

fn word_operand(word: &str) -> Option<Operand> {
    let literal = match word {
        "true" => Value::Bool(true),
        "false" => Value::Bool(false),
        "null" => Value::Null,
        _ if word.starts_with(|c: char| c.is_ascii_digit() || c == '-') => {
            Value::Number(word.parse::<serde_json::Number>().ok()?)
        }
        path => {
            let path: Vec<String> = path.split('/').map(str::to_owned).collect();
            let is_name = |name: &String| !name.is_empty() && !name.contains(|c: char| !is_name_character(c));
            return path.iter().all(is_name).then_some(Operand::Property(path));
        }
    };
    Some(Operand::Literal(literal))
}

/// DSP0266 §9.6.
fn is_name_character(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | '#' | '@' | '.')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn what_matches() {
        let resource = json!({
            "Id": "1", "Count": 16, "Speed": 2.5, "Absent": null, "Lit": true, "Owner": "O'Brien",
            "Status": { "Health": "OK" }, "Created": "2026-01-02T00:00:00Z",
        });
        let table = [
            ("Id eq '1'", true),
            ("Id eq 1", false),
            ("Count gt 8", true),
            ("Count ge 16.0 and Speed lt 3", true),
            ("Count le 8 or Speed eq 2.5", true),
            ("not (Status/Health eq 'OK')", false),
            ("not Status/Health ne 'OK'", true),
            ("Status/Missing eq null and Absent eq null", true),
            ("Lit eq true", true),
            ("Owner eq 'O''Brien'", true),
            ("Created gt '2026-01-01T00:00:00Z'", true),
            ("Id eq '2' and Id eq '1' or Id eq '1'", true),
            ("Id eq '2' and (Id eq '1' or Id eq '1')", false),
            ("Status gt 'OK'", false),
        ];
        for (text, expected) in table {
            let filter = Filter::parse(text).unwrap_or_else(|| panic!("{text} is not an expression"));
            assert_eq!(filter.matches(&resource), expected, "{text}");
        }
    }

    #[test]
    fn what_is_no_expression() {
        let deep = "(".repeat(10_000);
        for text in [
            "",
            "Id",
            "Id eq",
            "Id eq '1",
            "Id is 1",
            "(Id eq 1",
            "Id eq 1)",
            "Id eq -",
            "A//B eq 1",
            "eq eq",
            &deep,
        ] {
            assert_eq!(Filter::parse(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn nothing_panics(text in "\\PC{0,60}") {
            let _ = Filter::parse(&text).map(|filter| filter.matches(&Value::Null));
        }

        /// Any sequence of the words of the language either is an expression or is not, and says so.
        #[test]
        fn no_sequence_of_tokens_panics(
            words in proptest::collection::vec(
                prop_oneof![Just("("), Just(")"), Just("not"), Just("and"), Just("or"), Just("eq"), Just("A/B"), Just("'x'"), Just("1")],
                0..40,
            )
        ) {
            let _ = Filter::parse(&words.join(" ")).map(|filter| filter.matches(&Value::Null));
        }

        #[test]
        fn text_finds_itself(text in "\\PC{0,20}") {
            let filter = Filter::parse(&format!("Name eq '{}'", text.replace('\'', "''"))).unwrap();
            let resource = json!({ "Name": text });
            prop_assert!(filter.matches(&resource));
        }
    }
}
