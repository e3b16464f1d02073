//! `metadata.managedFields`.

use serde_json::{Map, Value, json};

use super::compare::Comparison;
use super::field_set::FieldSet;

/// More entries of updates than this are folded into one.
pub(super) const MAX_UPDATE_MANAGERS: usize = 10;
const ANCIENT: &str = "ancient-changes";

/// One manager's fields.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    manager: String,
    apply: bool,
    api_version: String,
    subresource: Option<String>,
    time: String,
    pub(super) set: FieldSet,
}

impl Entry {
    pub(super) fn new(
        manager: &str,
        apply: bool,
        api_version: &str,
        subresource: Option<&str>,
        time: &str,
        set: FieldSet,
    ) -> Self {
        Self {
            manager: manager.to_owned(),
            apply,
            api_version: api_version.to_owned(),
            subresource: subresource.map(str::to_owned),
            time: time.to_owned(),
            set,
        }
    }

    fn is_same(&self, other: &Entry) -> bool {
        self.manager == other.manager
            && self.apply == other.apply
            && self.subresource == other.subresource
            // Appliers keep one entry across versions.
            && (self.apply || self.api_version == other.api_version)
    }

    /// How a conflict names this manager, seen from another one.
    pub(super) fn described(&self) -> String {
        let mut text = format!("{:?}", self.manager);
        if let Some(subresource) = &self.subresource {
            text.push_str(&format!(" with subresource {subresource:?}"));
        }
        if !self.apply {
            text.push_str(&format!(" using {}", self.api_version));
        }
        text
    }

    fn encode(&self) -> Value {
        let mut entry = Map::new();
        entry.insert("manager".to_owned(), json!(self.manager));
        entry.insert(
            "operation".to_owned(),
            json!(if self.apply { "Apply" } else { "Update" }),
        );
        entry.insert("apiVersion".to_owned(), json!(self.api_version));
        if !self.time.is_empty() {
            entry.insert("time".to_owned(), json!(self.time));
        }
        entry.insert("fieldsType".to_owned(), json!("FieldsV1"));
        entry.insert("fieldsV1".to_owned(), self.set.encode());
        if let Some(subresource) = &self.subresource {
            entry.insert("subresource".to_owned(), json!(subresource));
        }
        Value::Object(entry)
    }

    fn decode(entry: &Value) -> Option<Self> {
        let text = |name: &str| entry.get(name).and_then(Value::as_str);
        Some(Self {
            manager: text("manager")?.to_owned(),
            apply: text("operation") == Some("Apply"),
            api_version: text("apiVersion")?.to_owned(),
            subresource: text("subresource")
                .filter(|subresource| !subresource.is_empty())
                .map(str::to_owned),
            time: text("time").unwrap_or_default().to_owned(),
            set: FieldSet::decode(entry.get("fieldsV1")?),
        })
    }
}

/// All managers of an object.
#[derive(Clone, Debug, Default)]
pub(super) struct Managers(Vec<Entry>);

impl Managers {
    pub(super) fn read(object: &Value) -> Self {
        let entries = object.pointer("/metadata/managedFields").and_then(Value::as_array);
        Self(entries.into_iter().flatten().filter_map(Entry::decode).collect())
    }

    /// The records an update starts from. A client may rewrite them (kubectl does when it moves to server-side apply),
    /// one empty entry drops them, and whatever cannot be read leaves the stored ones alone.
    pub(super) fn of_update(old: &Value, new: &Value, subresource: Option<&str>) -> Self {
        let sent = new.pointer("/metadata/managedFields").and_then(Value::as_array);
        let Some(sent) = sent.filter(|_| subresource.is_none()) else {
            return Self::read(old);
        };
        if let [only] = sent.as_slice()
            && only.as_object().is_some_and(Map::is_empty)
        {
            return Self::default();
        }
        let read: Option<Vec<Entry>> = sent.iter().map(Entry::decode).collect();
        match read {
            Some(entries) if !entries.is_empty() => Self(entries),
            _ => Self::read(old),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn insert(&mut self, entry: Entry) {
        self.0.push(entry);
    }

    pub(super) fn same(&self, entry: &Entry) -> Option<&Entry> {
        self.0.iter().find(|known| known.is_same(entry))
    }

    pub(super) fn others<'a>(&'a self, entry: &'a Entry) -> impl Iterator<Item = &'a Entry> {
        self.0.iter().filter(move |known| !known.is_same(entry))
    }

    /// Takes changed and removed fields away from everybody but the entry's own manager.
    pub(super) fn lose(&mut self, comparison: &Comparison, except: Option<&Entry>) {
        let changed = comparison.added.union(&comparison.modified);
        for entry in &mut self.0 {
            if except.is_some_and(|except| entry.is_same(except)) {
                continue;
            }
            entry.set = entry.set.difference(&changed).difference(&comparison.removed);
        }
        self.0.retain(|entry| !entry.set.is_empty());
    }

    /// Adds fields to a manager of updates.
    pub(super) fn gain(&mut self, gained: Entry) {
        match self.0.iter_mut().find(|known| known.is_same(&gained)) {
            Some(known) => {
                known.set = known.set.union(&gained.set);
                known.time = gained.time;
            }
            None => self.0.push(gained),
        }
        self.fold_old_updates();
    }

    /// Sets what a manager applied. The time only moves when the set does.
    pub(super) fn replace(&mut self, applied: Entry) {
        match self.0.iter_mut().find(|known| known.is_same(&applied)) {
            Some(known) if known.set == applied.set && known.api_version == applied.api_version => {}
            Some(known) => *known = applied,
            None => self.0.push(applied),
        }
        self.0.retain(|entry| !entry.set.is_empty());
    }

    fn fold_old_updates(&mut self) {
        let mut updates: Vec<Entry> = self.0.iter().filter(|entry| !entry.apply).cloned().collect();
        if updates.len() <= MAX_UPDATE_MANAGERS {
            return;
        }
        updates.sort_by(|a, b| a.time.cmp(&b.time));
        let old = updates.len() - MAX_UPDATE_MANAGERS + 1;
        let folded: Vec<Entry> = updates.drain(..old).collect();
        let mut ancient = Entry {
            manager: ANCIENT.to_owned(),
            ..folded[0].clone()
        };
        for entry in &folded[1..] {
            ancient.set = ancient.set.union(&entry.set);
            ancient.time = entry.time.clone();
        }
        self.0
            .retain(|entry| entry.apply || !folded.iter().any(|old| old.is_same(entry)));
        self.0.push(ancient);
    }

    /// Writes the records into the object, in the server's order.
    pub(super) fn write(mut self, object: &mut Value) {
        self.0.sort_by(|a, b| {
            let key = |entry: &Entry| {
                (
                    !entry.apply,
                    entry.time.clone(),
                    entry.manager.clone(),
                    entry.api_version.clone(),
                    entry.subresource.clone(),
                )
            };
            key(a).cmp(&key(b))
        });
        let entries: Vec<Value> = self.0.iter().map(Entry::encode).collect();
        if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
            if entries.is_empty() {
                metadata.shift_remove("managedFields");
            } else {
                metadata.insert("managedFields".to_owned(), Value::Array(entries));
            }
        }
    }
}
