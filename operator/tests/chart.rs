//! The chart and the alert rules, with the tools of others. Ignored unless asked for: `HELM=…/helm PROMTOOL=…/promtool cargo test
//! -p operator --test chart -- --ignored` (both are Go programs: helm.sh/helm/v3/cmd/helm, github.com/prometheus/prometheus/cmd/promtool).
//! What needs neither is tested beside `src/manifests`.

use std::path::Path;
use std::process::Command;

const CHART: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/helm");
/// What every installation has to say.
const SITE: &str = "site.probeImage=registry.example/metalprobe:v1,site.probeOSImage=registry.example/probe-os:v1,\
                    site.registryURL=http://10.0.0.1:10000";

fn run(variable: &str, default: &str, folder: &Path, arguments: &[&str]) -> Result<String, String> {
    let program = std::env::var(variable).unwrap_or_else(|_| default.to_owned());
    let output = Command::new(&program)
        .args(arguments)
        .current_dir(folder)
        .output()
        .unwrap_or_else(|error| panic!("{program} cannot be started ({error}); {variable} says where it is"));
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    if output.status.success() {
        Ok(text(output.stdout))
    } else {
        Err(text(output.stderr))
    }
}

fn template(more: &[&str]) -> Result<String, String> {
    let arguments = [
        &[
            "template",
            "metal-operator",
            ".",
            "--kube-version",
            "1.34.0",
            "-n",
            "metal-operator-system",
        ],
        more,
    ]
    .concat();
    run("HELM", "helm", Path::new(CHART), &arguments)
}

#[test]
#[ignore = "needs helm"]
fn the_chart_is_well_formed() {
    run(
        "HELM",
        "helm",
        Path::new(CHART),
        &["lint", ".", "--strict", "--set", SITE],
    )
    .expect("no complaint");
}

#[test]
#[ignore = "needs helm"]
fn what_is_installed_by_default() {
    let rendered = template(&["--set", SITE, "--set", "crd.enable=false"]).expect("a good chart");
    insta::assert_snapshot!(rendered);
}

#[test]
#[ignore = "needs helm"]
fn what_is_installed_with_everything() {
    let values = "crd.enable=false,prometheus.enable=true,prometheus.labels.release=kube-prometheus,networkPolicy.enable=true,\
                  rbac.helpers.enable=true,ignition.override=true,ignition.template=variant: fcos,metaldata.enable=true,\
                  site.bmcCA=PEM,site.macPrefixes=macPrefixes: [],manager.config.discovery-timeout=1h,\
                  dnsRecords[0].apiGroup=externaldns.k8s.io,dnsRecords[0].resource=dnsendpoints,\
                  admissionPolicy.trustedUsers[0]=system:serviceaccount:old:metal-operator";
    let rendered = template(&["--set", SITE, "--set", values]).expect("a good chart");
    insta::assert_snapshot!(rendered);
}

#[test]
#[ignore = "needs helm"]
fn the_kinds_are_kept_and_complete() {
    let rendered = template(&["--set", SITE]).expect("a good chart");
    let kinds = rendered.matches("kind: CustomResourceDefinition").count();
    assert_eq!(kinds, crds::manifest::all().len());
    assert_eq!(rendered.matches("helm.sh/resource-policy: keep").count(), kinds);
}

#[test]
#[ignore = "needs helm"]
fn an_installation_that_could_not_work_is_refused() {
    for (values, wanted) in [
        ("site.probeImage=", "site.probeImage"),
        (
            "site.registryURL=",
            "site.registryURL: machines have to reach the registry",
        ),
        ("ignition.override=true", "ignition.template"),
        ("rbac.namespaced=true", "rbac.namespaced"),
    ] {
        let error = template(&["--set", SITE, "--set", values]).expect_err(values);
        assert!(error.contains(wanted), "{error}");
    }
}

#[test]
#[ignore = "needs promtool"]
fn alerts_fire_when_they_should() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/manifests");
    run("PROMTOOL", "promtool", &folder, &["test", "rules", "alerts_test.yaml"]).expect("as expected");
}
