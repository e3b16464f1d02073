//! The operator as it is deployed: the binary, as its service account, on the manifests of `operator/deploy`.

use super::process::Process;
use super::site::Site;
use super::{ControlPlane, free_addresses, install};
use crate::testbed::{IMAGE_REGISTRY, MANAGER_NAMESPACE, TestbedError};
use k8s_openapi::ByteString;
use k8s_openapi::api::admissionregistration::v1::ValidatingWebhookConfiguration;
use serde_json::json;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::time::Instant;

const START: Duration = Duration::from_secs(60);
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// Runs until it is dropped.
pub struct DeployedOperator {
    process: Process,
    pub metrics: SocketAddr,
    pub webhooks: SocketAddr,
    log: PathBuf,
}

impl DeployedOperator {
    /// Installs what is in the folder `deploy`, and starts `binary`. `more` are further arguments.
    ///
    /// # Errors
    /// A manifest is refused, or the operator does not get ready; its last words are quoted.
    pub async fn start(
        plane: &ControlPlane,
        site: &Site,
        deploy: &Path,
        binary: PathBuf,
        more: &[String],
    ) -> Result<Self, TestbedError> {
        let admin = plane.admin()?;
        install::operator(&admin, deploy).await?;
        let [registry, health, metrics, webhooks] = free_addresses()?;
        let certificates = plane.folder().join("webhook");
        let authority = certificate(&certificates)?;
        let kubeconfig = plane.folder().join("operator.kubeconfig");
        let account = plane
            .service_account_kubeconfig(MANAGER_NAMESPACE, install::SERVICE_ACCOUNT)
            .await?;
        write(&kubeconfig, &account)?;
        let mut arguments = vec![
            format!("--kubeconfig={}", kubeconfig.display()),
            "--leader-elect".to_owned(),
            format!("--manager-namespace={MANAGER_NAMESPACE}"),
            format!("--probe-image={IMAGE_REGISTRY}/metalprobe:latest"),
            format!("--probe-os-image={IMAGE_REGISTRY}/probe-os:latest"),
            format!("--registry-url=http://{registry}"),
            format!("--registry-port={}", registry.port()),
            format!("--metrics-bind-address={metrics}"),
            format!("--health-probe-bind-address={health}"),
            format!("--webhook-port={}", webhooks.port()),
            format!("--webhook-cert-path={}", certificates.display()),
            "--protocol=https".to_owned(),
            format!("--bmc-ca-file={}", site.bmc_ca_file.display()),
            "--discovery-ignition-path=".to_owned(),
            "--log-format=json".to_owned(),
        ];
        arguments.extend_from_slice(more);
        let process = Process::start(binary, &arguments, plane.logs())?;
        let mut operator = Self {
            log: process.log().to_owned(),
            process,
            metrics,
            webhooks,
        };
        operator.ready(health).await?;
        // From here on the API server asks it.
        let configuration = read(&deploy.join("components/webhook/configuration.yaml"))?;
        webhook_configuration(&admin, &configuration, webhooks, &authority).await?;
        Ok(operator)
    }

    /// What it has logged.
    ///
    /// # Errors
    /// The log cannot be read.
    pub fn log(&self) -> Result<String, TestbedError> {
        read(&self.log)
    }

    /// Process number, for whoever measures.
    pub fn id(&self) -> Option<u32> {
        self.process.id()
    }

    async fn ready(&mut self, health: SocketAddr) -> Result<(), TestbedError> {
        let began = Instant::now();
        let url = format!("http://{health}/readyz");
        loop {
            let answer = reqwest::get(&url).await;
            if answer.is_ok_and(|answer| answer.status().is_success()) {
                return Ok(());
            }
            self.process.still_runs()?;
            if began.elapsed() > START {
                return Err(TestbedError::failed(
                    "the operator does not get ready",
                    self.process.last_words(),
                ));
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }
}

/// The configuration of `operator/deploy`, but on loopback: there is no Service here that leads anywhere.
async fn webhook_configuration(
    admin: &kube::Client,
    yaml: &str,
    webhooks: SocketAddr,
    authority: &str,
) -> Result<(), TestbedError> {
    let origin = "components/webhook/configuration.yaml";
    for object in install::documents(origin, yaml)? {
        let types = object.types.clone();
        let mut configuration: ValidatingWebhookConfiguration = object
            .try_parse()
            .map_err(|error| TestbedError::failed(format!("{origin} is no webhook configuration"), error))?;
        for webhook in configuration.webhooks.iter_mut().flatten() {
            let client = &mut webhook.client_config;
            let path = client
                .service
                .take()
                .and_then(|service| service.path)
                .unwrap_or_default();
            client.url = Some(format!("https://{webhooks}{path}"));
            client.ca_bundle = Some(ByteString(authority.as_bytes().to_vec()));
        }
        let mut object = serde_json::to_value(&configuration)
            .map_err(|error| TestbedError::failed(format!("{origin} is no object"), error))?;
        object["apiVersion"] = json!(types.as_ref().map(|types| types.api_version.clone()));
        object["kind"] = json!(types.map(|types| types.kind));
        let object = serde_json::from_value(object)
            .map_err(|error| TestbedError::failed(format!("{origin} is no object"), error))?;
        install::apply(admin, origin, object).await?;
    }
    Ok(())
}

/// A certificate for loopback that is its own authority; returns it as PEM.
fn certificate(folder: &Path) -> Result<String, TestbedError> {
    let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()])
        .map_err(|error| TestbedError::failed("the certificate cannot be made", error))?;
    std::fs::create_dir_all(folder)
        .map_err(|error| TestbedError::failed(format!("{} cannot be made", folder.display()), error))?;
    write(&folder.join("tls.crt"), &made.cert.pem())?;
    write(&folder.join("tls.key"), &made.signing_key.serialize_pem())?;
    Ok(made.cert.pem())
}

fn read(path: &Path) -> Result<String, TestbedError> {
    std::fs::read_to_string(path)
        .map_err(|error| TestbedError::failed(format!("{} cannot be read", path.display()), error))
}

fn write(path: &Path, content: &str) -> Result<(), TestbedError> {
    std::fs::write(path, content)
        .map_err(|error| TestbedError::failed(format!("{} cannot be written", path.display()), error))
}
