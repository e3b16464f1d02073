//! Registration: back-off, renewal, LLDP.

use std::sync::Arc;
use std::time::Duration;

use probe::agent::{self, AgentError, AgentOptions};
use probe::command_line::{self, Command};
use probe::model::{LldpInterface, LldpNeighbor};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::support::{Answer, Registry, TestHost, clock};

fn options(more: &str) -> AgentOptions {
    let line = format!("--registry-url=http://registry:10000/ --server-uuid=u1 --registry-token=tok {more}");
    match command_line::parse(line.split_whitespace()).expect("valid flags") {
        Command::Probe(options) => options,
        Command::Wipe(_) => unreachable!("no wipe was asked for"),
    }
}

/// Runs the agent for a while of virtual time.
async fn run(more: &str, host: TestHost, registry: &Registry, seconds: u64) -> Option<Result<(), AgentError>> {
    let options = options(more);
    let running = agent::run(
        &options,
        Arc::new(host),
        registry.http(),
        clock(),
        CancellationToken::new(),
    );
    tokio::time::timeout(Duration::from_secs(seconds), running).await.ok()
}

#[tokio::test(start_paused = true)]
async fn renews_its_time_with_every_post_even_without_lldp() {
    let registry = Registry::new([Answer::Status(201)]);
    assert!(
        run("", TestHost::default(), &registry, 100).await.is_none(),
        "the agent keeps running"
    );
    let seen = registry.seen();
    let posts: Vec<_> = seen
        .iter()
        .map(|seen| (seen.seconds, seen.body["data"]["timestamp"].as_str()))
        .collect();
    assert_eq!(
        posts,
        [
            (0, Some("2030-01-01T00:00:00Z")),
            (30, Some("2030-01-01T00:00:30Z")),
            (60, Some("2030-01-01T00:01:00Z")),
            (90, Some("2030-01-01T00:01:30Z")),
        ]
    );
    assert_eq!(seen[0].path, "http://registry:10000/register");
    assert_eq!(seen[0].authorization.as_deref(), Some("Bearer tok"));
    assert_eq!(seen[0].body["systemUUID"], "u1");
    assert_eq!(seen[0].body["data"]["networkInterfaces"][0]["name"], "eth0");
}

#[tokio::test(start_paused = true)]
async fn survives_a_registry_that_is_not_there_yet() {
    let registry = Registry::new([
        Answer::Reset,
        Answer::Status(503),
        Answer::Never,
        Answer::Status(401),
        Answer::Status(404),
        Answer::Status(201),
    ]);
    assert!(run("", TestHost::default(), &registry, 200).await.is_none());
    let times: Vec<_> = registry.seen().iter().map(|seen| seen.seconds).collect();
    let gaps: Vec<_> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
    // 5, 10, 20 (after the 5 s timeout), 40, 60, each stretched by up to a quarter; then renewals.
    for (gap, (low, high)) in gaps.iter().zip([(5, 7), (10, 13), (25, 31), (40, 51), (60, 76)]) {
        assert!((low..=high).contains(gap), "{gaps:?}");
    }
    assert_eq!(gaps.get(5), Some(&30), "{gaps:?}");
}

#[tokio::test(start_paused = true)]
async fn gives_up_after_bounded_attempts() {
    let registry = Registry::new([Answer::Status(401)]);
    let ended = run("--registration-attempts=3", TestHost::default(), &registry, 10_000).await;
    let error = ended.expect("ends").expect_err("never registered");
    assert_eq!(registry.seen().len(), 3);
    assert!(
        matches!(error, AgentError::NotRegistered { attempts: 3, .. }),
        "{error}"
    );
    assert!(
        error
            .to_string()
            .contains("refused the registry token (401: because of the test)"),
        "{error}"
    );
}

#[tokio::test(start_paused = true)]
async fn ends_when_its_renewals_are_rejected_but_not_when_the_registry_is_away() {
    let mut script = vec![Answer::Status(201)];
    script.extend([Answer::Status(401); 4]);
    script.extend([Answer::Reset; 20]);
    script.extend([Answer::Status(401)]);
    let registry = Registry::new(script);
    let error = run("", TestHost::default(), &registry, 10_000)
        .await
        .expect("ends")
        .expect_err("rejected");
    assert!(matches!(error, AgentError::Rejected { rejections: 5, .. }), "{error}");
    assert_eq!(registry.seen().len(), 1 + 4 + 20 + 5);
}

#[tokio::test(start_paused = true)]
async fn waits_for_the_first_neighbour_but_not_for_ever() {
    let neighbors = vec![LldpInterface {
        name: "eth0".into(),
        neighbors: vec![LldpNeighbor {
            system_name: "leaf1".into(),
            ..LldpNeighbor::default()
        }],
    }];
    for (heard_after, first_post, heard) in [(0, 0, true), (12, 15, true), (50, 30, false)] {
        let registry = Registry::new([Answer::Status(201)]);
        let host = TestHost {
            neighbors: Some(neighbors.clone()),
            heard_after: Duration::from_secs(heard_after),
            start: Some(Instant::now()),
            ..TestHost::default()
        };
        assert!(run("", host, &registry, 100).await.is_none());
        let seen = registry.seen();
        assert_eq!(seen[0].seconds, first_post, "heard after {heard_after} s");
        assert_eq!(
            seen[0].body["data"].get("lldp").is_some(),
            heard,
            "heard after {heard_after} s"
        );
        let last = seen.last().expect("a renewal");
        assert_eq!(last.body["data"]["lldp"][0]["neighbors"][0]["systemName"], "leaf1");
    }
}

#[tokio::test(start_paused = true)]
async fn a_machine_without_network_interfaces_is_an_error() {
    let registry = Registry::new([Answer::Status(201)]);
    let host = TestHost {
        no_network: true,
        ..TestHost::default()
    };
    let error = run("", host, &registry, 10)
        .await
        .expect("ends")
        .expect_err("no inventory");
    assert!(error.to_string().contains("/sys/class/net"), "{error}");
    assert!(registry.seen().is_empty());
}

#[tokio::test(start_paused = true)]
async fn stops_when_told() {
    let registry = Registry::new([Answer::Status(201)]);
    let stop = CancellationToken::new();
    let options = options("");
    let running = agent::run(
        &options,
        Arc::new(TestHost::default()),
        registry.http(),
        clock(),
        stop.clone(),
    );
    let ((), ended) = tokio::join!(
        async {
            tokio::time::sleep(Duration::from_secs(45)).await;
            stop.cancel();
        },
        running
    );
    ended.expect("a requested end is no error");
    assert_eq!(registry.seen().len(), 2);
}
