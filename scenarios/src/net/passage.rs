//! One request on its way and its answer on the way back.

use super::disturbance::{Fate, Trouble};
use super::effect::{LATE, Side};
use super::party::Party;
use super::{ConnectionBroken, ConnectionRefused, Latency, Network};
use crate::edges::BoxError;
use http::{Method, Uri};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Notify, oneshot};
use tokio::time::{Instant, sleep, sleep_until};

/// What was decided about a request when it was sent.
pub(super) struct Passage {
    network: Network,
    from: Party,
    to: Party,
    latency: Latency,
    fate: Fate,
    cut: Option<(Side, Arc<Notify>)>,
}

impl Passage {
    pub(super) fn new(
        network: &Network,
        from: &Party,
        to: &Party,
        latency: Latency,
        method: &Method,
        uri: &Uri,
    ) -> Self {
        Self {
            fate: network.disturbances().judge(from, to, Instant::now()),
            cut: network.effects().count(from, to, method, uri),
            network: network.clone(),
            from: from.clone(),
            to: to.clone(),
            latency,
        }
    }

    /// How much later the request arrives a second time, if it does.
    pub(super) fn repeated_after(&self) -> Option<Duration> {
        match self.fate.trouble {
            Some(Trouble::Duplicate { milliseconds }) => Some(Duration::from_millis(milliseconds)),
            _ => None,
        }
    }

    /// Takes the request to `serve` and brings back what it answers. `instead` makes the answer of somebody on the way.
    ///
    /// What has arrived is carried out, whatever becomes of the sender: that it gave up, or died, nobody tells the receiver.
    pub(super) async fn carry<T: Send + 'static>(
        self,
        serve: impl Future<Output = T> + Send + 'static,
        instead: impl FnOnce(u16) -> T,
    ) -> Result<T, BoxError> {
        let Self {
            network,
            from,
            to,
            latency,
            fate,
            cut,
        } = self;
        if let Some(until) = fate.held_until {
            sleep_until(until).await;
        }
        match fate.trouble {
            Some(Trouble::Refuse) => {
                latency.travel().await;
                return Err(ConnectionRefused(to.to_string()).into());
            }
            Some(Trouble::BreakBefore) => {
                latency.travel().await;
                return Err(ConnectionBroken(to.to_string()).into());
            }
            Some(Trouble::LoseRequest) => return std::future::pending().await,
            Some(Trouble::Answer { status }) => {
                latency.travel().await;
                latency.travel().await;
                return Ok(instead(status));
            }
            _ => {}
        }
        match &cut {
            Some((Side::Before, reached)) => {
                reached.notify_one();
                return std::future::pending().await;
            }
            Some((Side::Refused, _)) => {
                latency.travel().await;
                latency.travel().await;
                return Ok(instead(refusal(&to)));
            }
            _ => {}
        }
        let (answer, answered) = oneshot::channel();
        let late = if matches!(&cut, Some((Side::Late, _))) {
            LATE
        } else {
            Duration::ZERO
        };
        let (way, delay) = (latency.clone(), fate.delay + late);
        network.spawn(async move {
            way.travel().await;
            sleep_if(delay).await;
            // Nobody waits any more where the sender has given up.
            let _ = answer.send(serve.await);
        });
        let Ok(answer) = answered.await else {
            return Err(ConnectionBroken(to.to_string()).into());
        };
        match &cut {
            Some((Side::After, reached)) => {
                reached.notify_one();
                return std::future::pending().await;
            }
            // Who is told holds the answers of the API server before this one arrives.
            Some((Side::Deposed, reached)) => reached.notify_one(),
            _ => {}
        }
        match fate.trouble {
            Some(Trouble::LoseAnswer) => return std::future::pending().await,
            Some(Trouble::BreakAfter) => return Err(ConnectionBroken(to.to_string()).into()),
            _ => {}
        }
        latency.travel().await;
        sleep_if(fate.delay).await;
        let held = network.disturbances().holds(&from, &to, Instant::now());
        if let Some(until) = held {
            sleep_until(until).await;
        }
        Ok(answer)
    }
}

/// What an API server says that has lost its etcd, and a BMC that is busy.
fn refusal(to: &Party) -> u16 {
    if to.is_bmc() { 503 } else { 500 }
}

/// A timer of no time would still be a turn of the scheduler.
async fn sleep_if(delay: Duration) {
    if !delay.is_zero() {
        sleep(delay).await;
    }
}
