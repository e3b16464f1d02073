//! Label and field selectors.

mod field;
mod label;

pub(crate) use field::{FieldSelector, lookup};
pub(crate) use label::LabelSelector;
