//! Where the process listens.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use anyhow::Context;
use operator::Options;
use operator::operator::Operator;
use operator::serve::certificates::{Certificate, CertificateFiles};
use operator::serve::{HttpVersions, serve, serve_tls};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

/// Check of /readyz: the API server can reach the webhooks.
const WEBHOOK_CHECK: &str = "webhook";

/// Everything that can be known to be wrong before anything is started is.
pub(crate) struct Sockets {
    registry: SocketAddr,
    events: SocketAddr,
    health: Option<SocketAddr>,
    metrics: Option<(SocketAddr, Option<Arc<Certificate>>)>,
    webhooks: Option<(SocketAddr, Arc<Certificate>)>,
    versions: HttpVersions,
}

impl Sockets {
    pub(crate) fn of(options: &Options) -> anyhow::Result<Self> {
        let bind = options.serving.bind_address;
        let metrics = match options.metrics_bind_address()? {
            Some(address) => Some((address, metrics_certificate(options)?)),
            None => None,
        };
        let webhooks = match options.webhook_certificate() {
            Some(files) => {
                let certificate = load("--webhook-cert-path", files)?;
                Some((SocketAddr::new(bind, options.webhooks.webhook_port), certificate))
            }
            None => None,
        };
        Ok(Self {
            registry: SocketAddr::new(bind, options.registry.registry_port),
            events: SocketAddr::new(bind, options.events.event_port),
            health: options.health_probe_bind_address()?,
            metrics,
            webhooks,
            versions: options.http_versions(),
        })
    }

    /// Opens all of them.
    pub(crate) async fn open(self, operator: &Operator, close: &CancellationToken) -> anyhow::Result<JoinSet<()>> {
        let mut servers = JoinSet::new();
        let plain = [
            ("registry", Some(self.registry), Some(operator.registry_router())),
            ("events", Some(self.events), operator.event_router()),
            ("health", self.health, Some(operator.health_router())),
        ];
        for (name, address, router) in plain {
            if let (Some(address), Some(router)) = (address, router) {
                serve(name, address, router, close.clone(), &mut servers).await?;
            }
        }
        match self.metrics {
            Some((address, Some(certificate))) => {
                let router = operator.guarded_metrics_router();
                serve_tls(
                    "metrics",
                    address,
                    router,
                    certificate,
                    self.versions,
                    close.clone(),
                    &mut servers,
                )
                .await?;
            }
            Some((address, None)) => {
                if !address.ip().is_loopback() {
                    warn!(%address, "metrics are served to everybody who reaches this address (--metrics-secure=false)");
                }
                serve(
                    "metrics",
                    address,
                    operator.metrics_router(),
                    close.clone(),
                    &mut servers,
                )
                .await?;
            }
            None => {}
        }
        match self.webhooks {
            Some((address, certificate)) => {
                operator.health().set(WEBHOOK_CHECK, false);
                let router = operator.start_webhooks(close, &mut servers);
                serve_tls(
                    "webhook",
                    address,
                    router,
                    certificate,
                    self.versions,
                    close.clone(),
                    &mut servers,
                )
                .await?;
                operator.health().set(WEBHOOK_CHECK, true);
            }
            None => info!("webhooks are not served: turned off, or no certificate for them (--webhook-cert-path)"),
        }
        Ok(servers)
    }
}

fn metrics_certificate(options: &Options) -> anyhow::Result<Option<Arc<Certificate>>> {
    if !options.serving.metrics_secure {
        return Ok(None);
    }
    Ok(Some(match options.metrics_certificate() {
        Some(files) => load("--metrics-cert-path", files)?,
        None => Arc::new(Certificate::self_signed()?),
    }))
}

fn load(flag: &str, files: CertificateFiles) -> anyhow::Result<Arc<Certificate>> {
    let folder = files.certificate.parent().map(Path::to_owned).unwrap_or_default();
    Certificate::load(files)
        .map(Arc::new)
        .with_context(|| format!("{flag} ({})", folder.display()))
}
