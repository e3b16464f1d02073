//! Places in a script, and values that know theirs.

use miette::SourceSpan;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Deserializer, Serialize};
use serde_saphyr::Spanned;
use std::borrow::Cow;
use std::ops::Deref;

/// A place in the text of a script. Lines and columns count from 1; zero means unknown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Place {
    pub line: u64,
    pub column: u64,
    #[serde(skip)]
    pub offset: usize,
    #[serde(skip)]
    pub length: usize,
}

impl Place {
    /// The part of `text` to underline: the value itself where the parser knows its length, else the rest of the line.
    pub(crate) fn span(&self, text: &str) -> SourceSpan {
        let start = self.start(text).min(text.len());
        let line_end = text[start..].find('\n').map_or(text.len(), |end| start + end);
        let end = if self.length == 0 {
            line_end
        } else {
            (start + self.length).min(line_end)
        };
        let length = text[start..end.max(start)].trim_end().len();
        (start, length).into()
    }

    /// The scanner knows line and column, but no offset, of what is not even YAML.
    fn start(&self, text: &str) -> usize {
        if self.offset > 0 || self.line <= 1 {
            return self.offset;
        }
        let index = |number: u64| usize::try_from(number).unwrap_or_default().saturating_sub(1);
        let before: usize = text.split_inclusive('\n').take(index(self.line)).map(str::len).sum();
        let line = text[before..].lines().next().unwrap_or_default();
        before
            + line
                .char_indices()
                .nth(index(self.column))
                .map_or(line.len(), |(offset, _)| offset)
    }
}

impl From<serde_saphyr::Location> for Place {
    fn from(location: serde_saphyr::Location) -> Self {
        let span = location.span();
        let size = |bytes: Option<u64>| bytes.and_then(|bytes| usize::try_from(bytes).ok()).unwrap_or_default();
        Self {
            line: location.line(),
            column: location.column(),
            offset: size(span.byte_offset()),
            length: size(span.byte_len()),
        }
    }
}

/// A value and where it stands.
#[derive(Clone, Debug)]
pub struct Placed<T> {
    pub value: T,
    pub place: Place,
}

impl<T> Deref for Placed<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Placed<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Spanned { value, referenced, .. } = Spanned::deserialize(deserializer)?;
        Ok(Self {
            value,
            place: referenced.into(),
        })
    }
}

impl<T: JsonSchema> JsonSchema for Placed<T> {
    fn inline_schema() -> bool {
        T::inline_schema()
    }
    fn schema_name() -> Cow<'static, str> {
        T::schema_name()
    }
    fn schema_id() -> Cow<'static, str> {
        T::schema_id()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        T::json_schema(generator)
    }
}
