//! Metrics are for those whom the cluster allows to read them.

use super::said;
use miette::{Context, IntoDiagnostic};
use scenarios::envtest::operator::DeployedOperator;
use scenarios::envtest::{ControlPlane, install};

/// Two service accounts, one of which is bound to the role of `operator/deploy`.
const READERS: &str = "
apiVersion: v1
kind: ServiceAccount
metadata: { name: prometheus, namespace: default }
---
apiVersion: v1
kind: ServiceAccount
metadata: { name: stranger, namespace: default }
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: { name: prometheus }
roleRef: { apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: metal-operator-metrics-reader }
subjects: [{ kind: ServiceAccount, name: prometheus, namespace: default }]
";

pub(super) async fn check(plane: &ControlPlane, operator: &DeployedOperator) -> miette::Result<()> {
    let admin = plane.admin().into_diagnostic()?;
    install::manifests(&admin, "readers", READERS).await.into_diagnostic()?;
    // Made at the start, and signed by nobody.
    let client = reqwest::Client::builder()
        .tls_danger_accept_invalid_certs(true)
        .build()
        .into_diagnostic()?;
    let url = format!("https://{}/metrics", operator.metrics);
    for (reader, expected) in [(None, 401), (Some("stranger"), 403), (Some("prometheus"), 200)] {
        let mut request = client.get(&url);
        if let Some(reader) = reader {
            let token = plane.service_account_token("default", reader).await.into_diagnostic()?;
            request = request.bearer_auth(token);
        }
        let answer = request
            .send()
            .await
            .into_diagnostic()
            .wrap_err("no answer from the metrics endpoint")?;
        let code = answer.status().as_u16();
        let text = answer.text().await.into_diagnostic()?;
        miette::ensure!(code == expected, "metrics for {reader:?}: {code} instead of {expected}");
        miette::ensure!(
            code != 200 || text.contains("metal_server_state{"),
            "metrics say nothing of servers:\n{text}"
        );
    }
    said("metrics are for those who may get /metrics");
    Ok(())
}
