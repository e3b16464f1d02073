//! The SSH connection to a console.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use russh::client::{Config, Handle, Handler, Msg, connect};
use russh::keys::PublicKeyOrCertificate;
use russh::{Channel, ChannelMsg, Disconnect};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::timeout;

use super::access::Access;
use super::escape::Escape;
use super::host_key::{Trust, judge};
use crate::ssh::Host;

/// For connection and login.
const PATIENCE: Duration = Duration::from_secs(30);
/// A BMC that has said nothing for so long is asked whether it is still there.
const KEEPALIVE: Duration = Duration::from_secs(30);

/// What is to be opened.
pub struct Wanted {
    pub access: Access,
    pub trust: Trust,
    /// Empty: the shell itself is the console.
    pub command: String,
    /// Columns and rows.
    pub size: (u32, u32),
}

/// An open console.
pub struct Session {
    handle: Handle<Keys>,
    channel: Channel<Msg>,
}

/// # Errors
/// Why there is no console.
pub async fn open(wanted: Wanted) -> anyhow::Result<Session> {
    let Host { address, port } = wanted.access.host.clone();
    let late = || format!("no console within {}s from {address}, port {port}", PATIENCE.as_secs());
    timeout(PATIENCE, log_in(wanted)).await.with_context(late)?
}

async fn log_in(wanted: Wanted) -> anyhow::Result<Session> {
    let Wanted {
        access,
        trust,
        command,
        size: (columns, rows),
    } = wanted;
    let host = access.host;
    let keys = Keys {
        host: host.clone(),
        trust,
        objection: Arc::default(),
    };
    let config = Config {
        keepalive_interval: Some(KEEPALIVE),
        ..Config::default()
    };
    let connected = connect(Arc::new(config), (host.address.as_str(), host.port), keys.clone()).await;
    let mut handle = connected.map_err(|error| match keys.objection() {
        Some(objection) => anyhow!(objection),
        None => anyhow!(error).context(format!("no SSH connection to {}, port {}", host.address, host.port)),
    })?;
    let credentials = access.credentials;
    let login = handle.authenticate_password(credentials.username.clone(), credentials.password.as_str());
    if !login.await.context("the login broke off")?.success() {
        bail!("the BMC refuses the user {} of its BMCSecret", credentials.username);
    }
    let channel = handle.channel_open_session().await.context("no SSH channel")?;
    let terminal = channel.request_pty(false, "xterm", columns, rows, 0, 0, &[]);
    terminal.await.context("no terminal at the BMC")?;
    if command.is_empty() {
        channel.request_shell(true).await.context("no shell at the BMC")?;
    } else {
        channel
            .exec(true, command.as_str())
            .await
            .context("no command at the BMC")?;
    }
    Ok(Session { handle, channel })
}

/// Passes on what is typed and what the machine says, until somebody leaves or the BMC ends it.
///
/// # Errors
/// The connection broke, or the BMC refused the command.
pub async fn talk(
    session: Session,
    mut keys: impl AsyncRead + Unpin,
    mut screen: impl AsyncWrite + Unpin,
    size: impl Fn() -> (u32, u32),
) -> anyhow::Result<()> {
    let Session { handle, mut channel } = session;
    let mut resized = signal(SignalKind::window_change()).context("cannot listen to SIGWINCH")?;
    let (mut escape, mut typed, mut listening) = (Escape::default(), [0; 1024], true);
    loop {
        tokio::select! {
            biased;
            message = channel.wait() => match message {
                None | Some(ChannelMsg::Close) => break,
                Some(ChannelMsg::Data { data } | ChannelMsg::ExtendedData { data, .. }) => {
                    screen.write_all(&data).await.context("the screen is gone")?;
                    screen.flush().await.context("the screen is gone")?;
                }
                Some(ChannelMsg::ExitStatus { exit_status }) if exit_status != 0 => {
                    bail!("the BMC ended the console with status {exit_status}");
                }
                Some(ChannelMsg::Failure) => bail!("the BMC refuses the command that opens the console; see --command"),
                Some(_) => {}
            },
            _ = resized.recv() => {
                let (columns, rows) = size();
                channel.window_change(columns, rows, 0, 0).await.context("the connection broke")?;
            }
            read = keys.read(&mut typed), if listening => match read.context("the keyboard is gone")? {
                // Nobody types any more; the machine may have something to say.
                0 => {
                    listening = false;
                    channel.eof().await.context("the connection broke")?;
                }
                length => {
                    let typed = escape.typed(&typed[..length]);
                    channel.data(typed.passed.as_slice()).await.context("the connection broke")?;
                    if typed.leave {
                        break;
                    }
                }
            },
        }
    }
    // The BMC may have closed it already.
    let _ = handle.disconnect(Disconnect::ByApplication, "", "").await;
    Ok(())
}

/// Judges the key of the host.
#[derive(Clone)]
struct Keys {
    host: Host,
    trust: Trust,
    objection: Arc<Mutex<Option<String>>>,
}

impl Keys {
    fn objection(&self) -> Option<String> {
        self.objection.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Handler for Keys {
    type Error = russh::Error;

    async fn check_server_key(&mut self, key: &PublicKeyOrCertificate) -> Result<bool, Self::Error> {
        let judged = match key {
            PublicKeyOrCertificate::PublicKey { key, .. } => judge(&self.trust, &self.host, key),
            PublicKeyOrCertificate::Certificate(_) => Err("the BMC shows a certificate instead of a key".to_owned()),
        };
        let known = judged.is_ok();
        *self.objection.lock().unwrap_or_else(PoisonError::into_inner) = judged.err();
        Ok(known)
    }
}
