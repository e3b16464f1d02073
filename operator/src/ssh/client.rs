//! The deployed edge: russh. Simulations bring their own.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use russh::client::{Config, Handle, Handler, connect};
use russh::keys::PublicKeyOrCertificate;
use russh::{ChannelMsg, Disconnect};

use super::{Host, Ssh, SshError};
use crate::bmc::Credentials;

/// Output of a command that is kept for an error, in bytes.
const OUTPUT_LIMIT: usize = 1024;

/// A BMC that restarts may close the connection before it has said how the command ended.
const CUT_OFF: u32 = 0;

/// SSH over sockets.
pub struct Client {
    timeout: Duration,
}

impl Client {
    /// `timeout` is that of a whole operation.
    pub fn new(timeout: Duration) -> Self {
        Self { timeout }
    }
}

impl Ssh for Client {
    fn host_key(&self, host: Host) -> BoxFuture<'static, Result<String, SshError>> {
        let port = host.port;
        let look = async move {
            let keys = Keys::default();
            match greet(&host, &keys).await {
                Ok(session) => drop(session),
                // It was told that its key is wrong, which is how a look ends.
                Err(SshError::OtherKey { shown }) => return Ok(shown),
                Err(error) => return Err(error),
            }
            keys.shown().ok_or_else(|| unreachable(&host, "it shows no key"))
        };
        within(self.timeout, port, look).boxed()
    }

    fn run(
        &self,
        host: Host,
        key: String,
        credentials: Credentials,
        command: &'static str,
    ) -> BoxFuture<'static, Result<(), SshError>> {
        let port = host.port;
        let run = async move {
            let keys = Keys {
                expected: Some(key),
                ..Keys::default()
            };
            let mut session = greet(&host, &keys).await?;
            let login = session.authenticate_password(credentials.username.clone(), credentials.password.as_str());
            if !login.await.map_err(broken)?.success() {
                return Err(SshError::Denied);
            }
            let (status, output) = execute(&session, command).await?;
            let _ = session.disconnect(Disconnect::ByApplication, "", "").await;
            match status {
                0 => Ok(()),
                status => Err(SshError::Failed { status, output }),
            }
        };
        within(self.timeout, port, run).boxed()
    }
}

async fn within<T>(
    timeout: Duration,
    port: u16,
    work: impl Future<Output = Result<T, SshError>> + Send,
) -> Result<T, SshError> {
    let late = |_| SshError::Unreachable {
        port,
        reason: format!("no answer within {}s", timeout.as_secs()),
    };
    tokio::time::timeout(timeout, work).await.map_err(late)?
}

async fn greet(host: &Host, keys: &Keys) -> Result<Handle<Keys>, SshError> {
    let config = Arc::new(Config::default());
    let connected = connect(config, (host.address.as_str(), host.port), keys.clone()).await;
    connected.map_err(|error| match keys.shown() {
        Some(shown) if keys.expected.as_ref() != Some(&shown) => SshError::OtherKey { shown },
        _ => unreachable(host, &error.to_string()),
    })
}

async fn execute(session: &Handle<Keys>, command: &str) -> Result<(u32, String), SshError> {
    let mut channel = session.channel_open_session().await.map_err(broken)?;
    channel.exec(true, command).await.map_err(broken)?;
    let (mut status, mut output) = (CUT_OFF, Vec::new());
    while let Some(message) = channel.wait().await {
        match message {
            ChannelMsg::Data { data } | ChannelMsg::ExtendedData { data, .. } => {
                let room = OUTPUT_LIMIT.saturating_sub(output.len());
                output.extend(data.iter().take(room));
            }
            ChannelMsg::ExitStatus { exit_status } => status = exit_status,
            ChannelMsg::Failure => return Err(SshError::Broken("the command was refused".to_owned())),
            _ => {}
        }
    }
    Ok((status, String::from_utf8_lossy(&output).trim().to_owned()))
}

fn unreachable(host: &Host, reason: &str) -> SshError {
    SshError::Unreachable {
        port: host.port,
        reason: reason.to_owned(),
    }
}

fn broken(error: russh::Error) -> SshError {
    SshError::Broken(error.to_string())
}

/// Which key is expected, and which was shown.
#[derive(Clone, Default)]
struct Keys {
    expected: Option<String>,
    shown: Arc<Mutex<Option<String>>>,
}

impl Keys {
    fn shown(&self) -> Option<String> {
        self.shown.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Handler for Keys {
    type Error = russh::Error;

    async fn check_server_key(&mut self, key: &PublicKeyOrCertificate) -> Result<bool, Self::Error> {
        let PublicKeyOrCertificate::PublicKey { key, .. } = key else {
            return Ok(false);
        };
        let mut key = key.clone();
        key.set_comment("");
        let shown = key.to_openssh()?;
        let known = self.expected.as_ref() == Some(&shown);
        *self.shown.lock().unwrap_or_else(PoisonError::into_inner) = Some(shown);
        Ok(known)
    }
}
