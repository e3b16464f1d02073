//! Names of machines and of their Redfish resources, as types.

use std::fmt;

use serde::{Deserialize, Serialize};

pub use crds::SystemUuid;

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
    /// URI of an `EventDestination`.
    SubscriptionUri
);
resource_uri!(
    /// URI of a `Task` or of a task monitor.
    TaskUri
);
