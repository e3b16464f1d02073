//! Operations on one BMC.

use super::{Bios, BmcError, BootTarget, Drive, IndicatorLed, Inventory, Manager, ResetType, System, TaskReport};
use crate::identity::{DriveUri, ManagerUri, SystemUri, TaskUri};

/// A handle on one BMC of the pool. Cheap to clone.
#[derive(Clone)]
pub struct BmcClient {}

#[expect(clippy::unused_async, reason = "signature first")]
impl BmcClient {
    /// All managers, sorted by URI.
    ///
    /// # Errors
    /// [`BmcError`].
    pub async fn managers(&self) -> Result<Vec<Manager>, BmcError> {
        Err(BmcError::Unsupported {
            what: "Redfish".to_owned(),
        })
    }

    /// All systems, sorted by URI, also those that cannot be told what to boot.
    ///
    /// # Errors
    /// [`BmcError`].
    pub async fn systems(&self) -> Result<Vec<System>, BmcError> {
        Err(BmcError::Unsupported {
            what: "Redfish".to_owned(),
        })
    }

    /// One fresh read.
    ///
    /// # Errors
    /// [`BmcError`].
    pub async fn system(&self, _uri: &SystemUri) -> Result<System, BmcError> {
        Err(BmcError::Unsupported {
            what: "Redfish".to_owned(),
        })
    }

    /// Processors and storages.
    ///
    /// # Errors
    /// [`BmcError`].
    pub async fn inventory(&self, _uri: &SystemUri) -> Result<Inventory, BmcError> {
        Err(BmcError::Unsupported {
            what: "Redfish".to_owned(),
        })
    }

    /// Sends the reset once; never repeats it.
    ///
    /// # Errors
    /// [`BmcError`].
    pub async fn reset_system(&self, _uri: &SystemUri, _reset: ResetType) -> Result<(), BmcError> {
        Err(BmcError::Unsupported {
            what: "Redfish".to_owned(),
        })
    }

    /// Sets the one-time boot override unless it is already set; says whether it wrote.
    ///
    /// # Errors
    /// [`BmcError`].
    pub async fn set_one_time_boot(&self, _uri: &SystemUri, _target: BootTarget) -> Result<bool, BmcError> {
        Err(BmcError::Unsupported {
            what: "Redfish".to_owned(),
        })
    }

    /// Disables the boot override unless it is already; says whether it wrote.
    ///
    /// # Errors
    /// [`BmcError`].
    pub async fn clear_boot_override(&self, _uri: &SystemUri) -> Result<bool, BmcError> {
        Err(BmcError::Unsupported {
            what: "Redfish".to_owned(),
        })
    }

    /// Writes the boot order unless it is already so; says whether it wrote.
    ///
    /// # Errors
    /// [`BmcError`].
    pub async fn set_boot_order(&self, _uri: &SystemUri, _order: &[String]) -> Result<bool, BmcError> {
        Err(BmcError::Unsupported {
            what: "Redfish".to_owned(),
        })
    }

    /// Sets `IndicatorLED`.
    ///
    /// # Errors
    /// [`BmcError`].
    pub async fn set_indicator_led(&self, _uri: &SystemUri, _led: IndicatorLed) -> Result<(), BmcError> {
        Err(BmcError::Unsupported {
            what: "Redfish".to_owned(),
        })
    }

    /// Every drive of the system, sorted by URI. A drive that cannot be read is an error, never an omission.
    ///
    /// # Errors
    /// [`BmcError`].
    pub async fn drives(&self, _uri: &SystemUri) -> Result<Vec<Drive>, BmcError> {
        Err(BmcError::Unsupported {
            what: "Redfish".to_owned(),
        })
    }

    /// Starts `Drive.SecureErase` once; the task to follow, or `None` when the BMC finished synchronously.
    ///
    /// # Errors
    /// [`BmcError`].
    pub async fn secure_erase(&self, _drive: &DriveUri) -> Result<Option<TaskUri>, BmcError> {
        Err(BmcError::Unsupported {
            what: "Redfish".to_owned(),
        })
    }

    /// One look at a task.
    ///
    /// # Errors
    /// [`BmcError`].
    pub async fn task(&self, _task: &TaskUri) -> Result<TaskReport, BmcError> {
        Err(BmcError::Unsupported {
            what: "Redfish".to_owned(),
        })
    }

    /// BIOS attributes; `None` when the system has no `Bios` resource.
    ///
    /// # Errors
    /// [`BmcError`].
    pub async fn bios(&self, _uri: &SystemUri) -> Result<Option<Bios>, BmcError> {
        Err(BmcError::Unsupported {
            what: "Redfish".to_owned(),
        })
    }

    /// `Bios.ResetBios`, once.
    ///
    /// # Errors
    /// [`BmcError`].
    pub async fn reset_bios(&self, _uri: &SystemUri) -> Result<(), BmcError> {
        Err(BmcError::Unsupported {
            what: "Redfish".to_owned(),
        })
    }

    /// `Manager.Reset`, once.
    ///
    /// # Errors
    /// [`BmcError`].
    pub async fn reset_manager(&self, _uri: &ManagerUri, _reset: ResetType) -> Result<(), BmcError> {
        Err(BmcError::Unsupported {
            what: "Redfish".to_owned(),
        })
    }
}
