//! Leader election against a Lease in memory, under the paused clock.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::Body;
use axum::http::{Request, Response};
use http_body_util::BodyExt;
use operator::leader_election::{ElectionError, Leadership, LeaseConfig, run};
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

/// One Lease with optimistic concurrency, and a switch that makes the API server unreachable.
#[derive(Clone, Default)]
struct Api(Arc<Mutex<(Option<Value>, u64, bool)>>);

impl Api {
    fn client(&self) -> kube::Client {
        let api = self.clone();
        kube::Client::new(tower::service_fn(move |request| api.clone().serve(request)), "metal")
    }

    fn cut(&self, down: bool) {
        self.0.lock().expect("api").2 = down;
    }

    fn holder(&self) -> Option<String> {
        let api = self.0.lock().expect("api");
        api.0.as_ref()?["spec"]["holderIdentity"].as_str().map(str::to_owned)
    }

    fn transitions(&self) -> Option<i64> {
        self.0.lock().expect("api").0.as_ref()?["spec"]["leaseTransitions"].as_i64()
    }

    async fn serve(self, request: Request<kube::client::Body>) -> Result<Response<Body>, std::io::Error> {
        let method = request.method().clone();
        let body = request
            .into_body()
            .collect()
            .await
            .map(|body| body.to_bytes())
            .unwrap_or_default();
        let mut object: Value = serde_json::from_slice(&body).unwrap_or_default();
        let mut api = self.0.lock().expect("api");
        if api.2 {
            return Err(std::io::ErrorKind::ConnectionRefused.into());
        }
        let (code, answer) = match (method.as_str(), &api.0) {
            ("GET", Some(lease)) => (200, lease.clone()),
            ("GET", None) => (404, failure(404)),
            ("POST", Some(_)) => (409, failure(409)),
            ("PUT", Some(lease)) if lease["metadata"]["resourceVersion"] != object["metadata"]["resourceVersion"] => {
                (409, failure(409))
            }
            // As the real API server validates.
            (_, _) if object["spec"]["holderIdentity"] == "" => (422, failure(422)),
            _ => {
                api.1 += 1;
                object["metadata"]["resourceVersion"] = json!(api.1.to_string());
                api.0 = Some(object.clone());
                (200, object)
            }
        };
        Ok(Response::builder()
            .status(code)
            .body(Body::from(answer.to_string()))
            .expect("response"))
    }
}

fn failure(code: u16) -> Value {
    let reason = if code == 404 { "NotFound" } else { "Conflict" };
    json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "reason": reason, "message": reason})
}

fn config() -> LeaseConfig {
    LeaseConfig {
        namespace: "metal".to_owned(),
        name: "f26702e4.ironcore.dev".to_owned(),
        lease_duration: Duration::from_secs(15),
        renew_deadline: Duration::from_secs(10),
        retry_period: Duration::from_secs(2),
    }
}

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<String>>>);

impl Log {
    fn add(&self, line: String) {
        self.0.lock().expect("log").push(line);
    }

    fn lines(&self) -> Vec<String> {
        self.0.lock().expect("log").clone()
    }
}

/// Starts a candidate that leads until it must not, then takes a second to end.
fn candidate(
    api: &Api,
    name: &'static str,
    log: &Log,
    stop: &CancellationToken,
    tasks: &mut JoinSet<Result<(), ElectionError>>,
) {
    let start = Instant::now();
    let clock = Arc::new(move || jiff::Timestamp::UNIX_EPOCH + start.elapsed());
    let (client, log, stop) = (api.client(), log.clone(), stop.clone());
    tasks.spawn(async move {
        run(
            client,
            config(),
            name.to_owned(),
            clock,
            stop,
            async |leadership: Leadership, leading: CancellationToken| {
                log.add(format!(
                    "{name} leads, sure for 10 s: {}",
                    leadership.valid_for(Duration::from_secs(10))
                ));
                leading.cancelled().await;
                sleep(Duration::from_secs(1)).await;
                log.add(format!(
                    "{name} ends, sure for 1 s: {}",
                    leadership.valid_for(Duration::from_secs(1))
                ));
            },
        )
        .await
    });
}

#[tokio::test(start_paused = true)]
async fn one_leads_and_hands_over_in_order() {
    let (api, log, mut tasks) = (Api::default(), Log::default(), JoinSet::new());
    let (stop_a, stop_b) = (CancellationToken::new(), CancellationToken::new());
    candidate(&api, "a", &log, &stop_a, &mut tasks);
    sleep(Duration::from_secs(1)).await;
    candidate(&api, "b", &log, &stop_b, &mut tasks);
    sleep(Duration::from_secs(120)).await;
    assert_eq!(log.lines(), ["a leads, sure for 10 s: true"]);
    stop_a.cancel();
    sleep(Duration::from_secs(6)).await;
    // Still the leader while its work ends; the successor does not wait for the lease to expire.
    assert_eq!(
        log.lines()[1..],
        ["a ends, sure for 1 s: true", "b leads, sure for 10 s: true"]
    );
    assert_eq!((api.holder().as_deref(), api.transitions()), (Some("b"), Some(1)));
    stop_b.cancel();
    while let Some(result) = tasks.join_next().await {
        assert!(matches!(result, Ok(Ok(()))));
    }
    assert_eq!(api.holder(), None);
}

#[tokio::test(start_paused = true)]
async fn a_leader_that_cannot_renew_stops_before_its_lease_ends() {
    let (api, log, mut tasks, stop) = (Api::default(), Log::default(), JoinSet::new(), CancellationToken::new());
    candidate(&api, "a", &log, &stop, &mut tasks);
    sleep(Duration::from_secs(20)).await;
    api.cut(true);
    let cut = Instant::now();
    let ended = tasks.join_next().await.expect("a candidate").expect("no panic");
    assert!(matches!(ended, Err(ElectionError::Lost(_))));
    assert!(
        cut.elapsed() < Duration::from_secs(15),
        "it stopped after {:?}",
        cut.elapsed()
    );
    assert_eq!(log.lines()[1], "a ends, sure for 1 s: false");

    // Its lease still stands in its name: a successor waits it out by its own clock, from when it first saw it.
    api.cut(false);
    let started = Instant::now();
    candidate(&api, "b", &log, &stop, &mut tasks);
    while api.holder().as_deref() != Some("b") {
        sleep(Duration::from_millis(100)).await;
    }
    assert!(
        started.elapsed() >= Duration::from_secs(15),
        "it took over after {:?}",
        started.elapsed()
    );
    stop.cancel();
    while tasks.join_next().await.is_some() {}
}

#[tokio::test(start_paused = true)]
async fn of_many_candidates_one_leads() {
    let (api, log, mut tasks, stop) = (Api::default(), Log::default(), JoinSet::new(), CancellationToken::new());
    for name in ["a", "b", "c", "d"] {
        candidate(&api, name, &log, &stop, &mut tasks);
    }
    sleep(Duration::from_secs(60)).await;
    assert_eq!(log.lines().len(), 1, "{:?}", log.lines());
    stop.cancel();
    while tasks.join_next().await.is_some() {}
}

#[tokio::test(start_paused = true)]
async fn without_election_leadership_is_certain() {
    assert!(Leadership::always().valid_for(Duration::from_secs(3600)));
}
