//! Lease files of DHCP servers. Each has a format of its own; what they have in common is who has which address until when.

mod dnsmasq;
mod isc;
mod kea;

use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;

use futures::future::BoxFuture;
use jiff::Timestamp;

use super::{Sighting, Source};
use crate::edges::Clock;

/// Whose lease file it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    Dnsmasq,
    Kea,
    Isc,
}

/// A lease file, as `--endpoint-discovery-leases` names it: `kea:/var/lib/kea/kea-leases4.csv`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeaseFile {
    pub format: Format,
    pub path: PathBuf,
}

impl FromStr for LeaseFile {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let read = || {
            let (format, path) = text.split_once(':')?;
            let format = match format {
                "dnsmasq" => Format::Dnsmasq,
                "kea" => Format::Kea,
                "isc" => Format::Isc,
                _ => return None,
            };
            (!path.is_empty()).then(|| Self {
                format,
                path: path.into(),
            })
        };
        read().ok_or_else(|| "write the DHCP server (dnsmasq, kea or isc), a colon, and its lease file".to_owned())
    }
}

/// Reads a file.
pub type ReadFile = Arc<dyn Fn(&Path) -> std::io::Result<String> + Send + Sync>;

/// A lease file that is read again for every look: DHCP servers replace theirs now and then.
pub struct Leases {
    pub file: LeaseFile,
    pub clock: Clock,
    pub read: ReadFile,
}

impl Source for Leases {
    fn name(&self) -> String {
        self.file.path.display().to_string()
    }

    fn look(&self) -> BoxFuture<'_, Result<Vec<Sighting>, String>> {
        Box::pin(async move {
            let text = (self.read)(&self.file.path).map_err(|error| format!("cannot read the lease file: {error}"))?;
            parse(self.file.format, &text, (self.clock)())
        })
    }
}

/// The leases that are in force.
fn parse(format: Format, text: &str, now: Timestamp) -> Result<Vec<Sighting>, String> {
    match format {
        Format::Dnsmasq => dnsmasq::parse(text, now),
        Format::Kea => kea::parse(text, now),
        Format::Isc => isc::parse(text, now),
    }
}

/// What is wrong with a line.
fn wrong(number: usize, what: &str) -> String {
    format!("line {}: {what}", number + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lease_file_is_named_with_its_format() {
        let file: LeaseFile = "kea:/var/lib/kea/leases.csv".parse().expect("a lease file");
        assert_eq!(
            (file.format, file.path),
            (Format::Kea, PathBuf::from("/var/lib/kea/leases.csv"))
        );
        for wrong in ["/var/lib/leases", "windows:/x", "isc:"] {
            assert!(wrong.parse::<LeaseFile>().is_err(), "{wrong}");
        }
    }

    #[tokio::test]
    async fn a_file_that_is_not_there_is_said_to_be() {
        let leases = Leases {
            file: "dnsmasq:/nowhere".parse().expect("a lease file"),
            clock: Arc::new(|| Timestamp::UNIX_EPOCH),
            read: Arc::new(|_| Err(std::io::ErrorKind::NotFound.into())),
        };
        let error = leases.look().await.expect_err("not there");
        assert!(error.starts_with("cannot read the lease file"), "{error}");
        assert_eq!(leases.name(), "/nowhere");
    }
}
