//! An unmodified kube 5.0 Controller runs against the emulator in memory, under the paused clock.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::common::{client, emulator, install};
use futures::StreamExt as _;
use kube::api::{Api, DeleteParams, DynamicObject, ObjectMeta, Patch, PatchParams, PostParams};
use kube::core::{ApiResource, GroupVersionKind};
use kube::runtime::controller::{Action, Controller};
use kube::runtime::finalizer::{Event, finalizer};
use kube::runtime::watcher;
use serde_json::json;

fn widgets() -> ApiResource {
    ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk("ex.io", "v1", "Widget"), "widgets")
}

fn object(name: &str) -> DynamicObject {
    DynamicObject {
        types: Some(kube::core::TypeMeta {
            api_version: "ex.io/v1".to_owned(),
            kind: "Widget".to_owned(),
        }),
        metadata: ObjectMeta {
            name: Some(name.to_owned()),
            ..ObjectMeta::default()
        },
        data: json!({"spec": {"size": 2}}),
    }
}

struct Context {
    api: Api<DynamicObject>,
    log: Mutex<Vec<String>>,
}

async fn reconcile(
    object: Arc<DynamicObject>,
    context: Arc<Context>,
) -> Result<Action, kube::runtime::finalizer::Error<kube::Error>> {
    let api = context.api.clone();
    finalizer(&api, "ex.io/test", object, |event| async {
        match event {
            Event::Apply(object) => {
                let name = object.metadata.name.clone().unwrap_or_default();
                context.log.lock().unwrap().push(format!("apply {name}"));
                let status = json!({"status": {"phase": "Done"}});
                context
                    .api
                    .patch_status(&name, &PatchParams::default(), &Patch::Merge(&status))
                    .await?;
            }
            Event::Cleanup(object) => {
                context
                    .log
                    .lock()
                    .unwrap()
                    .push(format!("cleanup {}", object.metadata.name.clone().unwrap_or_default()));
            }
        }
        Ok::<_, kube::Error>(Action::requeue(Duration::from_secs(3600)))
    })
    .await
}

#[tokio::test(start_paused = true)]
async fn a_controller_reconciles_in_memory() {
    let emulator = emulator(1000);
    install(&emulator).await;
    let client = client(&emulator);
    let api: Api<DynamicObject> = Api::namespaced_with(client, "default", &widgets());
    let context = Arc::new(Context {
        api: api.clone(),
        log: Mutex::new(Vec::new()),
    });
    let controller = Controller::new_with(api.clone(), watcher::Config::default(), widgets())
        .with_config(kube::runtime::controller::Config::default().concurrency(4))
        .run(
            reconcile,
            |_, _, _| Action::requeue(Duration::from_secs(5)),
            context.clone(),
        )
        .for_each(|_| futures::future::ready(()));
    let user = async {
        for index in 0..3 {
            api.create(&PostParams::default(), &object(&format!("w{index}")))
                .await
                .unwrap();
        }
        tokio::time::sleep(Duration::from_secs(2 * 3600)).await;
        let done = api.list(&Default::default()).await.unwrap();
        assert!(done.items.iter().all(|item| item.data["status"]["phase"] == "Done"));
        assert!(done.items.iter().all(|item| item.metadata.generation == Some(1)));
        api.delete("w1", &DeleteParams::default()).await.unwrap();
        tokio::time::sleep(Duration::from_secs(60)).await;
        assert_eq!(api.list(&Default::default()).await.unwrap().items.len(), 2);
    };
    tokio::select! {
        biased;
        () = controller => panic!("the controller ended"),
        () = user => {}
    }
    let log = context.log.lock().unwrap();
    assert_eq!(log.iter().filter(|line| *line == "cleanup w1").count(), 1);
    // Once after creation and its status, again after one and after two virtual hours, the watch renewed meanwhile.
    assert!(log.iter().filter(|line| *line == "apply w0").count() >= 3, "{log:?}");
}
