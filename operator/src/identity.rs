//! Names of machines and of their Redfish resources, as types.

use std::fmt;

use serde::{Deserialize, Serialize};

/// SMBIOS/Redfish system UUID. Compared without case: Redfish, SMBIOS and iPXE spell it differently (bugs.md #77).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub struct SystemUuid(String);

impl SystemUuid {
    /// The UUID in lower case, without surrounding blanks.
    pub fn new(text: &str) -> Self {
        Self(text.trim().to_ascii_lowercase())
    }

    /// The normalised text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// A system that reports no UUID must not match anything.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl From<String> for SystemUuid {
    fn from(text: String) -> Self {
        Self::new(&text)
    }
}

impl From<&str> for SystemUuid {
    fn from(text: &str) -> Self {
        Self::new(text)
    }
}

impl From<SystemUuid> for String {
    fn from(uuid: SystemUuid) -> Self {
        uuid.0
    }
}

impl fmt::Display for SystemUuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for SystemUuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

macro_rules! resource_uri {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// Takes an `@odata.id` as the BMC wrote it.
            pub fn new(uri: impl Into<String>) -> Self {
                Self(uri.into())
            }

            /// The `@odata.id`.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

resource_uri!(
    /// `@odata.id` of a `ComputerSystem`.
    SystemUri
);
resource_uri!(
    /// `@odata.id` of a `Manager`.
    ManagerUri
);
resource_uri!(
    /// `@odata.id` of a `Drive`.
    DriveUri
);
resource_uri!(
    /// URI of a `Task` or of a task monitor.
    TaskUri
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn system_uuids_match_without_case() {
        assert_eq!(
            SystemUuid::new(" 38947555-7742-3448-3784-823347823834"),
            SystemUuid::new("38947555-7742-3448-3784-823347823834")
        );
        assert_eq!(SystemUuid::new("ABCD"), SystemUuid::from("abcd"));
        assert!(SystemUuid::new(" ").is_empty());
    }
}
