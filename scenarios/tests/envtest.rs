//! Against a real kube-apiserver. Ignored unless asked for: `KUBEBUILDER_ASSETS=… cargo test -p scenarios --test envtest -- --ignored`.

use k8s_openapi::api::core::v1::Namespace;
use kube::Api;
use scenarios::envtest::assets::Assets;
use scenarios::envtest::{ControlPlane, config, install};

#[tokio::test]
#[ignore = "needs KUBEBUILDER_ASSETS"]
async fn a_control_plane_starts_and_serves_our_kinds() {
    let assets = Assets::find(None).unwrap_or_else(|missing| panic!("{missing}"));
    let plane = ControlPlane::start(&assets, None).await.expect("a control plane");
    let admin = plane.admin().expect("a client");
    install::crds(&admin).await.expect("our kinds");
    let manifest = "apiVersion: v1\nkind: Namespace\nmetadata: { name: here }\n---\napiVersion: v1\nkind: ServiceAccount\nmetadata: { name: nobody, namespace: here }\n";
    install::manifests(&admin, "test", manifest).await.expect("applied");
    let kubeconfig = plane
        .service_account_kubeconfig("here", "nobody")
        .await
        .expect("a token");
    let nobody = kube::Client::try_from(config(&kubeconfig).await.expect("a kubeconfig")).expect("a client");
    // Known to the API server, and allowed nothing.
    let refused = Api::<Namespace>::all(nobody)
        .get("here")
        .await
        .expect_err("not allowed")
        .to_string();
    assert!(refused.contains("system:serviceaccount:here:nobody"), "{refused}");
}
