//! Every resource must be what its schema says, as a strict typed client reads it.

use nv_redfish::schema;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::conformance::{FLEET, personalities, populate, walk};
use crate::support::Run;

fn decode<T: DeserializeOwned>(document: &Value) -> Result<(), String> {
    serde_json::from_value::<T>(document.clone())
        .map(|_| ())
        .map_err(|error| error.to_string())
}

/// Nothing for types the client has no model of.
fn check(document: &Value) -> Option<Result<(), String>> {
    let odata_type = document["@odata.type"].as_str()?;
    Some(match odata_type.rsplit('.').next()? {
        "ServiceRoot" => decode::<schema::service_root::ServiceRoot>(document),
        "ComputerSystemCollection" => decode::<schema::computer_system_collection::ComputerSystemCollection>(document),
        "ComputerSystem" => decode::<schema::computer_system::ComputerSystem>(document),
        "ProcessorCollection" => decode::<schema::processor_collection::ProcessorCollection>(document),
        "Processor" => decode::<schema::processor::Processor>(document),
        "MemoryCollection" => decode::<schema::memory_collection::MemoryCollection>(document),
        "Memory" => decode::<schema::memory::Memory>(document),
        "EthernetInterfaceCollection" => {
            decode::<schema::ethernet_interface_collection::EthernetInterfaceCollection>(document)
        }
        "EthernetInterface" => decode::<schema::ethernet_interface::EthernetInterface>(document),
        "StorageCollection" => decode::<schema::storage_collection::StorageCollection>(document),
        "Storage" => decode::<schema::storage::Storage>(document),
        "Drive" => decode::<schema::drive::Drive>(document),
        "Bios" => decode::<schema::bios::Bios>(document),
        "BootOptionCollection" => decode::<schema::boot_option_collection::BootOptionCollection>(document),
        "BootOption" => decode::<schema::boot_option::BootOption>(document),
        "ManagerCollection" => decode::<schema::manager_collection::ManagerCollection>(document),
        "Manager" => decode::<schema::manager::Manager>(document),
        "ChassisCollection" => decode::<schema::chassis_collection::ChassisCollection>(document),
        "Chassis" => decode::<schema::chassis::Chassis>(document),
        "TaskService" => decode::<schema::task_service::TaskService>(document),
        "TaskCollection" => decode::<schema::task_collection::TaskCollection>(document),
        "Task" => decode::<schema::task::Task>(document),
        "SessionService" => decode::<schema::session_service::SessionService>(document),
        "SessionCollection" => decode::<schema::session_collection::SessionCollection>(document),
        "Session" => decode::<schema::session::Session>(document),
        "AccountService" => decode::<schema::account_service::AccountService>(document),
        "ManagerAccountCollection" => decode::<schema::manager_account_collection::ManagerAccountCollection>(document),
        "ManagerAccount" => decode::<schema::manager_account::ManagerAccount>(document),
        "EventService" => decode::<schema::event_service::EventService>(document),
        "EventDestination" => decode::<schema::event_destination::EventDestination>(document),
        _ => return None,
    })
}

#[tokio::test(start_paused = true)]
async fn every_resource_decodes() {
    // A required property that iLOs leave out.
    let fleet = FLEET.replace(
        "personality: hpe",
        "personality: hpe, withoutQuirks: [no-account-types]",
    );
    for name in personalities() {
        let run = Run::new(&fleet);
        let client = run.client(&name);
        populate(&client).await;
        let outcomes: Vec<(String, Result<(), String>)> = walk(&client)
            .await
            .into_iter()
            .filter_map(|(path, document)| Some((path, check(&document)?)))
            .collect();
        assert!(outcomes.len() > 30, "only {} resources were checked", outcomes.len());
        let wrong: Vec<_> = outcomes.into_iter().filter(|(_, outcome)| outcome.is_err()).collect();
        assert!(wrong.is_empty(), "{name}: {wrong:#?}");
    }
}
