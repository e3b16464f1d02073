//! Released (`reclaimPolicy: Retain`): off, with the last tenant's data, until an administrator clears `serverClaimRef`.

use crds::ServerState;
use crds::kinds::server::ReclaimPolicy;

use crate::controllers::server::decision::{Decision, Step};
use crate::controllers::server::observed::Observed;
use crate::controllers::server::power::{self, Force};
use crate::ownership::reservation::Tenancy;

pub(super) fn decide(observed: &Observed<'_>) -> Decision {
    match Tenancy::of(observed.server) {
        Tenancy::Free => return Step::Enter(observed.state_when_free()).into(),
        Tenancy::Held | Tenancy::Unfenced => return Step::Enter(ServerState::Reserved).into(),
        // The administrator cleared the reference, or does not want it retained any more.
        Tenancy::Residue { .. }
            if observed.server.spec.server_claim_ref.is_none()
                || observed.server.spec.reclaim_policy != ReclaimPolicy::Retain =>
        {
            return Step::Enter(ServerState::Cleanup).into();
        }
        Tenancy::Residue { .. } => {}
    }
    power::off(observed, Force::AfterAsking).unwrap_or_else(|| Step::Rest.into())
}

#[cfg(test)]
mod tests {
    use super::super::testing::World;
    use super::*;
    use crate::bmc::ReportedPower;

    #[test]
    fn waits_for_the_administrator_and_then_wipes() {
        let mut retained = World::releasing()
            .in_state(ServerState::Released)
            .power(ReportedPower::Off);
        let recycled = retained.decide().step;
        assert_eq!(recycled, Step::Enter(ServerState::Cleanup), "the policy was changed");
        retained.server.spec.reclaim_policy = ReclaimPolicy::Retain;
        assert_eq!(retained.decide().step, Step::Rest);
        let cleared = World::residue()
            .in_state(ServerState::Released)
            .power(ReportedPower::Off);
        assert_eq!(cleared.decide().step, Step::Enter(ServerState::Cleanup));
    }
}
