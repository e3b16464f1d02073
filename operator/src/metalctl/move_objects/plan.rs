//! What is made, in which order, and what is wrong before anything is made. Pure.

use std::collections::{BTreeMap, BTreeSet};

use kube::ResourceExt;
use kube::api::DynamicObject;
use serde_json::Value;

use super::item::{Item, Key, essence};
use super::uids;

/// What becomes of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Course {
    Create,
    /// It is there, and says the same.
    Already,
}

/// One object's turn.
#[derive(Clone, Debug)]
pub struct Step {
    pub item: Item,
    pub course: Course,
    /// It mentions UIDs that are known after its turn only, its own for example: it is written twice.
    pub twice: bool,
}

/// All of them, in an order in which whoever is mentioned comes before who mentions it.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    pub steps: Vec<Step>,
    /// UIDs in the source of objects that are there already, and in the target.
    pub known: BTreeMap<String, String>,
    /// For people who want to know more.
    pub notes: Vec<String>,
}

/// # Errors
/// Everything that is in the way.
pub fn plan(mut items: Vec<Item>, present: &BTreeMap<Key, DynamicObject>) -> Result<Plan, Vec<String>> {
    items.sort_by(|a, b| a.key.cmp(&b.key));
    let mut plan = Plan::default();
    let uids: BTreeSet<String> = items.iter().filter_map(Item::uid).map(str::to_owned).collect();
    for item in &mut items {
        plan.notes.extend(disown(item, &uids));
    }
    let obstacles = obstacles(&items, present);
    if !obstacles.is_empty() {
        return Err(obstacles);
    }
    for item in &items {
        if let (Some(here), Some(there)) = (item.uid(), present.get(&item.key).and_then(ResourceExt::uid)) {
            plan.known.insert(here.to_owned(), there);
        }
    }
    let mut waiting: Vec<(Item, BTreeSet<String>)> = items
        .into_iter()
        .map(|item| {
            let whole = serde_json::Value::Object(essence(&item.object, &BTreeMap::new()));
            let mentioned = uids::mentions(&whole, &uids);
            (item, mentioned)
        })
        .collect();
    let mut done: BTreeSet<String> = plan.known.keys().cloned().collect();
    while !waiting.is_empty() {
        let ready = waiting.iter().position(|(_, mentioned)| mentioned.is_subset(&done));
        // Itself at least, or a circle: owners count, because the garbage collector looks at them.
        let owned = |(item, _): &(Item, BTreeSet<String>)| {
            let owners = item.object.owner_references();
            owners.iter().all(|owner| done.contains(&owner.uid))
        };
        let fewest = || {
            let candidates = waiting.iter().enumerate().filter(|(_, candidate)| owned(candidate));
            candidates
                .min_by_key(|(_, (item, mentioned))| {
                    let others = mentioned
                        .difference(&done)
                        .filter(|uid| item.uid() != Some(uid.as_str()));
                    others.count()
                })
                .map(|(position, _)| position)
        };
        let position = ready.or_else(fewest).unwrap_or(0);
        let (item, _) = waiting.remove(position);
        done.extend(item.uid().map(str::to_owned));
        let course = match present.contains_key(&item.key) {
            true => Course::Already,
            false => Course::Create,
        };
        plan.steps.push(Step {
            item,
            course,
            twice: ready.is_none() && course == Course::Create,
        });
    }
    Ok(plan)
}

/// Takes references to owners away that are not moved: in the other cluster they would be to nobody, and the garbage collector would delete the object.
fn disown(item: &mut Item, uids: &BTreeSet<String>) -> Vec<String> {
    let Some(owners) = &mut item.object.metadata.owner_references else {
        return Vec::new();
    };
    let mut notes = Vec::new();
    owners.retain(|owner| {
        let moved = uids.contains(&owner.uid);
        if !moved {
            notes.push(format!(
                "{}: its owner {} {} is not moved",
                item.key, owner.kind, owner.name
            ));
        }
        moved
    });
    notes
}

fn obstacles(items: &[Item], present: &BTreeMap<Key, DynamicObject>) -> Vec<String> {
    // Both sides say whom they mean by name.
    let (mut here, mut there) = (BTreeMap::new(), BTreeMap::new());
    for item in items {
        if let Some(uid) = item.uid() {
            here.insert(uid.to_owned(), item.key.to_string());
        }
        if let Some(uid) = present.get(&item.key).and_then(ResourceExt::uid) {
            there.insert(uid, item.key.to_string());
        }
    }
    let mut obstacles = Vec::new();
    for item in items {
        if item.object.metadata.deletion_timestamp.is_some() {
            obstacles.push(format!("{} is being deleted; wait until it is gone", item.key));
        }
        let Some(found) = present.get(&item.key) else { continue };
        if found.metadata.deletion_timestamp.is_some() {
            obstacles.push(format!("{} is being deleted in the target cluster", item.key));
            continue;
        }
        let (ours, theirs) = (essence(&item.object, &here), essence(found, &there));
        if ours != theirs {
            let differs = differences(&Value::Object(ours), &Value::Object(theirs));
            obstacles.push(format!(
                "{} is in the target cluster already, and says something else: {differs}",
                item.key
            ));
        }
    }
    obstacles
}

/// Paths of fields that differ; no values, which may be secret.
fn differences(ours: &Value, theirs: &Value) -> String {
    fn compare(path: &str, ours: &Value, theirs: &Value, found: &mut Vec<String>) {
        match (ours, theirs) {
            _ if ours == theirs => {}
            (Value::Object(a), Value::Object(b)) => {
                let fields: BTreeSet<&String> = a.keys().chain(b.keys()).collect();
                for field in fields {
                    let none = Value::Null;
                    let (a, b) = (a.get(field).unwrap_or(&none), b.get(field).unwrap_or(&none));
                    compare(&format!("{path}.{field}"), a, b, found);
                }
            }
            _ => found.push(path.trim_start_matches('.').to_owned()),
        }
    }
    let mut found = Vec::new();
    compare("", ours, theirs, &mut found);
    found.truncate(5);
    found.join(", ")
}

#[cfg(test)]
mod tests {
    use kube::api::{ApiResource, GroupVersionKind};
    use serde_json::json;

    use super::super::item::Kind;
    use super::*;

    fn item(kind: &str, object: Value) -> Item {
        let gvk = GroupVersionKind::gvk("metal.ironcore.dev", "v1alpha1", kind);
        let kind = Kind {
            resource: ApiResource::from_gvk(&gvk),
            namespaced: false,
            has_status: true,
        };
        Item::new(&kind, serde_json::from_value(object).unwrap())
    }

    fn owned_by(kind: &str, name: &str, uid: &str) -> Value {
        json!([{ "apiVersion": "metal.ironcore.dev/v1alpha1", "kind": kind, "name": name, "uid": uid, "controller": true }])
    }

    fn world() -> Vec<Item> {
        vec![
            // Mentions itself and its holder, which comes after it in the alphabet of kinds.
            item(
                "Server",
                json!({
                    "metadata": { "name": "a", "uid": "s1", "annotations": { "bound-as": "s1" }, "ownerReferences": owned_by("Z", "z", "z1") },
                    "spec": { "serverClaimRef": { "uid": "t1" } },
                }),
            ),
            item("Tenant", json!({ "metadata": { "name": "t", "uid": "t1" } })),
            item("Z", json!({ "metadata": { "name": "z", "uid": "z1" } })),
            item(
                "Alone",
                json!({ "metadata": { "name": "l", "uid": "a1", "ownerReferences": owned_by("Other", "o", "o1") } }),
            ),
        ]
    }

    fn order(plan: &Plan) -> Vec<(String, Course, bool)> {
        let steps = plan.steps.iter();
        steps
            .map(|step| (step.item.key.to_string(), step.course, step.twice))
            .collect()
    }

    #[test]
    fn whoever_is_mentioned_comes_first() {
        let plan = plan(world(), &BTreeMap::new()).unwrap();
        let expected = [
            ("Alone l", false),
            ("Tenant t", false),
            ("Z z", false),
            ("Server a", true),
        ];
        assert_eq!(
            order(&plan),
            expected.map(|(key, twice)| (key.to_owned(), Course::Create, twice))
        );
        assert_eq!(plan.notes, ["Alone l: its owner Other o is not moved"]);
        assert_eq!(plan.steps[0].item.object.owner_references(), []);
    }

    #[test]
    fn a_circle_is_cut_but_not_between_owner_and_owned() {
        let circle = vec![
            item(
                "A",
                json!({ "metadata": { "name": "a", "uid": "a1", "ownerReferences": owned_by("B", "b", "b1") } }),
            ),
            item(
                "B",
                json!({ "metadata": { "name": "b", "uid": "b1" }, "spec": { "uid": "a1" } }),
            ),
        ];
        let plan = plan(circle, &BTreeMap::new()).unwrap();
        assert_eq!(
            order(&plan),
            [
                ("B b".to_owned(), Course::Create, true),
                ("A a".to_owned(), Course::Create, false)
            ]
        );
    }

    /// The object as the other cluster has it, under a UID of its own.
    fn counterpart(object: &Item, uids: &[(&str, &str)], alter: impl Fn(&mut Value)) -> (Key, DynamicObject) {
        let names = uids.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect();
        let mut there = uids::rewrite(&serde_json::to_value(&object.object).unwrap(), &names);
        alter(&mut there);
        (object.key.clone(), serde_json::from_value(there).unwrap())
    }

    #[test]
    fn what_is_there_already_is_left_or_in_the_way() {
        let world = world();
        let uids = [("s1", "s2"), ("t1", "t2"), ("z1", "z2")];
        let same: BTreeMap<_, _> = world[..3]
            .iter()
            .map(|item| counterpart(item, &uids, |there| there["metadata"]["generation"] = json!(7)))
            .collect();
        let second = plan(world.clone(), &same).unwrap();
        let already = second
            .steps
            .iter()
            .filter(|step| step.course == Course::Already)
            .count();
        assert_eq!((already, second.steps.len()), (3, 4));
        assert_eq!(second.known["s1"], "s2");
        for (alter, expected) in [
            (
                (|there: &mut Value| there["spec"]["serverClaimRef"]["uid"] = json!("t3")) as fn(&mut Value),
                "Server a is in the target cluster already, and says something else: spec.serverClaimRef.uid",
            ),
            (
                |there| there["status"] = json!({ "state": "Error" }),
                "Server a is in the target cluster already, and says something else: status",
            ),
            (
                |there| there["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z"),
                "Server a is being deleted in the target cluster",
            ),
        ] {
            let mut other = same.clone();
            other.extend([counterpart(&world[0], &uids, alter)]);
            assert_eq!(plan(world.clone(), &other).unwrap_err(), [expected]);
        }
    }

    #[test]
    fn nobody_moves_what_is_being_deleted() {
        let mut world = world();
        world[1].object.metadata.deletion_timestamp = serde_json::from_value(json!("2026-01-01T00:00:00Z")).unwrap();
        assert_eq!(
            plan(world, &BTreeMap::new()).unwrap_err(),
            ["Tenant t is being deleted; wait until it is gone"]
        );
    }
}
