//! Accounts of BMCs, as every personality has them.

use super::*;

#[tokio::test(start_paused = true)]
async fn an_account_is_made_changed_and_removed_even_twice() {
    for personality in PERSONALITIES {
        let rack = Rack::new(personality);
        let client = rack.client().await;
        let before = client.accounts().await.expect("accounts").accounts.len();
        client
            .create_account(&Credentials::new("auditor", "First-pass-1"), "ReadOnly")
            .await
            .unwrap_or_else(|error| panic!("{personality}: {error}"));
        let found = client.accounts().await.expect("accounts");
        assert_eq!(found.accounts.len(), before + 1, "{personality}");
        let auditor = found
            .accounts
            .iter()
            .find(|account| account.user_name == "auditor")
            .expect("the new account");
        client
            .set_account(auditor, "Second-pass-2", "ReadOnly")
            .await
            .expect("another password");
        let mut access = rack.access(PASSWORD);
        access.credentials = Credentials::new("auditor", "Second-pass-2");
        let own = rack.pool.client(&access).await.expect("client");
        own.systems()
            .await
            .unwrap_or_else(|error| panic!("{personality}: {error}"));
        // Other credentials have ended the first session.
        let client = rack.client().await;
        client.delete_account(auditor).await.expect("removed");
        assert_eq!(
            client.accounts().await.expect("accounts").accounts.len(),
            before,
            "{personality}"
        );
        // Somebody was faster (W43).
        client.delete_account(auditor).await.expect("gone already");
        rack.close().await;
    }
}
