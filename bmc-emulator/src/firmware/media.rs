//! Boot from virtual media: the BMC reads the beginning of the image, as firmware does that looks for a boot loader.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header;

use super::network;
use crate::bmc::Bmc;
use crate::guest::BootSource;
use crate::machine::media::Medium;

/// Volume descriptors and boot catalogue of an ISO 9660 image lie within; the rest of it nothing could execute.
const BEGINNING: usize = 64 * 1024;

pub(super) async fn load(bmc: &Bmc, slot: &str) -> Result<BootSource, String> {
    let medium = bmc.with(|machine, _| machine.media_slot(slot).and_then(|slot| slot.medium.clone()));
    let medium = medium.ok_or("no medium")?;
    let mut beginning = network::send(bmc, request(&medium)?).await?;
    beginning.truncate(BEGINNING);
    Ok(BootSource::Media {
        slot: slot.to_owned(),
        image: medium.image,
        beginning: beginning.to_vec(),
    })
}

fn request(medium: &Medium) -> Result<http::Request<Bytes>, String> {
    if !medium.image.starts_with("http://") && !medium.image.starts_with("https://") {
        return Err(format!("{} cannot be read by this BMC", medium.image));
    }
    let mut request = http::Request::get(&medium.image).header(header::RANGE, format!("bytes=0-{}", BEGINNING - 1));
    if let (Some(user), Some(password)) = (&medium.user_name, &medium.password) {
        let credentials = STANDARD.encode(format!("{user}:{}", password.expose()));
        request = request.header(header::AUTHORIZATION, format!("Basic {credentials}"));
    }
    request
        .body(Bytes::new())
        .map_err(|error| format!("{:?} is not a URL: {error}", medium.image))
}
