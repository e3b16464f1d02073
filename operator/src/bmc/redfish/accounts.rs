//! `AccountService`: accounts of a BMC (contract section 9.3). Some vendors have a collection to which accounts are added; others, slots
//! that are taken and left.

use http::StatusCode;
use jiff::Timestamp;
use nv_redfish::core::{Bmc, ODataETag};
use nv_redfish::quirks::CompatBmc;
use nv_redfish::schema::manager_account::ManagerAccount;
use serde_json::{Value, json};

use super::call::{Call, odata_id};
use super::document::{link, members, read, text};
use crate::bmc::{Account, Accounts, BmcClient, BmcError, Credentials};

/// A slot that is not for people: the first one of an iDRAC.
const RESERVED_SLOT: &str = "1";

fn account(document: &Value) -> Option<Account> {
    let user_name = text(document, "UserName").filter(|name| !name.is_empty())?;
    Some(Account {
        uri: text(document, "@odata.id")?,
        id: text(document, "Id")?,
        user_name,
        role: text(document, "RoleId"),
        enabled: document["Enabled"].as_bool().unwrap_or(true),
        password_expiration: text(document, "PasswordExpiration").and_then(|time| time.parse::<Timestamp>().ok()),
    })
}

fn free_slot(documents: &[Value]) -> Option<String> {
    let free = documents.iter().find(|document| {
        text(document, "UserName").unwrap_or_default().is_empty()
            && text(document, "Id").is_some_and(|id| id != RESERVED_SLOT)
    });
    text(free?, "@odata.id")
}

fn is_not_allowed(error: &BmcError) -> bool {
    matches!(error, BmcError::Http { status, .. } if *status == StatusCode::METHOD_NOT_ALLOWED.as_u16())
}

async fn collection(call: &Call, bmc: &CompatBmc<Call>) -> Result<(Value, String), BmcError> {
    let unsupported = || BmcError::Unsupported {
        what: "AccountService".to_owned(),
    };
    let root = call.connected_root().await?;
    let service = link(&root.document, "AccountService").ok_or_else(unsupported)?;
    let service = read(bmc, &service).await?;
    let accounts = link(&service, "Accounts").ok_or_else(unsupported)?;
    Ok((service, accounts))
}

async fn update(call: &Call, bmc: &CompatBmc<Call>, uri: &str, body: &Value) -> Result<(), BmcError> {
    let etag = text(&read(bmc, uri).await?, "@odata.etag").map(ODataETag::from);
    let id = odata_id(uri);
    call.update::<_, Value>(&id, etag.as_ref(), body).await.map(drop)
}

impl BmcClient {
    /// Accounts that somebody has, and how long a password may be.
    ///
    /// # Errors
    /// [`BmcError`]; `Unsupported` when there is no `AccountService`.
    pub async fn accounts(&self) -> Result<Accounts, BmcError> {
        self.measured("accounts", self.reading(), async |call| {
            let bmc = call.compat().await?;
            let (service, uri) = collection(call, &bmc).await?;
            let documents = members(call, &bmc, &uri, true).await?;
            let length = |name: &str| service[name].as_u64().and_then(|length| usize::try_from(length).ok());
            Ok(Accounts {
                accounts: documents.iter().filter_map(account).collect(),
                min_password_length: length("MinPasswordLength"),
                max_password_length: length("MaxPasswordLength"),
            })
        })
        .await
    }

    /// Creates an enabled account.
    ///
    /// # Errors
    /// [`BmcError`]; `Unsupported` when all slots are taken.
    pub async fn create_account(&self, credentials: &Credentials, role: &str) -> Result<(), BmcError> {
        self.measured("create_account", self.modifying(), async |call| {
            let bmc = call.compat().await?;
            let (_, uri) = collection(call, &bmc).await?;
            let body = json!({
                "UserName": credentials.username,
                "Password": credentials.password.as_str(),
                "RoleId": role,
                "Enabled": true,
            });
            match call.create::<_, Value>(&odata_id(&uri), &body).await {
                Err(error) if is_not_allowed(&error) => {
                    let documents = members(call, &bmc, &uri, true).await?;
                    let slot = free_slot(&documents).ok_or_else(|| BmcError::Unsupported {
                        what: "another account".to_owned(),
                    })?;
                    update(call, &bmc, &slot, &body).await
                }
                created => created.map(drop),
            }
        })
        .await
    }

    /// Sets password and role of an account, and enables it. The same again changes nothing.
    ///
    /// # Errors
    /// [`BmcError`].
    pub async fn set_account(&self, account: &Account, password: &str, role: &str) -> Result<(), BmcError> {
        self.measured("set_account", self.modifying(), async |call| {
            let bmc = call.compat().await?;
            let body = json!({ "Password": password, "RoleId": role, "Enabled": true });
            update(call, &bmc, &account.uri, &body).await
        })
        .await
    }

    /// Removes an account. One that is gone is as good as removed.
    ///
    /// # Errors
    /// [`BmcError`].
    pub async fn delete_account(&self, account: &Account) -> Result<(), BmcError> {
        self.measured("delete_account", self.modifying(), async |call| {
            let bmc = call.compat().await?;
            let deleted = call.delete::<ManagerAccount>(&odata_id(&account.uri)).await.map(drop);
            match deleted {
                Err(error) if error.is_not_found() => Ok(()),
                Err(error) if is_not_allowed(&error) => {
                    update(call, &bmc, &account.uri, &json!({ "UserName": "", "Enabled": false })).await
                }
                deleted => deleted,
            }
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_are_no_accounts_until_somebody_has_them() {
        let slot = |id: &str, name: &str| json!({ "@odata.id": format!("/a/{id}"), "Id": id, "UserName": name });
        let slots = [slot("1", ""), slot("2", "root"), slot("3", ""), slot("4", "")];
        assert_eq!(free_slot(&slots).as_deref(), Some("/a/3"));
        assert_eq!(free_slot(&slots[..2]), None);
        let known: Vec<_> = slots.iter().filter_map(account).map(|account| account.id).collect();
        assert_eq!(known, ["2"]);
    }
}
