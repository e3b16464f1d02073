//! Accounts: passwords that have to be changed, and accounts that are locked.

use std::time::Duration;

use serde_json::json;

use crate::support::{Client, Run};

const ACCOUNT: &str = "/redfish/v1/AccountService/Accounts/1";
const SESSIONS: &str = "/redfish/v1/SessionService/Sessions";

async fn log_in(client: &Client, password: &str) -> crate::support::Answer {
    let credentials = json!({ "UserName": "admin", "Password": password });
    client.without_credentials().post(SESSIONS, credentials).await
}

#[tokio::test(start_paused = true)]
async fn a_factory_password_has_to_be_changed_first() {
    let run = Run::new("machines: [{ name: node, bmc: { password: factory, passwordChangeRequired: true } }]");
    let client = run.client("node");
    for path in ["/redfish/v1/Systems", "/redfish/v1/AccountService", SESSIONS] {
        let refused = client.get(path).await;
        assert_eq!(
            (refused.status, refused.messages()),
            (403, vec!["PasswordChangeRequired"]),
            "{path}"
        );
        assert!(refused.text.contains(ACCOUNT), "it says where");
    }
    let session = log_in(&client, "factory").await;
    assert_eq!(session.status, 201);
    assert!(session.text.contains("PasswordChangeRequired"));
    assert_eq!(client.get(ACCOUNT).await.body["PasswordChangeRequired"], true);
    assert_eq!(
        client.patch(ACCOUNT, json!({ "Password": "chosen-1" })).await.status,
        200
    );

    let credentials = log_in(&client, "chosen-1").await;
    let client = client
        .without_credentials()
        .with("x-auth-token", credentials.header("x-auth-token"));
    assert_eq!(client.get("/redfish/v1/Systems").await.status, 200);
    assert_eq!(client.get(ACCOUNT).await.body["PasswordChangeRequired"], false);
}

#[tokio::test(start_paused = true)]
async fn too_many_wrong_passwords_lock_an_account() {
    let run = Run::new("machines: [{ name: node }]");
    let client = run.client("node");
    let service = "/redfish/v1/AccountService";
    let nonsense = json!({ "AccountLockoutDuration": 10, "AccountLockoutCounterResetAfter": 20 });
    assert_eq!(client.patch(service, nonsense).await.messages(), ["PropertyValueError"]);
    let policy = json!({
        "AccountLockoutThreshold": 2, "AccountLockoutDuration": 60, "AccountLockoutCounterResetAfter": 60,
    });
    assert_eq!(client.patch(service, policy).await.body["AccountLockoutThreshold"], 2);
    let carol = json!({ "UserName": "carol", "Password": "secret", "RoleId": "Administrator" });
    let account = client.post("/redfish/v1/AccountService/Accounts", carol).await;
    let carol = |password: &'static str| {
        let client = client.without_credentials();
        async move {
            client
                .post(SESSIONS, json!({ "UserName": "carol", "Password": password }))
                .await
                .status
        }
    };
    assert_eq!(
        [carol("wrong").await, carol("wrong").await, carol("secret").await],
        [401, 401, 401]
    );
    let uri = account.header("location").to_owned();
    assert_eq!(client.get(&uri).await.body["Locked"], true);
    assert_eq!(
        client.patch(&uri, json!({ "Locked": true })).await.messages(),
        ["PropertyValueError"]
    );
    assert_eq!(
        client.patch(&uri, json!({ "Locked": false })).await.body["Locked"],
        false
    );
    assert_eq!(carol("secret").await, 201);

    assert_eq!(
        [carol("wrong").await, carol("wrong").await, carol("secret").await],
        [401, 401, 401]
    );
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(carol("secret").await, 201, "it ends by itself");
}

#[tokio::test(start_paused = true)]
async fn passwords_have_to_be_long_enough() {
    let run = Run::new("machines: [{ name: node, personality: hpe }, { name: generic }]");
    let client = run.client("node");
    for (password, status) in [("short", 400), ("long-enough", 200)] {
        let changed = client.patch(ACCOUNT, json!({ "Password": password })).await;
        assert_eq!(changed.status, status, "{password}");
        assert!(!changed.text.contains(password), "it is not repeated");
    }
    let generic = run.client("generic");
    let service = "/redfish/v1/AccountService";
    for (length, status) in [(0, 400), (65, 400), (12, 200)] {
        let changed = generic.patch(service, json!({ "MinPasswordLength": length })).await;
        assert_eq!(changed.status, status, "{length}");
    }
    let refused = generic.patch(ACCOUNT, json!({ "Password": "eleven-char" })).await;
    assert_eq!(refused.messages(), ["PropertyValueError"]);
}

#[tokio::test(start_paused = true)]
async fn roles_can_be_made_of_privileges() {
    let run = Run::new("machines: [{ name: node }, { name: openbmc, personality: openbmc }]");
    let client = run.client("node");
    let roles = "/redfish/v1/AccountService/Roles";
    let role = |privileges: &[&str]| json!({ "RoleId": "Power", "AssignedPrivileges": privileges });
    for (body, message) in [
        (role(&["Fly"]), "PropertyValueNotInList"),
        (json!({ "RoleId": "Power" }), "PropertyMissing"),
        (
            json!({ "RoleId": "a/b", "AssignedPrivileges": [] }),
            "PropertyValueError",
        ),
    ] {
        assert_eq!(client.post(roles, body).await.messages(), [message]);
    }
    let created = client.post(roles, role(&["Login", "ConfigureComponents"])).await;
    assert_eq!(created.status, 201);
    let uri = created.header("location").to_owned();
    assert_eq!(
        client.post(roles, role(&[])).await.messages(),
        ["ResourceAlreadyExists"]
    );
    let carol = json!({ "UserName": "carol", "Password": "secret", "RoleId": "Power" });
    let account = client.post("/redfish/v1/AccountService/Accounts", carol).await;
    assert_eq!(
        account.body["Links"]["Role"]["@odata.id"],
        uri.as_str(),
        "{}",
        account.text
    );
    let credentials = json!({ "UserName": "carol", "Password": "secret" });
    let session = client.without_credentials().post(SESSIONS, credentials).await;
    let user = client
        .without_credentials()
        .with("x-auth-token", session.header("x-auth-token"));
    let system = "/redfish/v1/Systems/1";
    assert_eq!(user.patch(system, json!({ "AssetTag": "a" })).await.status, 204);
    assert_eq!(
        user.patch("/redfish/v1/Managers/BMC", json!({})).await.messages(),
        ["InsufficientPrivilege"]
    );
    let changed = client.patch(&uri, json!({ "AssignedPrivileges": ["Login"] })).await;
    assert_eq!(changed.status, 200);
    assert_eq!(user.patch(system, json!({ "AssetTag": "b" })).await.status, 403);
    assert_eq!(client.delete(&uri).await.status, 409, "carol has it");
    assert_eq!(client.delete(account.header("location")).await.status, 204);
    assert_eq!(client.delete(&uri).await.status, 204);
    assert_eq!(client.delete(&format!("{roles}/Operator")).await.status, 405);
    assert_eq!(run.client("openbmc").post(roles, role(&[])).await.status, 405);
}

/// Nobody is asked what is outside of the service.
#[tokio::test(start_paused = true)]
async fn a_post_to_nowhere_is_answered() {
    let run = Run::new("machines: [{ name: node }]");
    assert_eq!(run.client("node").post("/nowhere", json!({})).await.status, 404);
}
