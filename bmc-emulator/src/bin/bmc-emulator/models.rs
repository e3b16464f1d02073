//! `bmc-emulator models`: the hardware that fleet files can ask for by name.

use bmc_emulator::ServerModel;

pub(crate) fn print() -> anyhow::Result<()> {
    for (id, model) in ServerModel::all() {
        println!(
            "{id}\n    {} {}: {}\n    personality {}",
            model.manufacturer, model.model, model.description, model.personality
        );
    }
    Ok(())
}
