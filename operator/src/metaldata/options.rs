//! Flags of `metaldata`. Names and defaults are those of the Go program; addresses without a host mean loopback.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use clap::Parser;

use super::fields::RESERVED;
use crate::options::{ConfigError, bind_address, normalise};

/// Tells machines about themselves.
#[derive(Clone, Debug, Parser)]
#[command(name = "metaldata", version, max_term_width = 120)]
pub struct MetaldataOptions {
    /// Port of the metadata service.
    #[arg(long, default_value_t = 10002)]
    pub metaldata_port: u16,

    /// Address on which machines reach it; not a proxy's, because a machine is known by the address that it asks from.
    #[arg(long, default_value = "127.0.0.1", value_name = "ADDRESS")]
    pub bind_address: IpAddr,

    /// Where `/healthz` and `/readyz` are.
    #[arg(long, default_value = ":8081", value_name = "ADDRESS")]
    pub health_probe_bind_address: String,

    /// Where `/metrics` is; `0` turns it off.
    #[arg(long, default_value = ":8080", value_name = "ADDRESS")]
    pub metrics_bind_address: String,

    /// Said to every machine. May be given more than once.
    #[arg(long, value_name = "KEY=VALUE", value_parser = fixed)]
    pub static_metadata: Vec<(String, String)>,

    /// Default: that of the pod, else the usual one.
    #[arg(long, env = "KUBECONFIG", value_name = "FILE")]
    pub kubeconfig: Option<PathBuf>,
}

impl MetaldataOptions {
    /// # Errors
    /// What clap says about the arguments.
    pub fn from_arguments(arguments: impl Iterator<Item = OsString>) -> Result<Self, clap::Error> {
        let name = std::iter::once(OsString::from("metaldata"));
        Self::try_parse_from(name.chain(normalise(arguments)))
    }

    /// # Errors
    /// No address.
    pub fn health_address(&self) -> Result<Option<SocketAddr>, ConfigError> {
        bind_address("health-probe-bind-address", &self.health_probe_bind_address)
    }

    /// # Errors
    /// No address.
    pub fn metrics_address(&self) -> Result<Option<SocketAddr>, ConfigError> {
        bind_address("metrics-bind-address", &self.metrics_bind_address)
    }

    pub fn fixed(&self) -> BTreeMap<String, String> {
        self.static_metadata.iter().cloned().collect()
    }
}

fn fixed(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("expected KEY=VALUE")?;
    if key.is_empty() {
        return Err("expected KEY=VALUE".to_owned());
    }
    if RESERVED.contains(&key) {
        return Err(format!("{key} is what the service says itself"));
    }
    Ok((key.to_owned(), value.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(arguments: &[&str]) -> Result<MetaldataOptions, clap::Error> {
        MetaldataOptions::from_arguments(arguments.iter().map(OsString::from))
    }

    #[test]
    fn flags() {
        let options = parsed(&["-static-metadata", "region=north", "--static-metadata=zone=a=b"]).unwrap();
        let expected = [("region", "north"), ("zone", "a=b")].map(|(key, value)| (key.into(), value.into()));
        assert_eq!(options.fixed(), expected.into());
        assert_eq!(options.metaldata_port, 10002);
        for wrong in ["server-name=x", "user-data=x", "novalue", "=x"] {
            assert!(parsed(&["--static-metadata", wrong]).is_err(), "{wrong}");
        }
    }
}
