//! How far those who watch over a world have seen.

use crate::script::kinds::KnownKind;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use tokio::sync::watch;

/// Watches are milliseconds behind. One that is so late is broken.
const PATIENCE: Duration = Duration::from_secs(20);

/// What was seen. Revisions of one kind are in order; those of others are not compared.
#[derive(Default)]
struct Seen {
    revisions: BTreeMap<&'static str, u64>,
    /// UIDs of everything that exists.
    alive: BTreeSet<String>,
}

pub(super) struct Sight {
    seen: watch::Sender<Seen>,
}

impl Default for Sight {
    fn default() -> Self {
        Self {
            seen: watch::Sender::new(Seen::default()),
        }
    }
}

/// What has to be seen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Sighting {
    /// The newest change that is known.
    pub(super) revision: Option<u64>,
    /// The object that is gone.
    pub(super) gone: Option<String>,
}

/// It was not seen in time.
#[derive(Debug, thiserror::Error)]
#[error("the testbed has not seen {sighting:?} of {kind} itself: its watch is broken")]
pub(super) struct Blind {
    kind: &'static str,
    sighting: Sighting,
}

impl Sight {
    /// An object of `kind` was seen at `revision`, and exists or not.
    pub(super) fn saw(&self, kind: KnownKind, revision: u64, uid: &str, exists: bool) {
        self.seen.send_modify(|seen| {
            let last = seen.revisions.entry(kind.kind).or_default();
            *last = revision.max(*last);
            if exists {
                seen.alive.insert(uid.to_owned());
            } else {
                seen.alive.remove(uid);
            }
        });
    }

    /// Waits until that much was seen.
    pub(super) async fn wait(&self, kind: KnownKind, sighting: Sighting) -> Result<(), Blind> {
        let mut seen = self.seen.subscribe();
        let enough = seen.wait_for(|seen| {
            let last = seen.revisions.get(kind.kind).copied().unwrap_or_default();
            sighting.revision.is_none_or(|revision| revision <= last)
                && sighting.gone.as_ref().is_none_or(|uid| !seen.alive.contains(uid))
        });
        match tokio::time::timeout(PATIENCE, enough).await {
            Ok(Ok(_)) => Ok(()),
            _ => Err(Blind {
                kind: kind.kind,
                sighting,
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::script::kinds;
    use futures::FutureExt as _;

    #[tokio::test]
    async fn what_was_not_seen_is_waited_for() {
        let (server, claim) = (kinds::find("Server").unwrap(), kinds::find("ServerClaim").unwrap());
        let sight = Sight::default();
        let change = |revision| Sighting {
            revision: Some(revision),
            gone: None,
        };
        let gone = Sighting {
            revision: None,
            gone: Some("a".to_owned()),
        };
        sight.saw(server, 7, "a", true);
        assert!(sight.wait(server, change(7)).now_or_never().is_some());
        assert!(sight.wait(server, change(8)).now_or_never().is_none());
        assert!(sight.wait(claim, change(7)).now_or_never().is_none(), "another kind");
        assert!(sight.wait(server, gone.clone()).now_or_never().is_none(), "it exists");
        sight.saw(server, 9, "a", false);
        assert!(sight.wait(server, gone).now_or_never().is_some());
        assert!(sight.wait(server, change(8)).now_or_never().is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_waits_for_ever() {
        let server = kinds::find("Server").unwrap();
        let sighting = Sighting {
            revision: Some(1),
            gone: None,
        };
        assert!(Sight::default().wait(server, sighting).await.is_err());
    }
}
