//! The engine against a real cluster and real machines, without an operator: the script plays all parts, so that a test can say
//! exactly what happens, and what the engine must think of it.

mod bare;

use bare::Bare;
use scenarios::engine::{Silent, run};
use scenarios::report::{Outcome, ScenarioReport, StepOutcome};
use scenarios::script::Script;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Runs these steps on two machines, node-0 and node-1, under virtual time.
async fn play(steps: &str) -> ScenarioReport {
    play_with("", steps).await
}

async fn play_with(header: &str, steps: &str) -> ScenarioReport {
    let text = format!(
        "name: story\ndescription: A story.\n{header}fleet:\n  machines:\n    - name: node\n      count: 2\n      bmc: {{ password: bmc-pw-77 }}\nsteps:\n{steps}"
    );
    let script = Script::parse("story.yaml", text).unwrap_or_else(|error| panic!("{:?}", miette::Report::new(error)));
    let scenario = script.bind(&BTreeMap::new()).expect("no parameters");
    let testbed = Arc::new(Bare::start(&scenario.fleet).await);
    run(&scenario, testbed, &Silent).await
}

/// How it ended, in the words of the report.
fn ending(report: &ScenarioReport) -> String {
    let mut lines = Vec::new();
    match &report.outcome {
        Outcome::Passed => lines.push("passed".to_owned()),
        Outcome::Skipped { because } => lines.push(format!("skipped: {because}")),
        Outcome::Broken { why } => lines.push(format!("broken: {why}")),
        Outcome::Failed(failure) => {
            lines.push(format!(
                "failed at {} ms, line {:?}: {}",
                failure.at.0, failure.line, failure.message
            ));
            lines.extend(failure.details.iter().map(|detail| format!("  {detail}")));
            lines.extend(failure.objects.iter().map(|dump| format!("  shown: {}", dump.object)));
        }
    }
    for violation in &report.violations {
        lines.push(format!("violation at {} ms: {}", violation.at.0, violation.invariant));
        lines.push(format!("  {}", violation.message));
        lines.push(format!("  {} {:?}", violation.event, violation.objects));
    }
    let steps: Vec<&str> = report
        .steps
        .iter()
        .map(|step| match step.outcome {
            StepOutcome::Passed => "passed",
            StepOutcome::Failed { .. } => "failed",
            StepOutcome::NotReached => "not reached",
        })
        .collect();
    lines.push(format!("steps: {}", steps.join(", ")));
    lines.join("\n")
}

/// A step that makes a Server object for each machine.
const SERVERS: &str = "
  - apply:
      forEach: { machines: all }
      manifests:
        - apiVersion: metal.ironcore.dev/v1alpha1
          kind: Server
          metadata: { name: \"${machine.server}\", labels: { rack: r1 } }
          spec: { systemUUID: \"${machine.systemUUID}\" }
";

fn state(server: &str, state: &str) -> String {
    format!("  - patch: {{ kind: Server, name: {server}, status: true, merge: {{ status: {{ state: {state} }} }} }}\n")
}

#[tokio::test(start_paused = true)]
async fn steps_of_all_kinds() {
    let report = play(&format!(
        "  - register: {{ machines: all }}
  - expect: {{ kind: BMC, count: 2, that: object.spec.protocol.name == 'Redfish' }}
{SERVERS}{}
  - label: {{ kind: Server, name: node-0-system-0, labels: {{ rack: null, shelf: s1 }} }}
  - annotate: {{ kind: Server, name: node-0-system-0, annotations: {{ note: hello }} }}
  - assert: {{ kind: Server, name: node-0-system-0, that: ['!has(object.metadata.labels.rack)', object.metadata.annotations.note == 'hello'] }}
  - assert: {{ kind: Server, labels: {{ rack: r1 }}, count: 1 }}
  - assert: {{ that: \"size(servers) == 2 && servers['node-0-system-0'].status.state == 'Initial'\" }}
  - machine: {{ machines: [node-1], action: {{ type: WriteDrive, drive: nvme0n1, records: {{ a: b }} }} }}
  - expect: {{ kind: Server, name: node-1-system-0, that: \"machine.drives.exists(d, 'a' in d.records)\" }}
  - assert: {{ that: \"machines['node-0'].drives.all(d, size(d.records) == 0)\" }}
  - wait: 1h
  - delete: {{ forEach: {{ machines: all }}, kind: Server, name: \"${{machine.server}}\" }}
  - expect: {{ kind: Server, count: 0 }}
",
        state("node-0-system-0", "Initial")
    ))
    .await;
    assert_eq!(ending(&report).lines().next(), Some("passed"), "{}", ending(&report));
    assert!(
        (3_600_000..3_700_000).contains(&report.duration.0),
        "{:?}",
        report.duration
    );
    let server = &report.servers[0];
    assert_eq!(
        (server.name.as_str(), server.machine.as_deref()),
        ("node-0-system-0", Some("node-0"))
    );
    assert_eq!(
        server.states.iter().map(|span| span.state.as_str()).collect::<Vec<_>>(),
        ["Unknown", "Initial"]
    );
}

#[tokio::test(start_paused = true)]
async fn a_deadline_passes() {
    let report = play(&format!(
        "{SERVERS}{}  - expect: {{ kind: Server, count: 2, that: object.status.state == 'Available' && has(object.spec.bmcRef), within: 10m }}\n  - wait: 5m\n",
        state("node-0-system-0", "Discovery")
    ))
    .await;
    insta::assert_snapshot!(ending(&report));
}

#[tokio::test(start_paused = true)]
async fn something_does_not_hold() {
    let report = play(&format!(
        "{SERVERS}  - inject: {{ machines: [node-0], fault: {{ type: BmcUnreachable, duration: 5m }} }}\n  - expect: {{ kind: Server, name: node-0-system-0, that: '!machine.bmcAvailable', holdsFor: 10m }}\n"
    ))
    .await;
    insta::assert_snapshot!(ending(&report));
}

#[tokio::test(start_paused = true)]
async fn an_invariant_is_violated() {
    let twin = SERVERS.replace("${machine.server}", "twin-${index}");
    insta::assert_snapshot!(ending(&play(&format!("{SERVERS}{twin}  - wait: 1h\n")).await));
}

#[tokio::test(start_paused = true)]
async fn a_server_is_offered_with_data_on_its_drive() {
    let report = play(&format!(
        "{SERVERS}  - machine: {{ machines: [node-1], action: {{ type: WriteDrive, drive: nvme0n1, records: {{ tenant: data }} }} }}\n{}",
        state("node-1-system-0", "Available")
    ))
    .await;
    insta::assert_snapshot!(ending(&report));
}

#[tokio::test(start_paused = true)]
async fn a_secret_turns_up_elsewhere() {
    let report = play(
        "  - apply:
      manifests:
        - apiVersion: v1
          kind: Secret
          metadata: { name: tenant, namespace: default }
          stringData: { password: tenant-pw-31337 }
        - apiVersion: v1
          kind: ConfigMap
          metadata: { name: leak, namespace: default }
          data: { note: 'login with tenant-pw-31337' }
",
    )
    .await;
    insta::assert_snapshot!(ending(&report));
    assert!(!serde_json::to_string(&report).unwrap().contains("31337"));
}

#[tokio::test(start_paused = true)]
async fn something_is_not_always_true() {
    let report = play(&format!(
        "{SERVERS}  - name: never in Error\n    always: {{ kind: Server, that: \"!has(object.status) || object.status.state != 'Error'\" }}\n{}{}",
        state("node-0-system-0", "Initial"),
        state("node-0-system-0", "Error")
    ))
    .await;
    insta::assert_snapshot!(ending(&report));
}

#[tokio::test(start_paused = true)]
async fn a_write_is_refused_and_a_testbed_cannot_do_it() {
    let refused = play("  - patch: { kind: Server, name: nobody, merge: { spec: {} } }\n").await;
    let cannot = play("  - operator: { action: crash }\n").await;
    insta::assert_snapshot!(format!("{}\n{}", ending(&refused), ending(&cannot)));
}

#[tokio::test(start_paused = true)]
async fn a_world_lacks_something() {
    let report = play_with("requires: [erase, operator-control]\n", "  - wait: 5m\n").await;
    assert_eq!(
        ending(&report),
        "skipped: this world lacks operator-control\nsteps: not reached"
    );
}

/// The same story twice gives the same report, to the millisecond.
#[tokio::test(start_paused = true)]
async fn reports_are_repeatable() {
    let steps = format!(
        "  - register: {{ machines: all }}\n{SERVERS}{}  - wait: 90s\n",
        state("node-0-system-0", "Discovery")
    );
    let reports = [play(&steps).await, play(&steps).await];
    let text = reports.map(|mut report| {
        report.started_at = jiff::Timestamp::UNIX_EPOCH;
        serde_json::to_string(&report).unwrap()
    });
    assert_eq!(text[0], text[1]);
}
