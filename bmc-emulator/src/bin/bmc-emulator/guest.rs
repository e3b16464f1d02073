//! The operating system of a stand-alone fleet. Booted over the network, it installs itself on the first drive,
//! together with the files its ignition asks for; booted from a drive, it just runs. It ends when the power goes.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bmc_emulator::{Boot, BootSource, DriveContent, GuestExit, GuestOs};
use futures::future::BoxFuture;
use serde_json::Value;

pub(crate) struct IdleGuest;

impl GuestOs for IdleGuest {
    fn boot(&self, boot: Boot) -> BoxFuture<'static, GuestExit> {
        Box::pin(async move {
            if let BootSource::Network {
                kernel_arguments,
                ignition,
                ..
            } = &boot.source
            {
                install(&boot, kernel_arguments, ignition.as_ref());
            }
            tracing::info!(machine = boot.machine.machine_name(), "guest running");
            std::future::pending().await
        })
    }
}

fn install(boot: &Boot, kernel_arguments: &str, ignition: Option<&Value>) {
    let Some(drive) = boot.machine.drives().into_iter().next() else {
        return;
    };
    let mut content = DriveContent::default().with(DriveContent::BOOT_IMAGE, kernel_arguments);
    let files = ignition.and_then(|ignition| ignition["storage"]["files"].as_array());
    for file in files.into_iter().flatten() {
        let (Some(path), Some(source)) = (file["path"].as_str(), file["contents"]["source"].as_str()) else {
            continue;
        };
        content = content.with(path, data_url(source).unwrap_or_else(|| source.as_bytes().to_vec()));
    }
    if let Err(error) = boot.machine.write(&drive.name, content) {
        tracing::warn!(machine = boot.machine.machine_name(), %error, "installation failed");
    }
}

/// The bytes of a `data:` URL (RFC 2397).
fn data_url(source: &str) -> Option<Vec<u8>> {
    let (media_type, data) = source.strip_prefix("data:")?.split_once(',')?;
    if media_type.ends_with(";base64") {
        STANDARD.decode(data).ok()
    } else {
        percent_decode(data)
    }
}

fn percent_decode(text: &str) -> Option<Vec<u8>> {
    let mut bytes = text.bytes();
    let mut result = Vec::with_capacity(text.len());
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            result.push(byte);
            continue;
        }
        let digit = |byte: Option<u8>| char::from(byte?).to_digit(16);
        let (high, low) = (digit(bytes.next())?, digit(bytes.next())?);
        result.push(u8::try_from(high * 16 + low).ok()?);
    }
    Some(result)
}

#[cfg(test)]
mod tests {
    use super::data_url;

    #[test]
    fn data_urls() {
        assert_eq!(data_url("data:,node%2D1%0A"), Some(b"node-1\n".to_vec()));
        assert_eq!(data_url("data:text/plain;base64,aGVsbG8="), Some(b"hello".to_vec()));
        assert_eq!(data_url("data:,%zz"), None);
        assert_eq!(data_url("https://example.com/file"), None);
    }
}
