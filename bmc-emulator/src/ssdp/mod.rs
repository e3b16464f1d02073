//! Discovery by SSDP (DSP0266 §12.1, UPnP Device Architecture 1.1 §1): BMCs answer who searches for Redfish services, say
//! that they are there now and then, and take their leave.
//!
//! | module | subject |
//! |---|---|
//! | `messages` | what is sent, and what is understood |
//!
//! Datagrams come and go through channels: whoever has sockets connects them (`serve`), a test does without. How long a BMC
//! waits before it answers follows from the seed.

mod messages;

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use self::messages::{MAXIMUM_AGE, Search, Service};
use crate::bmc::Bmc;
use crate::identity;

pub use self::messages::GROUP;

/// Announcements are lost now and then; three have to be lost before one is forgotten.
const PERIOD: Duration = Duration::from_secs(MAXIMUM_AGE / 3);
/// An announcement of a large fleet does not come as one burst.
const BETWEEN_ANNOUNCEMENTS: Duration = Duration::from_millis(1);
/// More answers than these do not wait at the same time: somebody searches too often.
const MAXIMUM_WAITING: usize = 100_000;

/// A BMC that can be found, and the URL of its service.
#[derive(Clone)]
pub struct Discoverable {
    pub bmc: Bmc,
    /// `https://` and the host, without a path.
    pub url: String,
}

/// Datagrams that arrive, and who has sent them.
pub type Arriving = mpsc::Receiver<(Bytes, SocketAddr)>;
/// Datagrams to send, and where to.
pub type Leaving = mpsc::Sender<(Bytes, SocketAddr)>;

/// Takes part in discovery until `stop`, for all BMCs whose SSDP is enabled and that answer at the moment.
pub async fn run(
    bmcs: Vec<Discoverable>,
    seed: u64,
    mut arriving: Arriving,
    leaving: Leaving,
    stop: CancellationToken,
) {
    for discoverable in &bmcs {
        discoverable
            .bmc
            .with(|machine, _| machine.redfish.network.ssdp = Some(true));
    }
    let mut waiting: BinaryHeap<Reverse<(Instant, u64, usize)>> = BinaryHeap::new();
    let mut letters: std::collections::BTreeMap<u64, (Bytes, SocketAddr)> = std::collections::BTreeMap::new();
    let mut number = 0;
    let mut announcement = Instant::now();
    loop {
        let next = waiting
            .peek()
            .map_or(announcement, |Reverse((due, ..))| (*due).min(announcement));
        tokio::select! {
            biased;
            () = stop.cancelled() => break,
            arrived = arriving.recv() => {
                let Some((datagram, sender)) = arrived else { break };
                let Some(search) = Search::read(&datagram) else { continue };
                for (index, found) in bmcs.iter().enumerate() {
                    let Some(service) = service(found) else { continue };
                    if waiting.len() >= MAXIMUM_WAITING {
                        tracing::warn!(%sender, "too many searches at the same time; some are not answered");
                        break;
                    }
                    number += 1;
                    let path = ["ssdp", found.bmc.name(), &number.to_string()];
                    let share = f64::from(identity::derive(seed, &path)[0]) / 256.0;
                    waiting.push(Reverse((Instant::now() + search.patience.mul_f64(share), number, index)));
                    letters.insert(number, (search.answer(&service), sender));
                }
            }
            () = sleep_until(next) => {
                let now = Instant::now();
                while let Some(Reverse((due, number, index))) = waiting.peek().copied().filter(|Reverse((due, ..))| *due <= now) {
                    debug_assert!(due <= now);
                    waiting.pop();
                    // It may have gone since.
                    let letter = letters.remove(&number).filter(|_| service(&bmcs[index]).is_some());
                    if let Some(letter) = letter && leaving.send(letter).await.is_err() {
                        return;
                    }
                }
                if announcement <= now {
                    announcement = now + PERIOD;
                    if !announce(&bmcs, &leaving, true).await {
                        return;
                    }
                }
            }
        }
    }
    announce(&bmcs, &leaving, false).await;
}

/// Whether anybody still takes what is sent.
async fn announce(bmcs: &[Discoverable], leaving: &Leaving, alive: bool) -> bool {
    for service in bmcs.iter().filter_map(service) {
        if leaving.send((service.notification(alive), GROUP)).await.is_err() {
            return false;
        }
        if alive {
            tokio::time::sleep(BETWEEN_ANNOUNCEMENTS).await;
        }
    }
    true
}

fn service(discoverable: &Discoverable) -> Option<Service> {
    discoverable.bmc.with(|machine, moment| {
        let answers = machine.redfish.network.ssdp == Some(true)
            && !machine.is_unreachable(moment.now)
            && machine.absence.is_none();
        answers.then(|| Service {
            uuid: machine.hardware.bmc_uuid,
            url: discoverable.url.clone(),
        })
    })
}
