//! Integration tests, over the in-memory router and over HTTPS.

mod apply;
mod collections;
mod common;
mod controller;
mod definitions;
mod front_ends;
mod https;
mod kubectl;
mod life_cycle;
mod objects;
mod restores;
mod watches;
