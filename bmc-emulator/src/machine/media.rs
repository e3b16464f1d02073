//! Virtual media: images that the BMC shows to its machine as drives with removable media.

use super::Machine;
use super::boot::BootDevice;
use crate::personality::{MediaSlotStyle, Place};
use crate::quirk::Quirk;
use crate::secret::Secret;

/// A drive for a medium.
#[derive(Debug)]
pub(crate) struct MediaSlot {
    pub style: &'static MediaSlotStyle,
    pub medium: Option<Medium>,
    /// Where the medium before came from, for BMCs that go on showing it.
    pub last_image: Option<String>,
}

/// An image somewhere in the network. The machine reads it when it boots from it.
#[derive(Clone, Debug)]
pub(crate) struct Medium {
    pub image: String,
    pub user_name: Option<String>,
    pub password: Option<Secret>,
    pub write_protected: bool,
    pub transfer_protocol: &'static str,
}

impl MediaSlot {
    pub(crate) fn new(style: &'static MediaSlotStyle) -> Self {
        Self {
            style,
            medium: None,
            last_image: None,
        }
    }

    /// Takes the medium out. Whether there was one.
    pub(crate) fn eject(&mut self) -> bool {
        self.last_image = self.medium.take().map(|medium| medium.image).or(self.last_image.take());
        self.last_image.is_some()
    }
}

impl Machine {
    pub(crate) fn media_slot(&mut self, id: &str) -> Option<&mut MediaSlot> {
        self.media.iter_mut().find(|slot| slot.style.id == id)
    }

    /// Which resource has the collection.
    pub(crate) fn media_place(&self) -> Place {
        if self.has(Quirk::MediaAtManager) {
            Place::Manager
        } else {
            self.personality.media.place
        }
    }

    /// What could be booted from.
    pub(crate) fn inserted_media(&self) -> Vec<BootDevice> {
        let inserted = self.media.iter().filter(|slot| slot.medium.is_some());
        inserted
            .map(|slot| BootDevice::Media {
                slot: slot.style.id.to_owned(),
                optical: slot.style.is_optical(),
            })
            .collect()
    }
}
