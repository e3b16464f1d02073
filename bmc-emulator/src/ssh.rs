//! The SSH face, without its sockets: a shell in which the BMC itself can be restarted. It works on when the web server of the BMC does
//! not, which is what it is good for.

use russh::keys::PrivateKey;
use russh::keys::ssh_key::private::{Ed25519Keypair, KeypairData};

use crate::bmc::Bmc;
use crate::event::MachineEventKind;

/// What a command has printed, and how it ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SshOutput {
    pub text: String,
    pub status: u32,
}

/// As a shell says that it does not know a command.
const UNKNOWN_COMMAND: u32 = 127;

impl Bmc {
    /// The key by which clients know the host again, in OpenSSH's format without a comment.
    pub fn ssh_host_key(&self) -> String {
        self.ssh_private_key()
            .and_then(|key| key.public_key().to_openssh())
            .unwrap_or_default()
    }

    pub(crate) fn ssh_private_key(&self) -> Result<PrivateKey, russh::keys::ssh_key::Error> {
        let seed = crate::identity::derive(self.shared().edges.seed, &[self.name(), "ssh"]);
        PrivateKey::new(KeypairData::from(Ed25519Keypair::from_seed(&seed)), "")
    }

    /// Whether a client gets a connection at all.
    pub fn ssh_answers(&self) -> bool {
        self.endpoint().ssh_port.is_some() && self.accepts_connections()
    }

    /// Whether the password is right. Counts as a login, with everything that follows from wrong ones.
    pub fn ssh_log_in(&self, user: &str, password: &str) -> bool {
        self.with(|machine, moment| {
            let accounts = &mut machine.redfish.accounts;
            let accepted = accounts.log_in(user, password, moment.now).is_some();
            if !accepted {
                machine.counters.logins_failed += 1;
                let user = user.to_owned();
                machine.event(moment.wall, MachineEventKind::LoginFailed { user });
            }
            accepted
        })
    }

    /// Runs a command of somebody who has logged in.
    pub fn ssh_run(&self, command: &str) -> SshOutput {
        self.with(|machine, moment| {
            if machine.personality.ssh_reset_command != Some(command.trim()) {
                return SshOutput {
                    text: format!("{command}: command not found\n"),
                    status: UNKNOWN_COMMAND,
                };
            }
            machine.reset_bmc(moment);
            SshOutput {
                text: "The BMC is being reset.\n".to_owned(),
                status: 0,
            }
        })
    }
}
