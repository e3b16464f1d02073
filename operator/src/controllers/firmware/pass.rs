//! One pass over an object that works in maintenances: the same for every kind, which says what it sees, decides and does.

use std::sync::Arc;
use std::time::Duration;

use kube::ResourceExt;
use kube::runtime::controller::Action;
use serde::Serialize;

use super::Limits;
use super::maintenance::Maintenances;
use super::object::{self, Fresh, Maintained};
use crate::context::{Context, is_conflict};
use crate::controllers::{Error, ensure_finalizer, is_ignored, remove_finalizer};

/// Steps of one pass. A pass goes on as long as its steps only write to the API server; this bounds a mistake.
const STEPS_PER_PASS: usize = 16;

/// What to write, what to do, and whether to go on at once.
#[derive(Clone, Debug, PartialEq)]
pub struct Decision<S, E> {
    pub status: S,
    pub effect: E,
    pub next: Next,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Decide again.
    GoOn,
    /// Look again after this time, or when something happens.
    Wait(Duration),
}

impl<S, E: Default> Decision<S, E> {
    /// Write the status and do this.
    pub fn acting(status: S, effect: E) -> Self {
        Self {
            status,
            effect,
            next: Next::GoOn,
        }
    }

    /// Write the status and decide again.
    pub fn go_on(status: S) -> Self {
        Self::acting(status, E::default())
    }

    /// Write the status and look again after this time.
    pub fn later(status: S, pause: Duration) -> Self {
        Self {
            status,
            effect: E::default(),
            next: Next::Wait(pause),
        }
    }
}

/// A look at the world and what follows from it.
pub(in crate::controllers) struct Look<S, E> {
    pub decision: Decision<S, E>,
    pub maintenances: Maintenances,
    /// Whether the BMC was asked.
    pub asked: bool,
}

/// A kind that a pass works on.
pub(in crate::controllers) trait Worked: Maintained {
    type Status: Serialize + PartialEq;
    type Effect;

    /// The status, empty when there is none.
    fn written(&self) -> Self::Status;
    /// Whether the object works on its machines, so that its deletion has to wait. What is gone, nobody works on.
    async fn is_at_work(&self, context: &Context) -> Result<bool, Error>;
    /// Looks at the world as far as the decision needs it.
    async fn look(&self, context: &Context, limits: &Limits) -> Result<Look<Self::Status, Self::Effect>, Error>;
    /// Carries an effect out. `false`: it is not done yet.
    async fn perform(
        &mut self,
        context: &Context,
        maintenances: &Maintenances,
        effect: Self::Effect,
    ) -> Result<bool, Error>;
    /// Gives back what it has. `None`: not everything is back yet.
    async fn give_back(&self, context: &Context) -> Result<Option<Self>, Error>;
}

/// One pass.
///
/// # Errors
/// See [`Error`]; the pass is repeated with growing pauses.
pub(in crate::controllers) async fn run<K: Worked>(context: &Context, cached: &Arc<K>) -> Result<Action, Error> {
    let soon = context.settings.resource.interval;
    let object = match object::fresh(context, cached).await? {
        Fresh::Current(object) => object,
        Fresh::Lagging => return Ok(Action::requeue(soon)),
        Fresh::Gone => return Ok(Action::await_change()),
    };
    let (key, version) = (object::key(&object), object.resource_version());
    if let Some(left) = context.firmware_turns.begin(&key, version.as_deref()) {
        return Ok(Action::requeue(left));
    }
    match pass(context, object).await {
        Ok(pause) => Ok(Action::requeue(pause)),
        Err(Error::Kube(error)) if is_conflict(&error) => {
            context.own_writes.was_stale(&key, version.as_deref());
            Ok(Action::requeue(soon))
        }
        Err(error) => Err(error),
    }
}

async fn pass<K: Worked>(context: &Context, mut object: K) -> Result<Duration, Error> {
    let limits = Limits::from(&context.options);
    let deleting = object.meta().deletion_timestamp.is_some();
    if deleting && !object.is_at_work(context).await? {
        return delete(context, &object).await;
    }
    if is_ignored(&object) {
        return Ok(limits.resync);
    }
    if !deleting && let Some(written) = ensure_finalizer(&context.api(), &object, K::FINALIZER).await? {
        object::wrote(context, &written);
        object = written;
    }
    for _ in 0..STEPS_PER_PASS {
        let Look {
            decision,
            maintenances,
            asked,
        } = object.look(context, &limits).await?;
        object = object::write_status(context, &object, &object.written(), &decision.status).await?;
        let done = object.perform(context, &maintenances, decision.effect).await?;
        match decision.next {
            Next::GoOn if done => {}
            Next::GoOn => return Ok(limits.interval),
            Next::Wait(pause) => {
                // Nothing that happens elsewhere is a reason to ask the BMC again before its time.
                if asked && pause > limits.interval {
                    let version = object.resource_version();
                    context
                        .firmware_turns
                        .settle(&object::key(&object), version.as_deref(), pause);
                }
                return Ok(pause);
            }
        }
    }
    Ok(limits.interval)
}

async fn delete<K: Worked>(context: &Context, object: &K) -> Result<Duration, Error> {
    let Some(object) = object.give_back(context).await? else {
        return Ok(context.settings.resource.interval);
    };
    remove_finalizer(&context.api(), &object, K::FINALIZER).await?;
    context.firmware_turns.forget(&object::key(&object));
    Ok(context.settings.resync)
}
