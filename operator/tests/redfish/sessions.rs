//! Sessions, credentials and limits of the Redfish driver.

use std::time::Duration;

use crate::fake::{Behaviour, FakeBmc, PASSWORD, Reply, SYSTEM, access, client, pool, settings, system};
use operator::bmc::{BmcError, BmcPool, ResetType};
use operator::metrics::Metrics;
use serde_json::json;
use tokio::time::{Instant, advance};

#[tokio::test(start_paused = true)]
async fn one_session_serves_all_and_is_closed() {
    let bmc = FakeBmc::new();
    let pool = pool(&bmc);
    let first = pool.client(&access(PASSWORD)).await.expect("client");
    let second = pool.client(&access(PASSWORD)).await.expect("client");
    first.system(&system()).await.expect("system");
    second.systems().await.expect("systems");
    first.managers().await.expect("managers");
    assert_eq!(bmc.with(|state| (state.logins, state.sessions.len())), (1, 1));
    assert_eq!(
        bmc.seen("GET /redfish/v1")
            .iter()
            .filter(|seen| seen.request == "GET /redfish/v1")
            .count(),
        1,
        "the root is read once"
    );
    assert!(
        bmc.seen("GET /redfish/v1/")
            .iter()
            .all(|seen| seen.authorization == Some("session"))
    );

    pool.close_all().await;
    assert_eq!(bmc.with(|state| state.sessions.len()), 0);
    assert_eq!(first.system(&system()).await, Err(BmcError::Closed));
    assert_eq!(
        bmc.with(|state| state.logins),
        1,
        "a closed client does not log in again"
    );
}

#[tokio::test(start_paused = true)]
async fn a_session_that_the_bmc_dropped_is_made_again_once() {
    let bmc = FakeBmc::new();
    let client = client(&bmc).await.expect("client");
    client.system(&system()).await.expect("system");
    bmc.with(|state| state.sessions.clear());
    client.reset_system(&system(), ResetType::On).await.expect("reset");
    assert_eq!(bmc.with(|state| state.logins), 2);

    // A BMC that refuses everything is not logged in to for ever.
    for _ in 0..3 {
        bmc.answer(&format!("GET {SYSTEM}"), 401, json!(null));
    }
    let refused = client.system(&system()).await;
    assert_eq!(
        refused,
        Err(BmcError::Unauthorized {
            retry_after: Duration::from_secs(60)
        })
    );
    assert_eq!(bmc.with(|state| state.logins), 3);
}

#[tokio::test(start_paused = true)]
async fn wrong_credentials_are_not_hammered() {
    let bmc = FakeBmc::new();
    let pool = pool(&bmc);
    let wrong = access("wrong-canary");
    for _ in 0..10 {
        let client = pool.client(&wrong).await.expect("the service root is open");
        let error = client.systems().await.expect_err("refused");
        assert!(matches!(error, BmcError::Unauthorized { .. }), "{error}");
        assert!(!format!("{error} {error:?}").contains("canary"));
        pool.forget(&wrong).await;
    }
    assert_eq!(bmc.with(|state| state.refused_logins), 1);
    advance(Duration::from_secs(61)).await;
    pool.client(&wrong)
        .await
        .expect("client")
        .systems()
        .await
        .expect_err("refused");
    assert_eq!(bmc.with(|state| state.refused_logins), 2);

    // A changed secret counts at once.
    pool.client(&access(PASSWORD))
        .await
        .expect("client")
        .systems()
        .await
        .expect("systems");
    pool.close_all().await;
    assert_eq!(bmc.with(|state| (state.refused_logins, state.sessions.len())), (2, 0));
}

#[tokio::test(start_paused = true)]
async fn new_credentials_end_the_old_session() {
    let bmc = FakeBmc::new();
    let pool = pool(&bmc);
    let old = pool.client(&access(PASSWORD)).await.expect("client");
    old.system(&system()).await.expect("system");
    bmc.with(|state| state.password = "rotated".to_owned());
    let new = pool.client(&access("rotated")).await.expect("client");
    new.system(&system()).await.expect("system");
    assert_eq!(
        bmc.with(|state| state.sessions.iter().cloned().collect::<Vec<_>>()),
        ["session-2"]
    );
    assert_eq!(old.system(&system()).await, Err(BmcError::Closed));
}

#[tokio::test(start_paused = true)]
async fn idle_sessions_are_swept() {
    let bmc = FakeBmc::new();
    let pool = pool(&bmc);
    let client = pool.client(&access(PASSWORD)).await.expect("client");
    client.system(&system()).await.expect("system");
    advance(Duration::from_secs(599)).await;
    pool.sweep().await;
    assert_eq!(bmc.with(|state| state.sessions.len()), 1);
    advance(Duration::from_secs(2)).await;
    pool.sweep().await;
    assert_eq!(bmc.with(|state| state.sessions.len()), 0);
    client.system(&system()).await.expect("a swept client logs in again");
    assert_eq!(bmc.with(|state| state.logins), 2);
}

#[tokio::test(start_paused = true)]
async fn basic_is_used_only_where_there_are_no_sessions() {
    let without = FakeBmc::new();
    without.with(|state| {
        let root = state
            .documents
            .get_mut("/redfish/v1")
            .and_then(serde_json::Value::as_object_mut)
            .expect("root");
        root.remove("SessionService");
        root.remove("Links");
    });
    client(&without)
        .await
        .expect("client")
        .system(&system())
        .await
        .expect("system");
    assert_eq!(without.seen("GET /redfish/v1/Systems")[0].authorization, Some("basic"));

    // A service that is overloaded is no reason to send the password with every request.
    let full = FakeBmc::new();
    full.answer(
        "POST /redfish/v1/SessionService/Sessions",
        503,
        json!({"error": {"message": "session limit"}}),
    );
    let error = client(&full)
        .await
        .expect("client")
        .system(&system())
        .await
        .expect_err("no session");
    assert!(
        matches!(error, BmcError::ServiceUnavailable { sent: false, .. }),
        "{error:?}"
    );
    assert!(full.seen("").iter().all(|seen| seen.authorization != Some("basic")));
}

#[tokio::test(start_paused = true)]
async fn a_hanging_bmc_costs_one_deadline() {
    let bmc = FakeBmc::new();
    let client = client(&bmc).await.expect("client");
    client.system(&system()).await.expect("system");
    bmc.prepare(&format!("GET {SYSTEM}"), Behaviour::Hang);
    let started = Instant::now();
    let read = client.system(&system()).await;
    assert_eq!(
        read,
        Err(BmcError::Timeout {
            after: Duration::from_secs(30),
            sent: false
        })
    );
    assert_eq!(started.elapsed(), Duration::from_secs(30));

    bmc.prepare(
        "POST /redfish/v1/Systems/1/Actions/ComputerSystem.Reset",
        Behaviour::Hang,
    );
    let started = Instant::now();
    let error = client
        .reset_system(&system(), ResetType::On)
        .await
        .expect_err("no answer");
    assert_eq!(
        error,
        BmcError::Timeout {
            after: Duration::from_secs(10),
            sent: true
        }
    );
    assert!(error.may_have_been_executed());
    assert_eq!(started.elapsed(), Duration::from_secs(10));
    assert_eq!(
        bmc.seen("POST /redfish/v1/Systems").len(),
        1,
        "a reset is never repeated"
    );
}

#[tokio::test(start_paused = true)]
async fn errors_say_whether_a_reset_may_have_happened() {
    let bmc = FakeBmc::new();
    let client = client(&bmc).await.expect("client");
    let reset = "POST /redfish/v1/Systems/1/Actions/ComputerSystem.Reset";
    for (request, behaviour, executed) in [
        (format!("GET {SYSTEM}"), Behaviour::Reset, false),
        (
            format!("GET {SYSTEM}"),
            Behaviour::Answer(Reply {
                status: 500,
                headers: Vec::new(),
                body: json!(null),
            }),
            false,
        ),
        (reset.to_owned(), Behaviour::Refuse, false),
        (reset.to_owned(), Behaviour::Reset, true),
        (
            reset.to_owned(),
            Behaviour::Answer(Reply {
                status: 502,
                headers: Vec::new(),
                body: json!(null),
            }),
            true,
        ),
        (
            reset.to_owned(),
            Behaviour::Answer(Reply {
                status: 503,
                headers: Vec::new(),
                body: json!(null),
            }),
            true,
        ),
        (
            reset.to_owned(),
            Behaviour::Answer(Reply {
                status: 409,
                headers: Vec::new(),
                body: json!(null),
            }),
            false,
        ),
    ] {
        bmc.prepare(&request, behaviour);
        let error = client.reset_system(&system(), ResetType::On).await.expect_err("failed");
        assert_eq!(error.may_have_been_executed(), executed, "{request}: {error:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_bmc_gets_few_requests_at_a_time() {
    let bmc = FakeBmc::new();
    let client = client(&bmc).await.expect("client");
    bmc.with(|state| state.latency = Duration::from_millis(100));
    let uri = system();
    let reads = (0..10).map(|_| client.system(&uri));
    assert!(futures::future::join_all(reads).await.iter().all(Result::is_ok));
    assert_eq!(bmc.with(|state| state.most_in_flight), 2);
    assert_eq!(bmc.with(|state| state.logins), 1);
}

#[tokio::test(start_paused = true)]
async fn redirects_stay_on_the_host() {
    let redirect = |location: &str| {
        Behaviour::Answer(Reply {
            status: 308,
            headers: vec![("location", location.to_owned())],
            body: json!(null),
        })
    };
    let bmc = FakeBmc::new();
    let client = client(&bmc).await.expect("client");
    bmc.prepare(
        "GET /redfish/v1/Systems/old",
        redirect("https://192.0.2.1:443/redfish/v1/Systems/1"),
    );
    let moved = client
        .system(&operator::identity::SystemUri::new("/redfish/v1/Systems/old"))
        .await
        .expect("followed");
    assert_eq!(moved.uri, system());
    bmc.prepare(
        &format!("GET {SYSTEM}"),
        redirect("https://evil.example/redfish/v1/Systems/1"),
    );
    assert!(matches!(client.system(&system()).await, Err(BmcError::Protocol { .. })));
}

#[tokio::test(start_paused = true)]
async fn requests_are_counted_without_addresses() {
    let bmc = FakeBmc::new();
    let metrics = Metrics::new();
    let pool = BmcPool::new(bmc.http(), metrics.clone(), settings());
    let client = pool.client(&access(PASSWORD)).await.expect("client");
    client.system(&system()).await.expect("system");
    bmc.answer(&format!("GET {SYSTEM}"), 500, json!(null));
    client.system(&system()).await.expect_err("failed");
    let text = metrics.encode().expect("metrics");
    for line in [
        r#"metal_bmc_requests_total{operation="system",result="success"} 1"#,
        r#"metal_bmc_requests_total{operation="system",result="server_error"} 1"#,
        "metal_bmc_sessions 1",
    ] {
        assert!(text.contains(line), "{line} is not in\n{text}");
    }
    assert!(!text.contains("192.0.2.1"));
    pool.close_all().await;
    assert!(metrics.encode().expect("metrics").contains("metal_bmc_sessions 0"));
}
