//! Which of several servers that fit a claim it gets: the one that is missed least by others, and of those the one that has rested longest.
//!
//! | first by | because |
//! |---|---|
//! | taints (all of them tolerated) | whoever tolerates a taint does not have to have it |
//! | labels that a selector could ask for | what is special about a machine is kept for those who ask for it. What the selector asks for, all candidates have, so counting every label is counting those beyond |
//! | memory, cores, drives | a small machine will do for who does not say otherwise |
//! | last use | all machines wear alike, and none is found broken on the day on which all are needed |
//! | name | everybody has to come to the same answer |
//!
//! None of this depends on the claim: servers stand in one order, in which each claim takes the first that fits.

use crds::Server;
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use kube::ResourceExt;

use crate::ownership::last_use;

/// Labels with this prefix tell where a machine is (contract section 1.10), which is true of every machine.
const PLACE_PREFIX: &str = "metadata.metal.ironcore.dev/";

/// The place of a server in the order in which servers are lent out.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rank {
    taints: usize,
    labels: usize,
    memory: u64,
    cores: i64,
    drives: usize,
    last_use: Option<Timestamp>,
    name: String,
}

impl Rank {
    pub fn of(server: &Server) -> Self {
        let status = server.status.as_ref();
        let processors = status.iter().flat_map(|status| &status.processors);
        let storages = status.iter().flat_map(|status| &status.storages);
        let drives = storages.flat_map(|storage| &storage.drives);
        Self {
            taints: server.spec.taints.len(),
            labels: server
                .labels()
                .keys()
                .filter(|key| !key.starts_with(PLACE_PREFIX))
                .count(),
            memory: status
                .and_then(|status| status.total_system_memory.as_ref())
                .map_or(0, bytes),
            cores: processors
                .filter_map(|processor| processor.total_cores)
                .map(i64::from)
                .sum(),
            drives: drives.filter(|drive| drive.state.as_deref() != Some("Absent")).count(),
            last_use: last_use::of(server),
            name: server.name_any(),
        }
    }
}

/// The quantity in bytes; zero for what is none. To compare with, not to calculate with: fractions of a unit do not count.
fn bytes(quantity: &Quantity) -> u64 {
    let text = quantity.0.trim();
    let unit = text.find(|sign: char| !sign.is_ascii_digit()).unwrap_or(text.len());
    let (number, suffix) = text.split_at(unit);
    let suffix = suffix.trim_start_matches(|sign: char| sign == '.' || sign.is_ascii_digit());
    let factor: u64 = match suffix {
        "Ki" => 1 << 10,
        "Mi" => 1 << 20,
        "Gi" => 1 << 30,
        "Ti" => 1 << 40,
        "k" => 1_000,
        "M" => 1_000_000,
        "G" => 1_000_000_000,
        "T" => 1_000_000_000_000,
        _ => 1,
    };
    number.parse::<u64>().unwrap_or(0).saturating_mul(factor)
}

#[cfg(test)]
mod tests {
    use crds::kinds::server_status::{Processor, Storage, StorageDrive};
    use crds::shared::TaintEffect;
    use crds::{ServerSpec, ServerStatus, Taint};

    use super::*;

    /// A server of middle size that was used at noon.
    fn server(name: &str) -> Server {
        let mut server = Server::new(name, ServerSpec::default());
        server.labels_mut().insert("rack".into(), "7".into());
        server
            .annotations_mut()
            .insert(last_use::ANNOTATION.into(), "2026-03-01T12:00:00Z".into());
        server.status = Some(ServerStatus {
            total_system_memory: Some(Quantity("256Gi".into())),
            processors: vec![Processor {
                total_cores: Some(32),
                ..Processor::default()
            }],
            storages: vec![Storage {
                drives: vec![StorageDrive::default()],
                ..Storage::default()
            }],
            ..ServerStatus::default()
        });
        server
    }

    #[test]
    fn who_is_missed_least_comes_first_then_who_has_rested_longest() {
        type Alter = fn(&mut Server);
        // In the order in which they are lent out. Each differs from the others by one thing, so that a name says what it is.
        let table: [(&str, Alter); 10] = [
            ("small", |server| {
                server.status.as_mut().unwrap().total_system_memory = Some(Quantity("64Gi".into()));
            }),
            ("few-cores", |server| {
                server.status.as_mut().unwrap().processors[0].total_cores = Some(8);
            }),
            ("never-used", |server| server.annotations_mut().clear()),
            ("used-in-the-morning", |server| {
                let used = server.annotations_mut().get_mut(last_use::ANNOTATION).unwrap();
                *used = "2026-03-01T08:00:00Z".into();
            }),
            ("a-like-b", |_| {}),
            ("b-like-a", |server| {
                let labels = server.labels_mut();
                labels.insert("metadata.metal.ironcore.dev/shelf".into(), "3".into());
            }),
            ("many-drives", |server| {
                let drives = &mut server.status.as_mut().unwrap().storages[0].drives;
                drives.push(StorageDrive::default());
            }),
            ("large", |server| {
                server.status.as_mut().unwrap().total_system_memory = Some(Quantity("2Ti".into()));
            }),
            ("with-gpu", |server| {
                server.labels_mut().insert("gpu".into(), "h100".into());
            }),
            ("tainted", |server| {
                server.spec.taints.push(Taint {
                    key: "gpu".into(),
                    value: None,
                    effect: TaintEffect::NoBind,
                });
            }),
        ];
        let mut servers: Vec<Server> = table
            .iter()
            .map(|(name, alter)| {
                let mut server = server(name);
                alter(&mut server);
                server
            })
            .collect();
        servers.reverse();
        servers.sort_by_cached_key(Rank::of);
        let names: Vec<String> = servers.iter().map(ResourceExt::name_any).collect();
        assert_eq!(names, table.map(|(name, _)| name));
    }

    #[test]
    fn an_empty_bay_is_no_drive() {
        let mut bay = server("a");
        let drives = &mut bay.status.as_mut().unwrap().storages[0].drives;
        drives.push(StorageDrive {
            state: Some("Absent".into()),
            ..StorageDrive::default()
        });
        assert_eq!(Rank::of(&bay), Rank::of(&server("a")));
    }

    #[test]
    fn quantities() {
        for (text, expected) in [
            ("64Gi", 64 << 30),
            ("65536Mi", 64 << 30),
            ("1.5Gi", 1 << 30),
            ("960G", 960_000_000_000),
            ("1024", 1024),
            ("", 0),
            ("much", 0),
            ("99999999999999999999Ti", 0),
            ("9999999999Ti", u64::MAX),
        ] {
            assert_eq!(bytes(&Quantity(text.into())), expected, "{text}");
        }
    }
}
