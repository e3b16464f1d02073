//! What to try with a running testbed.

use super::Files;
use scenarios::runner::Standing;
use scenarios::testbed::MachineInfo;

/// A text for the terminal; every line of it can be pasted into another shell.
pub(super) fn text(standing: &Standing, files: &Files, time_scale: f64) -> String {
    let count = standing.machines.len();
    let mut text = format!(
        "\
{count} {machines} on a cluster of their own, {time_scale} times as fast as hardware. Ctrl-C ends everything.

  export KUBECONFIG={kubeconfig}
  kubectl get srv -w                     # servers on their way to Available
  kubectl explain server.spec

Take a server, and give it back: Available, Reserved, Cleanup, Available.

  kubectl apply -f {claim}
  kubectl get scl,srv
  kubectl delete -f {claim}
",
        machines = if count == 1 { "machine" } else { "machines" },
        kubeconfig = files.kubeconfig.display(),
        claim = files.claim.display(),
    );
    if let Some(machine) = standing.machines.first() {
        text.push_str(&about(machine, standing, files));
    }
    text.push_str(&format!(
        "
The operator

  curl {metrics}/metrics         # Prometheus
  {registry}                     # probes and wipe agents report there
  {boot}                     # machines fetch their boot scripts there",
        metrics = standing.metrics_url,
        registry = standing.registry_url,
        boot = standing.boot_url,
    ));
    text
}

fn about(machine: &MachineInfo, standing: &Standing, files: &Files) -> String {
    let name = &machine.name;
    format!(
        r#"
The BMC of {name}

  curl --cacert {ca} -u {user}:{password} {scheme}://{address}:{port}/redfish/v1/Systems

The truth about {name}, and what can go wrong with it

  curl -H 'Authorization: Bearer {token}' {admin}/machines/{name}
  curl -H 'Authorization: Bearer {token}' {admin}/machines/{name}/faults --json '{{"type": "NeverEndingShutdown"}}'
  curl -H 'Authorization: Bearer {token}' {admin}/machines/{name}/faults -X DELETE
"#,
        ca = files.bmc_ca.display(),
        user = machine.username,
        password = machine.password.0,
        scheme = machine.scheme,
        address = machine.address,
        port = machine.port,
        token = standing.admin_token,
        admin = standing.admin_url,
    )
}
