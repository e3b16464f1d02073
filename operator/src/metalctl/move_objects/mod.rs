//! `metalctl move`: everything of the metal API, and the Secrets and ConfigMaps that it names, from one cluster to another. All of it or nothing:
//! what has been made is taken back when something fails. The source stays as it is.
//!
//! | module | subject |
//! |---|---|
//! | [`item`] | an object with its kind, and what of it counts |
//! | `read` | what there is in a cluster |
//! | [`references`] | Secrets and ConfigMaps that are named |
//! | [`uids`] | UIDs inside of objects: every one of them is another in the other cluster |
//! | [`plan`] | what is made, in which order; what is wrong before anything is made. Pure |
//! | `write` | making, and taking back |
//! | `leaders` | whether an operator is at work |

pub mod item;
mod leaders;
pub mod plan;
mod read;
pub mod references;
pub mod uids;
mod write;

use std::io::Write;

use anyhow::{Context, anyhow, bail};
use kube::Client;

use self::plan::{Course, Plan};
use crate::edges::Clock;

/// What is wanted.
#[derive(Clone, Debug, Default)]
pub struct Wishes {
    /// Of namespaced objects only those in this namespace.
    pub namespace: Option<String>,
    pub dry_run: bool,
    pub verbose: bool,
    pub allow_running_operator: bool,
}

/// Moves, and tells `out` about it.
///
/// # Errors
/// Why nothing was moved; or what could not be taken back after a failure.
pub async fn run(
    source: &Client,
    target: &Client,
    wishes: &Wishes,
    clock: &Clock,
    out: &mut (dyn Write + Send),
) -> anyhow::Result<()> {
    if !wishes.allow_running_operator && !wishes.dry_run {
        for (client, which) in [(source, "source"), (target, "target")] {
            if let Some(leader) = leaders::at_work(client, clock()).await? {
                bail!(
                    "{leader} is at work in the {which} cluster. Two operators on the same machines harm tenants: stop it (scale it to 0), or insist \
                     with --allow-running-operator"
                );
            }
        }
    }
    let plan = look(source, target, wishes).await.context("nothing was moved")?;
    for note in plan.notes.iter().filter(|_| wishes.verbose) {
        writeln!(out, "{note}")?;
    }
    let already = plan.steps.iter().filter(|step| step.course == Course::Already).count();
    let new = plan.steps.len() - already;
    if wishes.dry_run {
        for step in &plan.steps {
            match step.course {
                Course::Create => writeln!(out, "{} would be created", step.item.key)?,
                Course::Already if wishes.verbose => writeln!(out, "{} is there already", step.item.key)?,
                Course::Already => {}
            }
        }
        writeln!(out, "{new} objects would be moved, {already} are there already")?;
        return Ok(());
    }
    write::carry_out(target, &plan, wishes.verbose, out).await?;
    // Seen with the eyes of somebody who has written nothing.
    let left = look(source, target, wishes)
        .await
        .context("everything was moved, but looks otherwise now")?;
    let missing = left.steps.iter().find(|step| step.course == Course::Create);
    if let Some(missing) = missing {
        bail!("{} was moved, and is not there any more", missing.item.key);
    }
    writeln!(out, "{new} objects were moved, {already} were there already")?;
    Ok(())
}

async fn look(source: &Client, target: &Client, wishes: &Wishes) -> anyhow::Result<Plan> {
    let kinds = read::kinds(source).await.context("the source cluster")?;
    read::require(target, &kinds).await.context("the target cluster")?;
    let objects = read::objects(source, &kinds, wishes.namespace.as_deref())
        .await
        .context("the source cluster")?;
    let present = read::counterparts(target, &objects.items)
        .await
        .context("the target cluster")?;
    let mut plan = plan::plan(objects.items, &present).map_err(|obstacles| anyhow!(obstacles.join("; ")))?;
    plan.notes.extend(objects.notes);
    Ok(plan)
}
