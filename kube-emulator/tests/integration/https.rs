//! The same API over HTTPS, with kube's own TLS stack.

use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{Api, ListParams, PostParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube_emulator::serve::serve_https;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::common::{TOKEN, emulator};

#[tokio::test]
async fn kube_connects_with_the_kubeconfig() {
    let emulator = emulator(100);
    let stop = CancellationToken::new();
    let mut tasks = JoinSet::new();
    let served = serve_https(&emulator, "127.0.0.1:0".parse().unwrap(), stop.clone(), &mut tasks)
        .await
        .unwrap();
    let kubeconfig = Kubeconfig::from_yaml(&served.kubeconfig(TOKEN)).unwrap();
    let config = kube::Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default())
        .await
        .unwrap();
    let api: Api<ConfigMap> = Api::default_namespaced(kube::Client::try_from(config).unwrap());
    let map: ConfigMap =
        serde_json::from_value(serde_json::json!({"metadata": {"name": "a"}, "data": {"k": "v"}})).unwrap();
    api.create(&PostParams::default(), &map).await.unwrap();
    let names: Vec<_> = api
        .list(&ListParams::default())
        .await
        .unwrap()
        .into_iter()
        .filter_map(|map| map.metadata.name)
        .collect();
    assert_eq!(names, ["a"]);
    stop.cancel();
    while tasks.join_next().await.is_some() {}
    assert!(api.get("a").await.is_err(), "nobody listens any more");
}
