//! The recorded answers of a real server, compared with the emulator's.

use std::path::Path;

use kube_conformance::connection::Connection;
use kube_conformance::embedded::Embedded;
use kube_conformance::suite::Suite;
use kube_conformance::{corpus, differences, runner};

const AT_A_TIME: usize = 32;

#[tokio::test]
async fn the_emulator_answers_as_recorded() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let suite = Suite::load(&here.join("checks")).expect("the checks");
    let recorded = corpus::read(&here.join("corpus")).expect("the recordings");
    for (topic, content) in &suite.topics {
        for check in &content.checks {
            assert!(
                recorded.get(topic).is_some_and(|topic| topic.contains_key(&check.name)),
                "{topic}, {}: nothing is recorded; run `cargo xtask conformance record`",
                check.name
            );
        }
    }
    let embedded = Embedded::start().await.expect("an emulator");
    let connection = Connection::open(&embedded.kubeconfig).expect("a connection");
    let answers = runner::play(&connection, &suite, AT_A_TIME).await.expect("answers");
    let known = differences::read(&here.join("differences.yaml")).expect("the known differences");
    let found = differences::find(&recorded, &answers);
    let surprises = differences::surprises(&found, &known);
    assert!(
        surprises.is_empty(),
        "the emulator and the recordings of the real server differ otherwise than conformance/differences.yaml says; \
         `cargo xtask conformance` shows it in full:\n{}",
        surprises.join("\n")
    );
    let document = std::fs::read_to_string(here.join("../DIFFERENCES.md")).expect("DIFFERENCES.md");
    assert!(
        document == differences::document(suite.checks(), &found, &known),
        "DIFFERENCES.md is out of date; run `cargo xtask conformance --write-differences`"
    );
}
