//! The three classic patch formats. Apply is in [`crate::apply`].

mod json_patch;
mod merge_patch;
mod strategic;

pub(crate) use json_patch::{JsonPatch, PatchFailure};
pub(crate) use merge_patch::merge_patch;
pub(crate) use strategic::strategic_merge;
