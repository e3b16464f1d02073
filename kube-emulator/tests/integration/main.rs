//! Integration tests, over the in-memory router and over HTTPS.

mod common;
mod controller;
