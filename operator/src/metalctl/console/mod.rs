//! `metalctl console`: the serial console of a server, as its BMC offers it over SSH.
//!
//! | module | subject |
//! |---|---|
//! | [`access`] | where the BMC of a server is, and how one gets in |
//! | [`host_key`] | whether it is that BMC that answers |
//! | [`escape`] | how one gets out |
//! | `session` | the connection |
//! | `terminal` | the one at which somebody sits |

pub mod access;
pub mod escape;
pub mod host_key;
pub mod session;
mod terminal;

use std::path::PathBuf;

use anyhow::anyhow;

use self::host_key::Trust;
use self::terminal::RawTerminal;
use super::options::ConsoleOptions;

/// # Errors
/// Why there is no console.
pub async fn run(client: kube::Client, options: &ConsoleOptions) -> anyhow::Result<()> {
    let access = access::resolve(&client, &options.server, options.port).await?;
    let trust = match (options.skip_host_key_validation, &access.host_key) {
        (true, _) => Trust::Anybody,
        (false, Some(key)) => Trust::Pinned(key.clone()),
        (false, None) => Trust::KnownHosts(known_hosts(options.known_hosts_file.as_ref())?),
    };
    let command = match &options.command {
        Some(command) => command.clone(),
        None => format!("console {}", options.serial_console_number),
    };
    let wanted = session::Wanted {
        access,
        trust,
        command,
        size: terminal::size(),
    };
    let session = session::open(wanted).await?;
    eprintln!("connected to the console of {}; leave it by Enter ~ .", options.server);
    let raw = RawTerminal::enter()?;
    let ended = session::talk(session, terminal::keyboard()?, terminal::screen()?, terminal::size).await;
    drop(raw);
    eprintln!();
    ended
}

fn known_hosts(given: Option<&PathBuf>) -> anyhow::Result<PathBuf> {
    match (given, std::env::home_dir()) {
        (Some(file), _) => Ok(file.clone()),
        (None, Some(home)) => Ok(home.join(".ssh").join("known_hosts")),
        (None, None) => Err(anyhow!("where are the known hosts? Give --known-hosts-file FILE")),
    }
}
