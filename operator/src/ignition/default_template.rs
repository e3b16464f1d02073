//! The template for those who bring none.

/// Contract section 8.3, default content.
pub const DEFAULT_TEMPLATE: &str = include_str!("default-template.yaml");
