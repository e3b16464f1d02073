//! What the operator changes outside of itself, counted: writes to the API server and commands to BMCs. A sweep cuts a run at each of
//! them.

use super::party::Party;
use http::{Method, Uri};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;

/// What happens at an effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Side {
    /// The operator dies: the request was about to be sent.
    Before,
    /// The operator dies: the request has taken effect, and its answer did not arrive.
    After,
    /// The operator lives. The request arrives [`LATE`], when the operator has long given it up and gone on.
    Late,
}

/// Long enough for a machine to get through a cleanup and to another tenant.
pub const LATE: Duration = Duration::from_secs(20 * 60);

/// One effect, and what happens at it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Cut {
    /// Effects are counted from 1.
    pub effect: u64,
    pub side: Side,
}

/// Counts effects.
#[derive(Debug, Default)]
pub(super) struct Effects {
    names: Vec<String>,
    cut: Option<(Cut, Arc<Notify>)>,
}

impl Effects {
    /// From now on: tells the one who waits for it when the moment has come.
    pub(super) fn cut_at(&mut self, cut: Cut) -> Arc<Notify> {
        let reached = Arc::new(Notify::new());
        self.cut = Some((cut, reached.clone()));
        reached
    }

    /// One request of `from`: on which side of it the operator dies, and whom to tell.
    pub(super) fn count(
        &mut self,
        from: &Party,
        to: &Party,
        method: &Method,
        uri: &Uri,
    ) -> Option<(Side, Arc<Notify>)> {
        if !from.is_operator() || !is_effect(method, uri) {
            return None;
        }
        self.names.push(format!("{method} {to} {}", uri.path()));
        let number = u64::try_from(self.names.len()).unwrap_or(u64::MAX);
        if self.cut.as_ref().is_none_or(|(cut, _)| cut.effect != number) {
            return None;
        }
        self.cut.take().map(|(cut, reached)| (cut.side, reached))
    }

    pub(super) fn names(&self) -> Vec<String> {
        self.names.clone()
    }
}

/// Leases are no work, and Kubernetes Events tell of work.
fn is_effect(method: &Method, uri: &Uri) -> bool {
    let path = uri.path();
    !matches!(*method, Method::GET | Method::HEAD) && !path.contains("/leases") && !path.contains("/events")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_changes_by_the_operator_count() {
        let (operator, user, api) = (Party::new("operator-1"), Party::new("user"), Party::new("api"));
        let mut effects = Effects::default();
        let cut = Cut {
            effect: 2,
            side: Side::After,
        };
        let _reached = effects.cut_at(cut);
        let path = |path: &'static str| Uri::from_static(path);
        for (from, method, uri) in [
            (&user, Method::PUT, "/apis/x/servers/a"),
            (&operator, Method::GET, "/apis/x/servers/a"),
            (&operator, Method::PATCH, "/apis/x/servers/a"),
            (&operator, Method::PUT, "/apis/x/leases/a"),
        ] {
            assert!(effects.count(from, &api, &method, &path(uri)).is_none());
        }
        let (side, _) = effects
            .count(&operator, &api, &Method::POST, &path("/apis/x/servers"))
            .expect("the second");
        assert_eq!(side, Side::After);
        assert_eq!(
            effects.names(),
            ["PATCH api /apis/x/servers/a", "POST api /apis/x/servers"]
        );
    }
}
