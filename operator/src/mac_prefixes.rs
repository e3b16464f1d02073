//! Database of BMC vendors by MAC prefix: contract section 8.2. Prefixes match without case and separators, and the longest
//! one wins; the Go operator applied every match, last one last (W20).

use std::path::Path;

use serde::{Deserialize, Deserializer};
use zeroize::Zeroizing;

use crate::bmc::Credentials;
use crate::options::ConfigError;

/// The database.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MacPrefixes {
    #[serde(default)]
    mac_prefixes: Vec<MacPrefix>,
}

/// One vendor's devices.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MacPrefix {
    /// The prefix, normalised.
    #[serde(deserialize_with = "normalised")]
    pub mac_prefix: String,
    /// Vendor name, for information.
    #[serde(default)]
    pub manufacturer: String,
    /// `spec.protocol.name` of the BMC.
    pub protocol: String,
    /// `spec.protocol.scheme` of the BMC.
    #[serde(default)]
    pub protocol_scheme: Option<String>,
    /// `spec.protocol.port` of the BMC.
    pub port: u16,
    /// `bmc`; anything else is not a BMC.
    #[serde(rename = "type")]
    pub kind: String,
    /// Accounts that factory-new devices have; the first is used.
    #[serde(default)]
    pub default_credentials: Vec<DefaultCredentials>,
    /// `spec.consoleProtocol` of the BMC.
    #[serde(default)]
    pub console: Option<Console>,
}

/// A factory account.
#[derive(Clone, Deserialize)]
pub struct DefaultCredentials {
    username: String,
    #[serde(deserialize_with = "secret")]
    password: Zeroizing<String>,
}

impl DefaultCredentials {
    /// As credentials.
    pub fn credentials(&self) -> Credentials {
        Credentials {
            username: self.username.clone(),
            password: self.password.clone(),
        }
    }
}

impl std::fmt::Debug for DefaultCredentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("DefaultCredentials([REDACTED])")
    }
}

/// How the serial console is reached.
#[derive(Clone, Debug, Deserialize)]
pub struct Console {
    /// `IPMI`, `SSH` or `SSHLenovo`.
    #[serde(rename = "type")]
    pub kind: String,
    /// TCP or UDP port.
    pub port: u16,
}

impl MacPrefixes {
    /// Loads the file of `--mac-prefixes-file`; an empty path is an empty database.
    ///
    /// # Errors
    /// The file cannot be read or is not valid.
    pub fn load(path: &str) -> Result<Self, ConfigError> {
        if path.is_empty() {
            return Ok(Self::default());
        }
        let invalid = |message: String| ConfigError::File {
            flag: "mac-prefixes-file",
            path: path.to_owned(),
            message,
        };
        let text = std::fs::read_to_string(Path::new(path)).map_err(|error| invalid(error.to_string()))?;
        Self::parse(&text).map_err(invalid)
    }

    /// Parses the YAML text.
    ///
    /// # Errors
    /// What is wrong, with the line. The message never quotes a value: there are passwords among them.
    pub fn parse(yaml: &str) -> Result<Self, String> {
        serde_saphyr::from_str(yaml).map_err(|error| match error.location() {
            Some(location) => format!("line {}: not a MAC prefix database", location.line()),
            None => "not a MAC prefix database".to_owned(),
        })
    }

    /// The BMC entry with the longest prefix of `mac_address`.
    pub fn find(&self, mac_address: &str) -> Option<&MacPrefix> {
        let mac_address = normalise(mac_address);
        self.mac_prefixes
            .iter()
            .filter(|entry| {
                entry.kind == "bmc" && !entry.mac_prefix.is_empty() && mac_address.starts_with(&entry.mac_prefix)
            })
            .max_by_key(|entry| entry.mac_prefix.len())
    }
}

/// Lower case without `:`, `-` and `.`.
pub fn normalise(mac_address: &str) -> String {
    mac_address
        .chars()
        .filter(|character| !matches!(character, ':' | '-' | '.'))
        .map(|character| character.to_ascii_lowercase())
        .collect()
}

fn secret<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Zeroizing<String>, D::Error> {
    String::deserialize(deserializer).map(Zeroizing::new)
}

/// A prefix of digits only is a number to YAML.
fn normalised<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Text {
        Text(String),
        Number(u64),
    }
    Ok(match Text::deserialize(deserializer)? {
        Text::Text(text) => normalise(&text),
        Text::Number(number) => number.to_string(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const DATABASE: &str = r#"
macPrefixes:
  - macPrefix: "AA:BB"
    manufacturer: Wide
    protocol: Redfish
    port: 443
    type: bmc
    defaultCredentials:
      - username: root
        password: canary
  - macPrefix: aabbcc
    manufacturer: Narrow
    protocol: RedfishLocal
    protocolScheme: http
    port: 8000
    type: bmc
    console:
      type: SSH
      port: 22
  - macPrefix: 230
    protocol: Redfish
    port: 443
    type: bmc
  - macPrefix: ddeeff
    protocol: Redfish
    port: 443
    type: switch
"#;

    #[test]
    fn the_longest_prefix_wins_in_any_spelling() {
        let database = MacPrefixes::parse(DATABASE).expect("database");
        let manufacturer = |mac: &str| database.find(mac).map(|entry| entry.manufacturer.as_str());
        assert_eq!(manufacturer("AA-BB-CC-00-00-01"), Some("Narrow"));
        assert_eq!(manufacturer("aa:bb:cd:00:00:01"), Some("Wide"));
        assert_eq!(manufacturer("23:01:02:03:04:05"), Some(""));
        assert_eq!(manufacturer("dd:ee:ff:00:00:01"), None);
        assert_eq!(manufacturer(""), None);
        let wide = database.find("aabbcd000001").expect("entry");
        assert_eq!(wide.default_credentials[0].credentials().username, "root");
        assert!(!format!("{database:?}").contains("canary"));
    }

    #[test]
    fn errors_name_the_line_and_no_value() {
        let error = MacPrefixes::parse("macPrefixes:\n  - macPrefix: aa\n    port: canary\n").expect_err("not a port");
        assert!(error.starts_with("line ") && !error.contains("canary"), "{error}");
        assert!(MacPrefixes::load("/nonexistent").is_err());
        assert!(MacPrefixes::load("").is_ok());
    }
}
