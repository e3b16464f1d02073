//! A real Linux host.
