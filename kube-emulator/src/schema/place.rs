//! Where a walk through a document is. It becomes text only when there is something to say: almost never.

use std::fmt;

/// A place in a document.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Place<'a> {
    Root,
    /// A root with a name: the Go type of a typed decode.
    Named(&'a str),
    Field(&'a Place<'a>, &'a str),
    /// The value of a map.
    Key(&'a Place<'a>, &'a str),
    Item(&'a Place<'a>, usize),
}

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Root => Ok(()),
            Place::Named(name) | Place::Field(Place::Root, name) => f.write_str(name),
            Place::Field(parent, name) => write!(f, "{parent}.{name}"),
            Place::Key(parent, name) => write!(f, "{parent}[{name}]"),
            Place::Item(parent, index) => write!(f, "{parent}[{index}]"),
        }
    }
}

/// Field errors name their place.
impl From<&Place<'_>> for String {
    fn from(place: &Place<'_>) -> Self {
        place.to_string()
    }
}

impl From<Place<'_>> for String {
    fn from(place: Place<'_>) -> Self {
        place.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::Place::{Field, Item, Key, Named, Root};

    #[test]
    fn places_as_the_server_writes_them() {
        let spec = Field(&Root, "spec");
        let list = Field(&spec, "list");
        assert_eq!(Field(&Item(&list, 2), "a").to_string(), "spec.list[2].a");
        assert_eq!(Key(&spec, "k").to_string(), "spec[k]");
        assert_eq!(Field(&Named("ObjectMeta"), "labels").to_string(), "ObjectMeta.labels");
        assert_eq!(Root.to_string(), "");
    }
}
