//! The real kubectl against a served emulator. Not everybody has one, so this test runs only when it is asked for.

use std::process::Stdio;

use kube_emulator::serve::serve_https;
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::common::{TOKEN, emulator};

const WIDGET: &str =
    "apiVersion: ex.io/v1\nkind: Widget\nmetadata: {name: w, labels: {app: demo}}\nspec: {size: 3, max: 5}\n";

struct Kubectl {
    home: tempfile::TempDir,
}

impl Kubectl {
    /// Runs `kubectl ARGUMENTS`, feeds it `input`, and gives what it printed, its exit code last if it is not 0.
    async fn run(&self, arguments: &str, input: &str) -> String {
        let mut child = Command::new("kubectl")
            .args(arguments.split(' '))
            .env("HOME", self.home.path())
            .env("KUBECONFIG", self.home.path().join("kubeconfig"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(input.as_bytes()).await.unwrap();
        let output = child.wait_with_output().await.unwrap();
        let mut text = String::from_utf8_lossy(&output.stdout).into_owned();
        text.push_str(&String::from_utf8_lossy(&output.stderr));
        if !output.status.success() {
            text.push_str(&format!("exit {}", output.status.code().unwrap_or(-1)));
        }
        text.trim().to_owned()
    }
}

#[tokio::test]
#[ignore = "needs kubectl: cargo test -p kube-emulator -- --ignored"]
async fn kubectl_works() {
    let emulator = emulator(1000);
    let stop = CancellationToken::new();
    let mut tasks = JoinSet::new();
    let served = serve_https(&emulator, "127.0.0.1:0".parse().unwrap(), stop.clone(), &mut tasks)
        .await
        .unwrap();
    let (controllers, controllers_stop) = (emulator.clone(), stop.clone());
    tasks.spawn(async move { controllers.run_controllers(controllers_stop).await });
    let kubectl = Kubectl {
        home: tempfile::tempdir().unwrap(),
    };
    std::fs::write(kubectl.home.path().join("kubeconfig"), served.kubeconfig(TOKEN)).unwrap();
    let definition = include_str!("common/widget.yaml");
    let broken = WIDGET.replace("size: 3", "size: 9");
    let strange = WIDGET.replace("size: 3", "bogus: 3");
    // (arguments, standard input, what the output must contain)
    let transcript: Vec<(&str, &str, &str)> = vec![
        (
            "apply -f -",
            definition,
            "customresourcedefinition.apiextensions.k8s.io/widgets.ex.io created",
        ),
        (
            "wait --for=condition=Established crd/widgets.ex.io --timeout=10s",
            "",
            "condition met",
        ),
        ("apply -f -", WIDGET, "widget.ex.io/w created"),
        ("apply -f -", WIDGET, "widget.ex.io/w unchanged"),
        (
            "apply --server-side --force-conflicts -f -",
            WIDGET,
            "widget.ex.io/w serverside-applied",
        ),
        ("apply -f -", &broken, "size must be <= max"),
        ("apply -f -", &strange, "unknown field \"spec.bogus\""),
        ("get wd", "", "NAME   COLOR   READY   AGE"),
        ("get widgets.ex.io w -o jsonpath={.spec.color}", "", "red"),
        ("get wd -l app=demo -o name", "", "widget.ex.io/w"),
        ("get wd --field-selector spec.color=blue", "", "No resources found"),
        ("get all", "", "w      red"),
        ("explain widget.spec.size", "", "How big it is."),
        ("explain secret.data", "", "Values in base64."),
        ("label wd w tier=1", "", "widget.ex.io/w labeled"),
        ("annotate wd w note=hi", "", "widget.ex.io/w annotated"),
        (
            "patch wd w --type=merge -p {\"spec\":{\"size\":4}}",
            "",
            "widget.ex.io/w patched",
        ),
        (
            "patch wd w --type=json -p [{\"op\":\"replace\",\"path\":\"/spec/size\",\"value\":5}]",
            "",
            "widget.ex.io/w patched",
        ),
        (
            "patch wd w --subresource=status --type=merge -p {\"status\":{\"phase\":\"Up\",\"conditions\":[{\"type\":\"Ready\",\"status\":\"True\"}]}}",
            "",
            "patched",
        ),
        ("wait --for=condition=Ready wd/w --timeout=10s", "", "condition met"),
        (
            "wait --for=jsonpath={.status.phase}=Up wd/w --timeout=10s",
            "",
            "condition met",
        ),
        ("get wd w", "", "w      red     True"),
        ("scale wd w --replicas=2", "", "widget.ex.io/w scaled"),
        ("describe wd w", "", "Phase:"),
        ("create configmap c --from-literal=a=b", "", "configmap/c created"),
        ("create secret generic s --from-literal=a=b", "", "secret/s created"),
        ("create serviceaccount robot", "", "serviceaccount/robot created"),
        ("create namespace n", "", "namespace/n created"),
        ("get cm c -o jsonpath={.data.a}", "", "b"),
        (
            "patch cm c -p {\"data\":{\"a\":null,\"z\":\"1\"}}",
            "",
            "configmap/c patched",
        ),
        ("get cm c", "", "NAME   DATA   AGE"),
        ("describe secret s", "", "a:  1 bytes"),
        ("auth whoami", "", "kubernetes-admin"),
        ("delete ns n --timeout=10s", "", "namespace \"n\" deleted"),
        ("delete wd w --timeout=10s", "", "widget.ex.io \"w\" deleted"),
        (
            "get wd w",
            "",
            "Error from server (NotFound): widgets.ex.io \"w\" not found",
        ),
        ("delete crd widgets.ex.io --timeout=10s", "", "deleted"),
        ("get wd", "", "exit 1"),
    ];
    for (arguments, input, expected) in transcript {
        let output = kubectl.run(arguments, input).await;
        assert!(
            output.contains(expected),
            "kubectl {arguments}\nprinted:  {output}\nexpected: {expected}"
        );
    }
    stop.cancel();
    while tasks.join_next().await.is_some() {}
}
