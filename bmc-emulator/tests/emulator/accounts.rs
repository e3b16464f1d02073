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
