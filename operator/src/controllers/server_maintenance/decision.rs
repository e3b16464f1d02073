//! What a maintenance needs next. Pure.

use std::sync::Arc;

use crds::kinds::server::IndicatorLed;
use crds::{MaintenancePolicy, MaintenanceState, Server, ServerClaim, ServerMaintenance, keys};
use kube::ResourceExt;

use super::{GRANTED, is_under_way, queue};
use crate::conditions::Wish;
use crate::controllers::is_ignored;
use crate::controllers::server::observed::BootView;
use crate::ownership::parking;

/// One look.
pub struct Seen<'a> {
    pub maintenance: &'a ServerMaintenance,
    pub server: Option<&'a Server>,
    pub owner: Owner<'a>,
    /// Every maintenance of this server.
    pub others: &'a [Arc<ServerMaintenance>],
    /// Its boot configuration, where there is a server.
    pub boot: Option<BootView>,
}

/// Who has to be asked.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Owner<'a> {
    Nobody,
    /// A tenant whose claim is going, or was not found: he cannot be asked, and his machine is not free yet.
    Leaving,
    Claim(&'a ServerClaim),
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Nothing, until something changes.
    Wait,
    /// Ask the owner.
    Ask,
    /// The server gets its reference.
    Grant,
    /// Make or update the boot configuration, and let the server reference it.
    Configure,
    /// Set the locator LED.
    Light(IndicatorLed),
}

/// The step, and what is said about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    pub state: MaintenanceState,
    pub wish: Wish,
    pub step: Step,
}

/// Whether the maintenance may begin, as far as the owner is concerned. One without policy asks (W36).
pub fn may_begin(maintenance: &ServerMaintenance, owner: &Owner<'_>) -> bool {
    match owner {
        Owner::Nobody => true,
        Owner::Leaving => false,
        Owner::Claim(claim) => {
            maintenance.spec.policy == Some(MaintenancePolicy::Enforced)
                || claim.labels().contains_key(keys::maintenance::APPROVED_LABEL)
        }
    }
}

/// Decides for a maintenance that is not being deleted.
pub fn decide(seen: &Seen<'_>) -> Decision {
    let state = seen.maintenance.status.as_ref().and_then(|status| status.state.clone());
    let pending = |reason: &str, message: String, step: Step| Decision {
        state: MaintenanceState::Pending,
        wish: Wish::no(GRANTED, reason, message),
        step,
    };
    let wait = |reason: &str, message: String| pending(reason, message, Step::Wait);
    let name = &seen.maintenance.spec.server_ref.name;
    let Some(server) = seen.server else {
        return wait("ServerNotFound", format!("Server {name} does not exist (yet)"));
    };
    if is_under_way(seen.maintenance, seen.server) {
        return under_way(seen, server, state);
    }
    if state == Some(MaintenanceState::Failed) {
        return failed(seen);
    }
    if let Some(other) = &server.spec.server_maintenance_ref {
        let message = format!("ServerMaintenance {}/{} has Server {name}", other.namespace, other.name);
        return wait("OtherMaintenance", message);
    }
    if server.metadata.deletion_timestamp.is_some() || is_ignored(server) || parking::is_withheld(server) {
        let message = format!("Server {name} is being deleted, ignored or parked");
        return wait("ServerUnavailable", message);
    }
    match seen.owner {
        Owner::Leaving => {
            let message = format!("Server {name} is about to be given back by its tenant");
            return wait("ServerBeingReleased", message);
        }
        Owner::Claim(claim) if !may_begin(seen.maintenance, &seen.owner) => {
            let message = format!(
                "ServerClaim {}/{} holds Server {name}; its owner lets the maintenance begin with the label {}",
                claim.namespace().unwrap_or_default(),
                claim.name_any(),
                keys::maintenance::APPROVED_LABEL
            );
            return pending("WaitingForApproval", message, Step::Ask);
        }
        Owner::Claim(claim) if !claim.labels().contains_key(keys::maintenance::NEEDED_LABEL) => {
            let message = format!("The owner of Server {name} is told first");
            return pending("TellingOwner", message, Step::Ask);
        }
        Owner::Claim(_) | Owner::Nobody => {}
    }
    if !queue::is_first(seen.maintenance, server, &seen.owner, seen.others) {
        let message = format!("Another maintenance of Server {name} comes first");
        return wait("OtherMaintenanceFirst", message);
    }
    pending(
        "Granting",
        format!("Server {name} is free for the maintenance"),
        Step::Grant,
    )
}

fn under_way(seen: &Seen<'_>, server: &Server, state: Option<MaintenanceState>) -> Decision {
    let granted = |step: Step| Decision {
        state: MaintenanceState::InMaintenance,
        wish: Wish::yes(GRANTED, "HasServer", format!("It has Server {}", server.name_any())),
        step,
    };
    let template = seen.maintenance.spec.server_boot_configuration_template.is_some();
    match &seen.boot {
        Some(BootView::Missing) if template => return granted(Step::Configure),
        // Only while the image is refused: what boots after all is used.
        Some(BootView::Refused { message }) if template => {
            return Decision {
                state: MaintenanceState::Failed,
                wish: Wish::yes(GRANTED, "BootConfigurationError", message.clone()),
                step: Step::Wait,
            };
        }
        _ => {}
    }
    if state == Some(MaintenanceState::Failed) && !template {
        return failed(seen);
    }
    let wanted = seen
        .maintenance
        .spec
        .locator_led
        .as_ref()
        .filter(|led| !led.as_str().is_empty());
    match wanted {
        Some(led) if server.spec.indicator_led.as_ref() != Some(led) => granted(Step::Light(led.clone())),
        _ => granted(Step::Wait),
    }
}

/// What failed stays so, until somebody deletes it.
fn failed(seen: &Seen<'_>) -> Decision {
    let status = seen.maintenance.status.clone().unwrap_or_default();
    let said = crate::conditions::find(&status.conditions, GRANTED);
    Decision {
        state: MaintenanceState::Failed,
        wish: Wish::no(
            GRANTED,
            "Failed",
            said.map_or_else(String::new, |condition| condition.message.clone()),
        ),
        step: Step::Wait,
    }
}

#[cfg(test)]
mod tests {
    use crds::kinds::server::ClaimReference;
    use crds::kinds::server_maintenance::BootConfigurationTemplate;
    use crds::{
        LocalObjectReference, Power, ServerClaimSpec, ServerMaintenanceSpec, ServerMaintenanceStatus, ServerSpec,
    };
    use jiff::Timestamp;
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

    use super::*;
    use crate::ownership::maintenance::reference;

    fn maintenance(name: &str, policy: Option<MaintenancePolicy>, priority: i32, created: i64) -> ServerMaintenance {
        let mut maintenance = ServerMaintenance::new(
            name,
            ServerMaintenanceSpec {
                policy,
                server_ref: LocalObjectReference::named("a"),
                priority: Some(priority),
                ..ServerMaintenanceSpec::default()
            },
        );
        maintenance.metadata.namespace = Some("ns".into());
        maintenance.metadata.uid = Some(name.into());
        maintenance.metadata.creation_timestamp = Some(Time(Timestamp::from_second(created).unwrap()));
        maintenance
    }

    fn claim(labels: &[&str]) -> ServerClaim {
        let mut claim = ServerClaim::new(
            "claim",
            ServerClaimSpec {
                power: Power::On,
                server_ref: None,
                server_selector: None,
                ignition_secret_ref: None,
                user_data_ref: None,
                image: "image".into(),
                tolerations: Vec::new(),
            },
        );
        claim.metadata.namespace = Some("tenant".into());
        let labels = labels.iter().map(|label| ((*label).to_owned(), "true".to_owned()));
        claim.labels_mut().extend(labels);
        claim
    }

    fn server() -> Server {
        let mut server = Server::new("a", ServerSpec::default());
        server.spec.server_claim_ref = Some(ClaimReference {
            namespace: "tenant".into(),
            name: "claim".into(),
            uid: Some("u".into()),
        });
        server
    }

    fn decided(
        maintenance: &ServerMaintenance,
        server: &Server,
        owner: Owner<'_>,
        others: &[ServerMaintenance],
    ) -> Decision {
        let others: Vec<_> = others.iter().chain([maintenance]).cloned().map(Arc::new).collect();
        decide(&Seen {
            maintenance,
            server: Some(server),
            owner,
            others: &others,
            boot: Some(BootView::Missing),
        })
    }

    #[test]
    fn the_owner_is_asked_unless_it_is_enforced() {
        use keys::maintenance::{APPROVED_LABEL, NEEDED_LABEL};
        let asks = [Some(MaintenancePolicy::OwnerApproval), None];
        let unaware = claim(&[]);
        let aware = claim(&[NEEDED_LABEL]);
        let agreed = claim(&[NEEDED_LABEL, APPROVED_LABEL]);
        for policy in asks {
            let one = maintenance("one", policy, 0, 1);
            for (owner, step) in [
                (Owner::Nobody, Step::Grant),
                (Owner::Leaving, Step::Wait),
                (Owner::Claim(&unaware), Step::Ask),
                (Owner::Claim(&aware), Step::Ask),
                (Owner::Claim(&agreed), Step::Grant),
            ] {
                assert_eq!(decided(&one, &server(), owner, &[]).step, step, "{owner:?}");
            }
        }
        let enforced = maintenance("one", Some(MaintenancePolicy::Enforced), 0, 1);
        assert_eq!(
            decided(&enforced, &server(), Owner::Claim(&unaware), &[]).step,
            Step::Ask
        );
        assert_eq!(
            decided(&enforced, &server(), Owner::Claim(&aware), &[]).step,
            Step::Grant
        );
        assert_eq!(decided(&enforced, &server(), Owner::Leaving, &[]).step, Step::Wait);
    }

    #[test]
    fn one_at_a_time_in_this_order() {
        let enforced = Some(MaintenancePolicy::Enforced);
        let asks = Some(MaintenancePolicy::OwnerApproval);
        let order = [
            maintenance("urgent", asks.clone(), 7, 9),
            maintenance("enforced", enforced.clone(), 0, 9),
            maintenance("old", asks.clone(), 0, 1),
            maintenance("a-young", asks.clone(), 0, 2),
            maintenance("young", asks, 0, 2),
        ];
        for (position, one) in order.iter().enumerate() {
            let (before, after) = order.split_at(position);
            assert_eq!(decided(one, &server(), Owner::Nobody, after).step, Step::Grant);
            for first in before {
                let decision = decided(one, &server(), Owner::Nobody, std::slice::from_ref(first));
                assert_eq!(decision.wish.reason, "OtherMaintenanceFirst");
            }
        }
        // Whose owner has not agreed holds nobody up.
        let aware = claim(&[keys::maintenance::NEEDED_LABEL]);
        let decision = decided(&order[1], &server(), Owner::Claim(&aware), &order);
        assert_eq!(decision.step, Step::Grant);
        let mut taken = server();
        taken.spec.server_maintenance_ref = Some(reference(&order[0]));
        for one in &order[1..] {
            assert_eq!(decided(one, &taken, Owner::Nobody, &[]).wish.reason, "OtherMaintenance");
        }
    }

    #[test]
    fn what_has_its_server_is_in_maintenance_whatever_the_status_says() {
        let mut one = maintenance("one", None, 0, 1);
        one.spec.locator_led = Some(IndicatorLed::Blinking);
        let mut granted = server();
        granted.spec.server_maintenance_ref = Some(reference(&one));
        let decision = decided(&one, &granted, Owner::Leaving, &[]);
        assert_eq!(decision.state, MaintenanceState::InMaintenance);
        assert_eq!(decision.step, Step::Light(IndicatorLed::Blinking));
        granted.spec.indicator_led = Some(IndicatorLed::Blinking);
        assert_eq!(decided(&one, &granted, Owner::Leaving, &[]).step, Step::Wait);
        one.spec.server_boot_configuration_template = Some(BootConfigurationTemplate::default());
        assert_eq!(decided(&one, &granted, Owner::Leaving, &[]).step, Step::Configure);
        let refused = decide(&Seen {
            maintenance: &one,
            server: Some(&granted),
            owner: Owner::Nobody,
            others: &[],
            boot: Some(BootView::Refused { message: "no".into() }),
        });
        assert_eq!(refused.state, MaintenanceState::Failed);
        one.metadata.uid = Some("another".into());
        assert_eq!(
            decided(&one, &granted, Owner::Nobody, &[]).state,
            MaintenanceState::Pending
        );
    }

    #[test]
    fn it_waits_for_a_server_that_is_not_there_or_not_ours_to_give() {
        let mut one = maintenance("one", None, 0, 1);
        let missing = decide(&Seen {
            maintenance: &one,
            server: None,
            owner: Owner::Nobody,
            others: &[],
            boot: None,
        });
        assert_eq!(missing.wish.reason, "ServerNotFound");
        let mut parked = server();
        let annotations = parked.annotations_mut();
        annotations.insert(keys::PARKED_ANNOTATION.into(), "true".into());
        assert_eq!(
            decided(&one, &parked, Owner::Nobody, &[]).wish.reason,
            "ServerUnavailable"
        );
        one.status = Some(ServerMaintenanceStatus {
            state: Some(MaintenanceState::Failed),
            conditions: Vec::new(),
        });
        assert_eq!(
            decided(&one, &server(), Owner::Nobody, &[]).state,
            MaintenanceState::Failed
        );
    }
}
