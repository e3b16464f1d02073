//! What the operator changes outside of itself, counted: writes to the API server and commands to BMCs. A sweep cuts a run at each of
//! them.

use super::party::Party;
use http::{Method, Uri};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;
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
    /// The operator lives. The request has no effect and is answered with an error: 500 of the API server, 503 of a BMC.
    Refused,
    /// The operator loses the API server, with this answer where it is one of the API server, and with it its lease. Another operator
    /// takes over.
    Deposed,
}

impl Side {
    const NAMES: [(Self, &str); 5] = [
        (Self::Before, "before"),
        (Self::After, "after"),
        (Self::Late, "late"),
        (Self::Refused, "refused"),
        (Self::Deposed, "deposed"),
    ];
}

impl fmt::Display for Side {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = Self::NAMES.iter().find(|(side, _)| side == self);
        formatter.write_str(name.map_or("", |(_, name)| name))
    }
}

/// As a cut is named: `17:after`.
impl fmt::Display for Cut {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}", self.effect, self.side)
    }
}

impl FromStr for Cut {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || {
            let sides: Vec<&str> = Side::NAMES.iter().map(|(_, name)| *name).collect();
            format!(
                "`{text}` is no cut; write, for example, 17:after (or {})",
                sides.join(", ")
            )
        };
        let (effect, side) = text.split_once(':').ok_or_else(wrong)?;
        let side = Side::NAMES.iter().find(|(_, name)| *name == side).ok_or_else(wrong)?.0;
        let effect = effect.parse().ok().filter(|effect| *effect > 0).ok_or_else(wrong)?;
        Ok(Self { effect, side })
    }
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
    fn cuts_are_read_as_they_are_written() {
        for (side, _) in Side::NAMES {
            let cut = Cut { effect: 17, side };
            assert_eq!(cut.to_string().parse(), Ok(cut));
        }
        for nonsense in ["17", "0:after", "x:after", "17:never"] {
            assert!(nonsense.parse::<Cut>().is_err(), "{nonsense}");
        }
    }

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
