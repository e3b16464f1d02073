//! The console of a server, against an SSH server on a socket that behaves as a BMC's does.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use operator::bmc::Credentials;
use operator::metalctl::console::access::Access;
use operator::metalctl::console::host_key::Trust;
use operator::metalctl::console::session::{Wanted, open, talk};
use operator::ssh::Host;
use russh::keys::PrivateKey;
use russh::keys::ssh_key::private::{Ed25519Keypair, KeypairData};
use russh::server::{Auth, ChannelOpenHandle, Config, Handler, Msg, Session, run_stream};
use russh::{Channel, ChannelId, Pty};
use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

/// What the BMC was told.
type Told = Arc<Mutex<Vec<String>>>;

struct Bmc {
    told: Told,
}

impl Bmc {
    fn note(&self, what: String) {
        self.told.lock().expect("notes").push(what);
    }
}

impl Handler for Bmc {
    type Error = russh::Error;

    async fn auth_password(&mut self, user: &str, password: &str) -> Result<Auth, Self::Error> {
        self.note(format!("login {user}"));
        Ok(if password == "secret" {
            Auth::Accept
        } else {
            Auth::reject()
        })
    }

    async fn channel_open_session(
        &mut self,
        _: Channel<Msg>,
        reply: ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), Self::Error> {
        reply.accept().await;
        Ok(())
    }

    async fn pty_request(
        &mut self,
        _: ChannelId,
        term: &str,
        columns: u32,
        rows: u32,
        _: u32,
        _: u32,
        _: &[(Pty, u32)],
        _: &mut Session,
    ) -> Result<(), Self::Error> {
        self.note(format!("{term} {columns}x{rows}"));
        Ok(())
    }

    async fn exec_request(
        &mut self,
        channel: ChannelId,
        data: &[u8],
        session: &mut Session,
    ) -> Result<(), Self::Error> {
        let command = String::from_utf8_lossy(data).into_owned();
        self.note(command.clone());
        if command == "console 9" {
            return session.channel_failure(channel);
        }
        session.channel_success(channel)?;
        session.data(channel, b"login: ".to_vec())
    }

    async fn data(&mut self, channel: ChannelId, data: &[u8], session: &mut Session) -> Result<(), Self::Error> {
        session.data(channel, data.to_ascii_uppercase())
    }
}

fn key() -> PrivateKey {
    PrivateKey::new(KeypairData::from(Ed25519Keypair::from_seed(&[7; 32])), "").expect("a key")
}

fn shown() -> String {
    key().public_key().to_openssh().expect("a key")
}

/// A BMC at a port of its own.
async fn bmc(tasks: &mut JoinSet<()>) -> (Host, Told) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let told = Told::default();
    let notes = told.clone();
    tasks.spawn(async move {
        let config = Arc::new(Config {
            keys: vec![key()],
            auth_rejection_time: Duration::ZERO,
            ..Config::default()
        });
        while let Ok((stream, _)) = listener.accept().await {
            let handler = Bmc { told: notes.clone() };
            if let Ok(session) = run_stream(config.clone(), stream, handler).await {
                let _ = session.await;
            }
        }
    });
    let host = Host {
        address: "127.0.0.1".to_owned(),
        port,
    };
    (host, told)
}

fn wanted(host: &Host, password: &str, trust: Trust, command: &str) -> Wanted {
    Wanted {
        access: Access {
            host: host.clone(),
            credentials: Credentials::new("admin", password),
            host_key: None,
        },
        trust,
        command: command.to_owned(),
        size: (120, 40),
    }
}

#[tokio::test]
async fn what_is_typed_reaches_the_machine_until_somebody_leaves() {
    let mut tasks = JoinSet::new();
    let (host, told) = bmc(&mut tasks).await;
    let session = open(wanted(&host, "secret", Trust::Pinned(shown()), "console 1"))
        .await
        .expect("a console");
    let ((mut keyboard, keys), (screen, mut seen)) = (duplex(256), duplex(256));
    let talking = talk(session, keys, screen, || (120, 40));
    let somebody = async {
        keyboard.write_all(b"root\r").await.expect("typed");
        let mut text = vec![0; "login: ROOT\r".len()];
        seen.read_exact(&mut text).await.expect("an answer");
        assert_eq!(String::from_utf8_lossy(&text), "login: ROOT\r");
        keyboard.write_all(b"~.").await.expect("typed");
        // Still held open: it ends because of what was typed, not because nobody types.
        keyboard
    };
    let (ended, _keyboard) = tokio::time::timeout(Duration::from_secs(20), async { tokio::join!(talking, somebody) })
        .await
        .expect("it ends");
    ended.expect("in an orderly way");
    assert_eq!(
        *told.lock().expect("notes"),
        ["login admin", "xterm 120x40", "console 1"]
    );
}

#[tokio::test]
async fn a_stranger_is_told_no_password() {
    let mut tasks = JoinSet::new();
    let (host, told) = bmc(&mut tasks).await;
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("known_hosts");
    let other = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJdD7y3aLq454yWBdwLWbieU1ebz9/cu7/QEXn9OIeZJ";
    for (trust, expected) in [
        (
            Trust::Pinned(other.to_owned()),
            "which is not the one in the annotation",
        ),
        (Trust::KnownHosts(file.clone()), "does not know 127.0.0.1"),
    ] {
        let refused = open(wanted(&host, "secret", trust, "console 1"))
            .await
            .err()
            .expect("refused");
        assert!(format!("{refused:#}").contains(expected), "{refused:#}");
    }
    assert!(told.lock().expect("notes").is_empty(), "nobody logged in");
    std::fs::write(&file, format!("[127.0.0.1]:{} {}\n", host.port, shown())).expect("written");
    open(wanted(&host, "secret", Trust::KnownHosts(file), "console 1"))
        .await
        .expect("known");
}

#[tokio::test]
async fn what_the_bmc_refuses_is_said() {
    let mut tasks = JoinSet::new();
    let (host, _told) = bmc(&mut tasks).await;
    let refused = open(wanted(&host, "wrong", Trust::Anybody, "console 1"))
        .await
        .err()
        .expect("refused");
    assert_eq!(
        format!("{refused:#}"),
        "the BMC refuses the user admin of its BMCSecret"
    );
    let session = open(wanted(&host, "secret", Trust::Anybody, "console 9"))
        .await
        .expect("a session");
    let (_keyboard, keys) = duplex(16);
    let ended = talk(session, keys, tokio::io::sink(), || (80, 24)).await;
    assert!(format!("{:#}", ended.expect_err("refused")).contains("--command"));
}
