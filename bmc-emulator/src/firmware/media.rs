//! Boot from virtual media: the BMC reads the beginning of the image, as firmware does that looks for a boot loader.

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
    let credentials = medium.user_name.as_deref().zip(medium.password.as_ref());
    let mut request = network::get(&medium.image, credentials)?;
    let range = http::HeaderValue::from_static("bytes=0-65535");
    request.headers_mut().insert(header::RANGE, range);
    Ok(request)
}
