//! A firmware update on its way: the image is fetched or comes with the request, is checked and written.
//!
//! An image is known by its name, `<component>-<version>.<extension>`, for example `BIOS-2.4.1.bin`: nothing could execute
//! what is in it. The component is an `Id` of the firmware inventory, in any case, or `bios` or `bmc`. An image that is empty
//! or begins with `corrupt` is not what its vendor has signed, and is found out when it is checked.

use tokio::time::sleep;

use crate::bmc::Bmc;
use crate::firmware::network;
use crate::machine::installed_firmware::Component;
use crate::personality::Personality;
use crate::secret::Secret;

/// An accepted update, carried out by `Fleet::run`.
#[derive(Debug)]
pub(crate) struct UpdateJob {
    pub task: String,
    pub order: UpdateOrder,
}

/// What a request asks for.
#[derive(Debug)]
pub(crate) struct UpdateOrder {
    pub image: Image,
    /// What the image has to be for, if the request said so.
    pub target: Option<Component>,
}

#[derive(Debug)]
pub(crate) enum Image {
    /// At an absolute URI.
    At {
        uri: String,
        credentials: Option<(String, Secret)>,
    },
    Pushed {
        name: String,
        /// How it begins.
        content: Vec<u8>,
    },
}

impl Image {
    /// As much of an image as is looked at.
    pub(crate) const BEGINNING: usize = 16;

    fn name(&self) -> &str {
        match self {
            Image::At { uri, .. } => uri,
            Image::Pushed { name, .. } => name,
        }
    }
}

pub(crate) async fn run(bmc: Bmc, job: UpdateJob) {
    match check(&bmc, &job.order).await {
        Ok((component, version)) => {
            let writing = bmc.with(|machine, _| machine.timing.firmware_update);
            sleep(writing).await;
            bmc.with(|machine, moment| machine.firmware_written(&job.task, component, version, moment));
        }
        Err(reason) => bmc.with(|machine, moment| machine.finish_task(&job.task, Err(reason), moment)),
    }
}

async fn check(bmc: &Bmc, order: &UpdateOrder) -> Result<(Component, String), String> {
    let name = order.image.name();
    let content = match &order.image {
        Image::Pushed { content, .. } => content.clone(),
        Image::At { uri, credentials } => {
            let credentials = credentials.as_ref().map(|(user, password)| (user.as_str(), password));
            network::send(bmc, network::get(uri, credentials)?).await?.to_vec()
        }
    };
    let personality = bmc.with(|machine, _| machine.personality);
    let (component, version) =
        describe(name, personality).ok_or_else(|| format!("{name} is no firmware for this machine"))?;
    if content.is_empty() || content.starts_with(b"corrupt") {
        return Err(format!("{name} is damaged: its signature does not fit"));
    }
    if order.target.is_some_and(|target| target != component) {
        return Err(format!("{name} is not for the target of the update"));
    }
    Ok((component, version))
}

/// What an image is, by its name.
fn describe(image: &str, personality: &Personality) -> Option<(Component, String)> {
    let name = image.rsplit('/').next()?;
    let (stem, _) = name.rsplit_once('.')?;
    let (prefix, version) = stem.rsplit_once('-').filter(|(_, version)| !version.is_empty())?;
    let is_named = |component: &Component| {
        let common = match component {
            Component::Bios => "bios",
            Component::Bmc => "bmc",
        };
        [common, component.id(personality)]
            .iter()
            .any(|name| name.eq_ignore_ascii_case(prefix))
    };
    let component = Component::ALL.into_iter().find(is_named)?;
    Some((component, version.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::personality::PersonalityName;

    #[test]
    fn images_are_known_by_their_names() {
        let lenovo = PersonalityName::Lenovo.personality();
        let table = [
            ("http://images.example/bios-2.4.1.bin", Some((Component::Bios, "2.4.1"))),
            (
                "http://images.example/BMC-Primary-5.20.uxz",
                Some((Component::Bmc, "5.20")),
            ),
            (
                "http://images.example/uefi-AFE136A.uxz",
                Some((Component::Bios, "AFE136A")),
            ),
            ("http://images.example/nic-1.0.bin", None),
            ("http://images.example/bios-.bin", None),
            ("http://images.example/bios", None),
        ];
        for (image, expected) in table {
            let expected = expected.map(|(component, version)| (component, version.to_owned()));
            assert_eq!(describe(image, lenovo), expected, "{image}");
        }
    }
}
