//! No state: a new Server, or one whose status was lost (backup, move). Spec alone decides (S7).

use crds::ServerState;

use super::by_tenancy;
use crate::controllers::server::decision::{Decision, Step};
use crate::controllers::server::observed::Observed;
use crate::sabotage::{self, Bug};

pub(super) fn decide(observed: &Observed<'_>) -> Decision {
    // Incident 17.
    if sabotage::active(Bug::LostStatusRediscovers) {
        return Step::Enter(ServerState::Initial).into();
    }
    Step::Enter(by_tenancy(observed).unwrap_or(ServerState::Initial)).into()
}

#[cfg(test)]
mod tests {
    use super::super::testing::World;
    use super::*;

    #[test]
    fn a_lost_status_is_rebuilt_from_spec() {
        for (world, expected) in [
            (World::free(), ServerState::Initial),
            (World::held(), ServerState::Reserved),
            (World::releasing(), ServerState::Reserved),
            (World::residue(), ServerState::Cleanup),
        ] {
            assert_eq!(world.decide().step, Step::Enter(expected), "{:?}", world.server.spec);
        }
    }
}
