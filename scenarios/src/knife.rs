//! What is done to the operator when it reaches the effect at which a run is cut.

use crate::net::Network;
use crate::net::disturbance::{Disturbance, Trouble};
use crate::net::effect::{Cut, Side};
use crate::testbed::wire::memory::MemoryWire;
use crate::testbed::world::World;
use crate::testbed::{OperatorAction, Testbed as _};
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

/// How long an operator that died is away.
const AWAY: Duration = Duration::from_secs(5);
/// How long an operator is without the API server: another one takes the lease over and gets on.
const DEPOSED: Duration = Duration::from_secs(5 * 60);
/// Disturbances of scenarios have no number; those of campaigns have smaller ones.
const WITHOUT_API: u64 = u64::MAX;

/// Waits for the effect, and does it. Over with the set.
pub(crate) fn wait(cut: Cut, network: &Network, world: &Arc<World<MemoryWire>>) -> JoinSet<()> {
    let (network, world, reached) = (network.clone(), world.clone(), network.cut_at(cut));
    let mut knife = JoinSet::new();
    match cut.side {
        Side::Before | Side::After => {
            knife.spawn(async move {
                reached.notified().await;
                world.interrupt_operator(AWAY).await;
            });
        }
        Side::Deposed => {
            knife.spawn(async move {
                reached.notified().await;
                depose(&network, &world).await;
            });
        }
        // The network does it alone.
        Side::Late | Side::Refused => {}
    }
    knife
}

/// It believes that it leads until it notices. What comes of that, and what it left half done, is another one's to deal with.
async fn depose(network: &Network, world: &World<MemoryWire>) {
    let Some(old) = world.oldest_operator().await else {
        return;
    };
    let disturbance = Disturbance {
        from: format!("operator-{old}").as_str().into(),
        to: "api".into(),
        trouble: Trouble::Hold,
        percent: 100,
    };
    network.disturb(WITHOUT_API, disturbance, Instant::now() + DEPOSED);
    // Whether it can be done is the scenario's to say: one may have stopped its operator by now.
    let another = world.operator(OperatorAction::StartAnother).await;
    sleep(DEPOSED).await;
    network.calm(WITHOUT_API);
    if another.is_ok() && world.operators().await > 1 {
        let _ = world.operator(OperatorAction::Stop).await;
    }
}
