//! `UpdateService`: firmware updates, and what is staged (contract section 9.7).

use std::sync::Arc;

use bytes::Bytes;
use http::{Method, StatusCode, header};
use serde_json::{Map, Value, json};
use zeroize::Zeroizing;

use super::answer::{Answer, local_path};
use super::call::{Call, Outgoing};
use super::document::{link, members, read, text};
use super::task::report;
use super::vendor::Vendor;
use crate::bmc::{BmcClient, BmcError, Component, TaskState, UpdateRequest};
use crate::identity::TaskUri;

impl UpdateRequest {
    /// The parameters of `SimpleUpdate`. Credentials under their own names (W24).
    fn body(&self, vendor: Vendor) -> Value {
        let mut body = Map::new();
        body.insert("ImageURI".to_owned(), json!(self.image_uri));
        if let Some(protocol) = &self.transfer_protocol {
            body.insert("TransferProtocol".to_owned(), json!(protocol));
        }
        if let Some(credentials) = &self.credentials {
            body.insert("Username".to_owned(), json!(credentials.username));
            body.insert("Password".to_owned(), json!(credentials.password.as_str()));
        }
        if self.force {
            body.insert("ForceUpdate".to_owned(), json!(true));
        }
        if vendor == Vendor::Dell {
            body.insert("@Redfish.OperationApplyTime".to_owned(), json!("Immediate"));
        }
        Value::Object(body)
    }
}

/// The task of an update that was accepted. The task itself before its monitor, which is gone when it has ended.
fn task_of(answer: &Answer) -> Option<TaskUri> {
    let body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    let is_task = |uri: &str| uri.contains("/Tasks/") || uri.contains("/Jobs/");
    let own = text(&body, "@odata.id").filter(|uri| is_task(uri) || body.get("TaskState").is_some());
    let location = answer.header(&header::LOCATION).map(str::to_owned);
    own.or(location)
        .or_else(|| text(&body, "TaskMonitor"))
        .or_else(|| text(&body["Task"], "@odata.id"))
        .map(|uri| TaskUri::new(local_path(&uri)))
}

/// Whether an entry of the firmware inventory says that an update of the component waits (contract section 9.7).
fn is_staged(vendor: Vendor, component: Component, entry: &Value) -> bool {
    let (id, name) = (
        text(entry, "Id").unwrap_or_default(),
        text(entry, "Name").unwrap_or_default(),
    );
    match (vendor, component) {
        (Vendor::Dell, Component::Bmc) => id.contains("iDRAC") && id.contains("Staged"),
        (Vendor::Dell, Component::Bios) => id.contains("BIOS") && id.contains("Staged"),
        (Vendor::Hpe, Component::Bmc) => name.contains("iLO") && name.contains("Staged"),
        (Vendor::Hpe, Component::Bios) => name.contains("System ROM") && name.contains("Staged"),
        (Vendor::Lenovo, Component::Bmc) => id.contains("Firmware:BMC") && id.contains("-Pending"),
        (Vendor::Lenovo, Component::Bios) => {
            (id.contains("Firmware:UEFI") || id.contains("BIOS")) && id.contains("-Pending")
        }
        (Vendor::Other, _) => false,
    }
}

/// Lenovo always lists the pending slots; one that holds what the machine runs, or nothing, waits for nothing.
fn waits(vendor: Vendor, entry: &Value, running: &[String]) -> bool {
    let version = text(entry, "Version").filter(|version| !version.is_empty());
    vendor != Vendor::Lenovo || version.is_some_and(|version| !running.contains(&version))
}

async fn service(call: &Arc<Call>) -> Result<Value, BmcError> {
    let root = call.connected_root().await?;
    let uri = link(&root.document, "UpdateService").ok_or_else(|| BmcError::Unsupported {
        what: "UpdateService".to_owned(),
    })?;
    read(&call.compat().await?, &uri).await
}

impl BmcClient {
    /// `UpdateService.SimpleUpdate`, once. The task to follow, unless the BMC accepts and does not say.
    ///
    /// # Errors
    /// [`BmcError`]. Only an answer of 202, or one that names a task, counts as accepted.
    pub async fn simple_update(&self, request: &UpdateRequest) -> Result<Option<TaskUri>, BmcError> {
        self.measured("simple_update", self.modifying(), async |call| {
            let service = service(call).await?;
            let target = service
                .pointer("/Actions/#UpdateService.SimpleUpdate/target")
                .and_then(Value::as_str)
                .ok_or_else(|| BmcError::Unsupported {
                    what: "UpdateService.SimpleUpdate".to_owned(),
                })?;
            let vendor = Vendor::of(&call.connected_root().await?.document);
            let body = Zeroizing::new(request.body(vendor).to_string());
            let body = Bytes::copy_from_slice(body.as_bytes());
            // No If-Match (bugs.md #110).
            let answer = call.exchange(Outgoing::new(Method::POST, target, body)).await?;
            let answer = answer.success(true)?;
            let task = task_of(&answer);
            if task.is_none() && answer.status != StatusCode::ACCEPTED {
                return Err(BmcError::Http {
                    status: answer.status.as_u16(),
                    message: "the update was answered without a task, and not with 202".to_owned(),
                    sent: true,
                });
            }
            Ok(task)
        })
        .await
    }

    /// Whether an update of the component is written and waits for a restart. `false` where the vendor does not tell.
    ///
    /// # Errors
    /// [`BmcError`].
    pub async fn has_staged_firmware(&self, component: Component) -> Result<bool, BmcError> {
        self.measured("firmware_inventory", self.reading(), async |call| {
            let vendor = Vendor::of(&call.connected_root().await?.document);
            if vendor == Vendor::Other {
                return Ok(false);
            }
            let Some(inventory) = link(&service(call).await?, "FirmwareInventory") else {
                return Ok(false);
            };
            let entries = members(call, &call.compat().await?, &inventory, false).await?;
            let staged = |entry: &&Value| is_staged(vendor, component, entry);
            let running: Vec<String> = entries
                .iter()
                .filter(|entry| !staged(entry))
                .filter_map(|entry| text(entry, "Version"))
                .collect();
            Ok(entries
                .iter()
                .filter(staged)
                .any(|entry| waits(vendor, entry, &running)))
        })
        .await
    }

    /// The tasks that the BMC lists, and whether each is still at work; `None` if it has no list.
    ///
    /// # Errors
    /// [`BmcError`].
    pub async fn tasks(&self) -> Result<Option<Vec<(TaskUri, TaskState)>>, BmcError> {
        self.measured("tasks", self.reading(), async |call| {
            let root = call.connected_root().await?;
            // DSP0268 has it below the root, and some only in its links.
            let Some(service) = link(&root.document, "Tasks").or_else(|| link(&root.document, "TaskService")) else {
                return Ok(None);
            };
            let bmc = call.compat().await?;
            let Some(collection) = link(&read(&bmc, &service).await?, "Tasks") else {
                return Ok(None);
            };
            let documents = members(call, &bmc, &collection, false).await?;
            documents
                .iter()
                .filter_map(|document| Some((TaskUri::new(text(document, "@odata.id")?), document)))
                .map(|(uri, document)| Ok((uri, report(document)?.state)))
                .collect::<Result<_, _>>()
                .map(Some)
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bmc::Credentials;

    fn answer(status: u16, location: Option<&str>, body: Value) -> Answer {
        let headers = location.map(|uri| (header::LOCATION, uri.parse().expect("header")));
        Answer {
            status: StatusCode::from_u16(status).expect("status"),
            headers: headers.into_iter().collect(),
            body: Bytes::from(body.to_string()),
        }
    }

    #[test]
    fn the_image_is_fetched_with_its_credentials_as_they_are() {
        let request = UpdateRequest {
            image_uri: "http://images.example/bios.bin".into(),
            transfer_protocol: Some("HTTP".into()),
            credentials: Some(Credentials::new("reader", "secret")),
            force: true,
        };
        // W24: the Go operator swaps them.
        let expected = json!({
            "ImageURI": "http://images.example/bios.bin", "TransferProtocol": "HTTP",
            "Username": "reader", "Password": "secret", "ForceUpdate": true,
        });
        assert_eq!(request.body(Vendor::Hpe), expected);
        assert_eq!(
            request.body(Vendor::Dell)["@Redfish.OperationApplyTime"],
            json!("Immediate")
        );
        assert!(!format!("{request:?}").contains("secret"));
    }

    #[test]
    fn every_vendor_names_the_task_in_its_place() {
        for (location, body, expected) in [
            (
                Some("https://idrac/redfish/v1/TaskService/Tasks/JID_1"),
                json!({}),
                Some("/redfish/v1/TaskService/Tasks/JID_1"),
            ),
            (
                None,
                json!({"@odata.id": "/redfish/v1/TaskService/Tasks/7"}),
                Some("/redfish/v1/TaskService/Tasks/7"),
            ),
            (
                None,
                json!({"TaskMonitor": "/redfish/v1/TaskService/TaskMonitors/7"}),
                Some("/redfish/v1/TaskService/TaskMonitors/7"),
            ),
            (
                Some("/redfish/v1/TaskService/TaskMonitors/7"),
                json!({"@odata.id": "/redfish/v1/TaskService/Tasks/7", "TaskState": "New"}),
                Some("/redfish/v1/TaskService/Tasks/7"),
            ),
            (None, json!({"Task": {"@odata.id": "/t/1"}}), Some("/t/1")),
            (None, json!({"error": {}}), None),
        ] {
            let found = task_of(&answer(202, location, body.clone()));
            assert_eq!(found.as_ref().map(TaskUri::as_str), expected, "{location:?} {body}");
        }
    }

    #[test]
    fn what_is_staged_is_told_by_each_vendor_in_its_own_way() {
        use Component::{Bios, Bmc};
        let entry = |id: &str, name: &str| json!({"Id": id, "Name": name, "Version": "2"});
        for (vendor, component, entry, expected) in [
            (Vendor::Dell, Bios, entry("Staged-159-2.1__BIOS.Setup.1-1", ""), true),
            (Vendor::Dell, Bmc, entry("Staged-159-2.1__BIOS.Setup.1-1", ""), false),
            (
                Vendor::Dell,
                Bmc,
                entry("Staged-25227-7.1__iDRAC.Embedded.1-1", ""),
                true,
            ),
            (
                Vendor::Dell,
                Bios,
                entry("Installed-159-2.1__BIOS.Setup.1-1", ""),
                false,
            ),
            (Vendor::Hpe, Bios, entry("2", "System ROM Staged"), true),
            (Vendor::Hpe, Bmc, entry("1", "iLO 6"), false),
            (Vendor::Lenovo, Bios, entry("Firmware:UEFI-Pending", ""), true),
            (Vendor::Other, Bios, entry("BIOS-Staged", "Staged"), false),
        ] {
            assert_eq!(is_staged(vendor, component, &entry), expected, "{vendor:?} {entry}");
        }
        let pending = json!({"Id": "UEFI-Pending", "Version": "1"});
        assert!(!waits(Vendor::Lenovo, &pending, &["1".to_owned()]), "it runs already");
        assert!(waits(Vendor::Lenovo, &pending, &["0".to_owned()]));
    }
}
