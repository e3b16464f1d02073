//! `bmc-emulator quirks`: a table of what fleet files can switch on and off.

use bmc_emulator::{PersonalityName, Quirk};

pub(crate) fn print() -> anyhow::Result<()> {
    for quirk in Quirk::ALL {
        let vendors: Vec<String> = PersonalityName::ALL
            .iter()
            .filter(|personality| personality.quirks().contains(quirk))
            .map(ToString::to_string)
            .collect();
        let vendors = if vendors.is_empty() {
            "no personality".to_owned()
        } else {
            vendors.join(", ")
        };
        println!(
            "{quirk}\n    {}\n    By default: {vendors}. Source: {}",
            quirk.description(),
            quirk.source()
        );
    }
    Ok(())
}
