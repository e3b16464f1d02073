//! BIOS attributes and firmware updates, as every personality has them.

use std::collections::BTreeMap;

use operator::bmc::attributes::differences;
use operator::bmc::{Component, UpdateRequest};
use serde_json::{Map, Value};

use super::*;

/// What the image server knows: `images.example/<name>`, behind Basic authentication as reader with the password secret.
fn images() -> HttpService {
    HttpService::new(tower::service_fn(async |request: Request<Bytes>| {
        let authorization = request.headers().get(http::header::AUTHORIZATION);
        // reader:secret
        let known = authorization.is_some_and(|value| value == "Basic cmVhZGVyOnNlY3JldA==");
        let (status, body) = if known { (200, "firmware") } else { (401, "") };
        Ok::<_, BoxError>(
            Response::builder()
                .status(status)
                .body(Bytes::from(body))
                .expect("response"),
        )
    }))
}

fn update(name: &str, password: &str) -> UpdateRequest {
    UpdateRequest {
        image_uri: format!("http://images.example/{name}"),
        transfer_protocol: Some("HTTP".into()),
        credentials: Some(Credentials::new("reader", password)),
        force: false,
    }
}

#[tokio::test(start_paused = true)]
async fn bios_attributes_are_staged_and_in_force_after_a_reboot() {
    for personality in PERSONALITIES {
        let rack = Rack::new(personality);
        let client = rack.client().await;
        let uri = only_system(&client).await.uri;
        let registry = client.bios_registry(&uri).await.expect("registry");
        let before = client.bios(&uri).await.expect("read").expect("bios");
        // Whatever the vendor calls it: the first attribute that has another value.
        let (name, wanted) = registry
            .0
            .iter()
            .find_map(|(name, attribute)| match &attribute.kind {
                operator::bmc::attributes::AttributeKind::Enumeration(values) => {
                    let current = before.attributes.get(name)?.as_str()?;
                    let (other, _) = values.iter().find(|(value, _)| value != current)?;
                    Some((name.clone(), other.clone()))
                }
                _ => None,
            })
            .unwrap_or_else(|| panic!("{personality} has no enumeration"));
        let settings = BTreeMap::from([(name.clone(), wanted.clone())]);
        assert_eq!(
            differences(&registry, &settings, &before.attributes),
            [&name],
            "{personality}"
        );
        let value = registry
            .value(&name, &wanted, before.attributes.get(&name))
            .expect("value");
        let changes: Map<String, Value> = [(name.clone(), value)].into_iter().collect();
        client.set_bios_attributes(&uri, &changes).await.expect("staged");
        let staged = client.bios(&uri).await.expect("read").expect("bios");
        assert_eq!(staged.pending, changes, "{personality}");
        assert_eq!(
            rack.bmc.inspect().bios_attributes[&name],
            before.attributes[&name],
            "{personality}: in force too early"
        );
        client.reset_system(&uri, ResetType::On).await.expect("on");
        until_power(&client, &uri, ReportedPower::On).await;
        sleep(Duration::from_secs(200)).await;
        let after = client.bios(&uri).await.expect("read").expect("bios");
        assert_eq!(
            differences(&registry, &settings, &after.attributes),
            Vec::<&String>::new(),
            "{personality}"
        );
        assert_eq!(
            rack.bmc.inspect().bios_attributes[&name],
            changes[&name],
            "{personality}"
        );
        rack.close().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_bios_update_is_followed_by_its_task() {
    for personality in PERSONALITIES {
        let rack = Rack::beside(personality, images());
        let client = rack.client().await;
        let system = only_system(&client).await;
        let known = client.tasks().await.expect("tasks").expect("a list");
        let task = client
            .simple_update(&update("bios-9.9.bin", "secret"))
            .await
            .expect("accepted");
        let task = task.unwrap_or_else(|| panic!("{personality} names no task"));
        let listed = client.tasks().await.expect("tasks").expect("a list");
        let new: Vec<_> = listed.iter().filter(|task| !known.contains(task)).collect();
        assert_eq!(new, [&(task.clone(), TaskState::Active)], "{personality}");
        sleep(Duration::from_secs(600)).await;
        let written = client.task(&task).await.expect("task");
        assert_eq!(written.state, TaskState::Active, "{personality} waits for POST");
        assert_eq!(
            only_system(&client).await.bios_version,
            system.bios_version,
            "{personality}"
        );
        client.reset_system(&system.uri, ResetType::On).await.expect("on");
        sleep(Duration::from_secs(300)).await;
        assert_eq!(
            client.task(&task).await.expect("task").state,
            TaskState::Succeeded,
            "{personality}"
        );
        assert_eq!(
            only_system(&client).await.bios_version.as_deref(),
            Some("9.9"),
            "{personality}"
        );
        assert_eq!(
            client.has_staged_firmware(Component::Bios).await,
            Ok(false),
            "{personality}"
        );
        rack.close().await;
    }
}

#[tokio::test(start_paused = true)]
async fn an_update_without_its_image_fails_and_says_why() {
    for personality in PERSONALITIES {
        let rack = Rack::beside(personality, images());
        let client = rack.client().await;
        let request = update("bios-9.9.bin", "wrong");
        let task = client.simple_update(&request).await.expect("accepted").expect("task");
        sleep(Duration::from_secs(60)).await;
        let report = client.task(&task).await.expect("task");
        assert_eq!(report.state, TaskState::Failed, "{personality}: {report:?}");
        assert!(
            report.messages.iter().any(|text| text.contains("401")),
            "{personality}: {report:?}"
        );
        rack.close().await;
    }
}
