//! Processors, storage, drives and volumes, in the terms of `Server.status`.

use std::sync::Arc;

use nv_redfish::quirks::CompatBmc;
use nv_redfish::schema::drive::Drive as SchemaDrive;
use nv_redfish::schema::processor::Processor as SchemaProcessor;
use nv_redfish::schema::volume::Volume as SchemaVolume;
use serde_json::Value;

use super::call::Call;
use super::document::{flat, link, member_or_nothing, members, read, text, typed};
use super::erase::{drive_links, storages};
use super::systems::non_empty;
use crate::bmc::{BmcClient, BmcError, Inventory, Processor, Storage, StorageDrive, Volume};
use crate::identity::SystemUri;

fn small(value: Option<Option<i64>>) -> Option<i32> {
    flat(value).and_then(|value| i32::try_from(value).ok())
}

fn name(document: &Value) -> String {
    text(document, "Name")
        .or_else(|| text(document, "Id"))
        .unwrap_or_default()
}

fn state(document: &Value) -> Option<String> {
    text(document.get("Status")?, "State")
}

fn processor(raw: &Value) -> Result<Processor, BmcError> {
    let processor: SchemaProcessor = typed(raw)?;
    Ok(Processor {
        id: processor.id.clone(),
        processor_type: text(raw, "ProcessorType"),
        architecture: text(raw, "ProcessorArchitecture"),
        instruction_set: text(raw, "InstructionSet"),
        manufacturer: non_empty(flat(processor.manufacturer)),
        model: non_empty(flat(processor.model)),
        max_speed_mhz: small(processor.max_speed_mhz),
        total_cores: small(processor.total_cores),
        total_threads: small(processor.total_threads),
    })
}

fn volume(raw: &Value) -> Result<Volume, BmcError> {
    let volume: SchemaVolume = typed(raw)?;
    Ok(Volume {
        name: name(raw),
        capacity_bytes: flat(volume.capacity_bytes),
        state: state(raw),
        raid_type: text(raw, "RAIDType"),
        volume_usage: text(raw, "VolumeUsage"),
    })
}

fn storage_drive(raw: &Value) -> Result<StorageDrive, BmcError> {
    let drive: SchemaDrive = typed(raw)?;
    Ok(StorageDrive {
        name: name(raw),
        media_type: text(raw, "MediaType"),
        drive_type: text(raw, "DriveFormFactor"),
        capacity_bytes: flat(drive.capacity_bytes),
        vendor: non_empty(flat(drive.manufacturer)),
        model: non_empty(flat(drive.model)),
        state: state(raw),
    })
}

async fn storage(call: &Arc<Call>, bmc: &CompatBmc<Call>, raw: &Value) -> Result<Storage, BmcError> {
    let mut drives = Vec::new();
    for uri in drive_links(raw)? {
        if let Some(document) = member_or_nothing(read(bmc, &uri).await, &uri, false)? {
            drives.push(storage_drive(&document)?);
        }
    }
    let volumes = match link(raw, "Volumes") {
        Some(uri) => match members(call, bmc, &uri, false).await {
            Ok(volumes) => volumes.iter().map(volume).collect::<Result<_, _>>()?,
            // HBAs advertise a collection that they do not serve.
            Err(error) => member_or_nothing(Err(error), &uri, false).map(|_| Vec::new())?,
        },
        None => Vec::new(),
    };
    Ok(Storage {
        name: name(raw),
        state: state(raw),
        volumes,
        drives,
    })
}

/// Devices of a `SimpleStorage`, as untyped JSON: `nv-redfish` does not compile that schema.
fn simple_storage(raw: &Value) -> Storage {
    let devices = raw["Devices"].as_array().map(Vec::as_slice).unwrap_or_default();
    let drives = devices.iter().map(|device| StorageDrive {
        name: name(device),
        capacity_bytes: device["CapacityBytes"].as_i64(),
        vendor: text(device, "Manufacturer"),
        model: text(device, "Model"),
        state: state(device),
        ..StorageDrive::default()
    });
    Storage {
        name: name(raw),
        state: state(raw),
        volumes: Vec::new(),
        drives: drives.collect(),
    }
}

impl BmcClient {
    /// Processors and storage. A single resource that the BMC cannot serve is left out with a warning; a BMC that fails as a
    /// whole is an error.
    ///
    /// # Errors
    /// [`BmcError`].
    pub async fn inventory(&self, uri: &SystemUri) -> Result<Inventory, BmcError> {
        self.measured("inventory", self.reading(), async |call| {
            let bmc = call.compat().await?;
            let system = read(&bmc, uri.as_str()).await?;
            let mut processors = Vec::new();
            if let Some(uri) = link(&system, "Processors") {
                for document in members(call, &bmc, &uri, false).await? {
                    processors.push(processor(&document)?);
                }
            }
            let mut inventory = Inventory {
                processors,
                storages: Vec::new(),
            };
            for document in storages(call, &bmc, &system, false).await? {
                inventory.storages.push(storage(call, &bmc, &document).await?);
            }
            if inventory.storages.is_empty()
                && let Some(uri) = link(&system, "SimpleStorage")
            {
                let documents = members(call, &bmc, &uri, false).await?;
                inventory.storages.extend(documents.iter().map(simple_storage));
            }
            inventory.processors.sort_by(|a, b| a.id.cmp(&b.id));
            inventory.storages.sort_by(|a, b| a.name.cmp(&b.name));
            Ok(inventory)
        })
        .await
    }
}
