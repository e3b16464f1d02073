//! The machine that a tree was recorded from: what it is built of, and how its BMC differs from others.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use uuid::Uuid;

use super::boot::Devices;
use super::{MockupError, Recorded, bios, boot, id, link, links};
use crate::fleet::spec::{DriveProtocol, DriveSpec, MachineSpec, MediaType, NicSpec, ProcessorSpec};
use crate::machine::Machine;
use crate::machine::boot::{Boot, BootOption, BootTarget, OverrideEnabled};
use crate::machine::hardware::default_drive;
use crate::machine::power::ResetType;
use crate::personality::{
    FirmwareIds, LogStyle, MediaSlotStyle, MediaStyle, Personality, PersonalityName, Place, QuerySupport,
};

const ROOT: &str = "/redfish/v1";

pub(super) struct Profile {
    pub personality: &'static Personality,
    /// Of the recorded system.
    pub uuid: Option<Uuid>,
    /// From recorded URIs to those under which the emulated service has the same resource.
    pub aliases: BTreeMap<String, String>,
    /// Where drives were recorded.
    pub drive_uris: BTreeSet<String>,
    /// Where the state of the service is.
    pub state: Vec<String>,
    manufacturer: Option<String>,
    model: Option<String>,
    sku: Option<String>,
    serial_number: Option<String>,
    bmc_mac_address: Option<String>,
    processors: Vec<ProcessorSpec>,
    memory_gib: Option<u32>,
    drives: Vec<DriveSpec>,
    nics: Vec<NicSpec>,
    powered_on: bool,
    boot_options: Vec<BootOption>,
    boot_order: Vec<String>,
}

/// The tree with the few resources everything hangs on.
struct Tree<'a> {
    resources: &'a BTreeMap<String, Recorded>,
    root: Value,
    system_uri: String,
    system: Value,
    manager_uri: String,
    manager: Value,
    chassis_uri: String,
}

impl Tree<'_> {
    fn read(&self, uri: &str) -> Value {
        read(self.resources, uri).unwrap_or_default()
    }

    /// What a property links to, or nothing.
    fn follow(&self, value: &Value) -> Value {
        link(value).map(|uri| self.read(uri)).unwrap_or_default()
    }

    fn members(&self, value: &Value) -> Vec<(String, Value)> {
        let collection = self.follow(value);
        let uris = links(&collection).into_iter().map(str::to_owned).collect::<Vec<_>>();
        uris.into_iter()
            .map(|uri| (uri.clone(), self.read(&uri)))
            .filter(|(_, document)| !document.is_null())
            .collect()
    }
}

fn read(resources: &BTreeMap<String, Recorded>, uri: &str) -> Option<Value> {
    resources.get(uri.trim_end_matches('/'))?.json()
}

fn text(document: &Value, name: &str) -> Option<String> {
    document[name]
        .as_str()
        .filter(|text| !text.is_empty())
        .map(str::to_owned)
}

/// Recordings are few and live as long as the process.
fn keep(text: &str) -> &'static str {
    text.to_owned().leak()
}

impl Profile {
    pub(super) fn of(resources: &BTreeMap<String, Recorded>) -> Result<Self, MockupError> {
        let tree = tree(resources)?;
        let media = media(&tree);
        let nics = nics(&tree);
        let (drives, drive_uris, mut aliases) = drives(&tree);
        let processors = processors(&tree);
        let log = log(&tree);
        let personality = personality(&tree, media, log);
        let devices = Devices {
            drives: &drives,
            nics: &nics,
            media: personality.media.slots,
        };
        let options = tree.members(&tree.system["Boot"]["BootOptions"]);
        let boot_options: Vec<BootOption> = options
            .iter()
            .filter_map(|(_, option)| boot::option(option, &devices))
            .collect();
        let order = tree.system["Boot"]["BootOrder"].as_array();
        let boot_order = order
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .filter(|reference| boot_options.iter().any(|option| option.reference == *reference))
            .map(str::to_owned)
            .collect();
        let events = tree.follow(&tree.root["EventService"]);
        if let Some(uri) = text(&events, "ServerSentEventUri") {
            aliases.insert(uri, "/redfish/v1/EventService/SSE".to_owned());
        }
        let state = state(&tree, personality, aliases.keys().filter(|uri| uri.contains("/SSE")));
        let memory = tree.system["MemorySummary"]["TotalSystemMemoryGiB"].as_f64();
        Ok(Self {
            uuid: tree.system["UUID"].as_str().and_then(|uuid| uuid.parse().ok()),
            manufacturer: text(&tree.system, "Manufacturer"),
            model: text(&tree.system, "Model"),
            sku: text(&tree.system, "SKU"),
            serial_number: text(&tree.system, "SerialNumber"),
            bmc_mac_address: manager_nic(&tree).and_then(|(_, nic)| text(&nic, "MACAddress")),
            processors,
            // A fraction of a gibibyte is no use to anybody.
            memory_gib: memory.map(|gib| gib as u32).filter(|gib| *gib > 0),
            powered_on: tree.system["PowerState"] == "On",
            personality,
            aliases,
            drive_uris,
            state,
            drives,
            nics,
            boot_options,
            boot_order,
        })
    }

    pub(super) fn complete(&self, spec: &MachineSpec) -> MachineSpec {
        let mut spec = spec.clone();
        if spec.count.is_none() {
            let is_other = spec.system_uuid.is_some();
            spec.system_uuid = spec.system_uuid.or(self.uuid);
            if !is_other {
                spec.serial_number = spec.serial_number.or_else(|| self.serial_number.clone());
                spec.sku = spec.sku.or_else(|| self.sku.clone());
                spec.bmc.mac_address = spec.bmc.mac_address.or_else(|| self.bmc_mac_address.clone());
            }
        }
        let is_recorded = spec.system_uuid.is_some() && spec.system_uuid == self.uuid;
        spec.manufacturer = spec.manufacturer.or_else(|| self.manufacturer.clone());
        spec.model = spec.model.or_else(|| self.model.clone());
        spec.memory_gib = spec.memory_gib.or(self.memory_gib);
        spec.powered_on |= self.powered_on;
        if !self.processors.is_empty() {
            spec.processors = spec.processors.or_else(|| Some(self.processors.clone()));
        }
        let recorded_drives = || {
            let mut drives = self.drives.clone();
            if !is_recorded {
                drives.iter_mut().for_each(|drive| drive.serial_number = None);
            }
            drives
        };
        spec.drives = Some(spec.drives.unwrap_or_else(recorded_drives));
        let recorded_nics = || {
            let mut nics = self.nics.clone();
            if !is_recorded {
                nics.iter_mut().for_each(|nic| nic.mac_address = None);
            }
            nics
        };
        spec.nics = Some(spec.nics.unwrap_or_else(recorded_nics));
        spec
    }

    /// Whether a machine has the recorded drives and NICs, which the recorded boot options are about.
    pub(super) fn describes(&self, machine: &Machine) -> bool {
        let drives = self.drives.iter().map(|drive| &drive.name);
        let nics = self.nics.iter().map(|nic| &nic.name);
        drives.eq(machine.drives.iter().map(|drive| &drive.name.0))
            && nics.eq(machine.hardware.nics.iter().map(|nic| &nic.name))
    }

    pub(super) fn boot(&self) -> Option<Boot> {
        if self.boot_options.is_empty() {
            return None;
        }
        Some(Boot::with_options(self.boot_options.clone(), self.boot_order.clone()))
    }
}

fn tree(resources: &BTreeMap<String, Recorded>) -> Result<Tree<'_>, MockupError> {
    let incomplete = |missing: &str| MockupError::Incomplete {
        missing: missing.to_owned(),
    };
    let root = read(resources, ROOT).ok_or_else(|| incomplete("service root"))?;
    let first = |name: &str| -> Option<String> {
        let collection = read(resources, link(&root[name])?)?;
        let known = |uri: &&str| resources.contains_key(*uri);
        links(&collection).into_iter().find(known).map(str::to_owned)
    };
    let system_uri = first("Systems").ok_or_else(|| incomplete("member of Systems"))?;
    let system = read(resources, &system_uri).unwrap_or_default();
    let linked = |name: &str| -> Option<String> {
        let known = |uri: &&str| resources.contains_key(*uri);
        links(&system["Links"][name]).into_iter().find(known).map(str::to_owned)
    };
    let manager_uri = linked("ManagedBy").or_else(|| first("Managers"));
    let manager_uri = manager_uri.ok_or_else(|| incomplete("member of Managers"))?;
    let manager = read(resources, &manager_uri).unwrap_or_default();
    let chassis_uri = linked("Chassis").or_else(|| first("Chassis"));
    let chassis_uri = chassis_uri.ok_or_else(|| incomplete("member of Chassis"))?;
    Ok(Tree {
        resources,
        root,
        system_uri,
        system,
        manager_uri,
        manager,
        chassis_uri,
    })
}

/// The vendor's personality is where everything comes from that a recording cannot show: jobs, errors, timing.
fn vendor(tree: &Tree<'_>) -> PersonalityName {
    let texts = [
        text(&tree.root, "Vendor"),
        text(&tree.system, "Manufacturer"),
        text(&tree.manager, "Manufacturer"),
        text(&tree.manager, "Model"),
    ];
    let said = texts.into_iter().flatten().collect::<Vec<_>>().join(" ").to_lowercase();
    let known = [
        ("dell", PersonalityName::Dell),
        ("hpe", PersonalityName::Hpe),
        ("hewlett", PersonalityName::Hpe),
        ("lenovo", PersonalityName::Lenovo),
        ("supermicro", PersonalityName::Supermicro),
        ("ami", PersonalityName::Ami),
        ("american megatrends", PersonalityName::Ami),
        ("openbmc", PersonalityName::Openbmc),
    ];
    let says = |words: &str| format!(" {said} ").contains(&format!(" {words}"));
    known
        .into_iter()
        .find(|(words, _)| says(words))
        .map_or(PersonalityName::Generic, |(_, name)| name)
}

fn personality(tree: &Tree<'_>, media: MediaStyle, log: Option<LogStyle>) -> &'static Personality {
    let base = vendor(tree).personality();
    let bios = tree.follow(&tree.system["Bios"]);
    let settings = |document: &Value, of: &str| {
        let uri = link(&document["@Redfish.Settings"]["SettingsObject"])?.to_owned();
        // Elsewhere than directly below its resource, no personality has one.
        let name = uri.strip_prefix(of)?.strip_prefix('/')?;
        (!name.contains('/')).then(|| keep(name))
    };
    let software = |document: &Value| link(&document["Links"]["ActiveSoftwareImage"]).map(|uri| keep(id(uri)));
    let boot = |name: &str| &tree.system["Boot"][format!("{name}@Redfish.AllowableValues")];
    let known = |value: &Value, fallback| -> &'static str {
        value.as_str().filter(|text| !text.is_empty()).map_or(fallback, keep)
    };
    let reset = &tree.system["Actions"]["#ComputerSystem.Reset"]["ResetType@Redfish.AllowableValues"];
    let manager_reset = &tree.manager["Actions"]["#Manager.Reset"]["ResetType@Redfish.AllowableValues"];
    let manager_resets: Vec<&str> = manager_reset
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .map(keep)
        .collect();
    let personality = Personality {
        system_id: keep(id(&tree.system_uri)),
        manager_id: keep(id(&tree.manager_uri)),
        chassis_id: keep(id(&tree.chassis_uri)),
        manager_nic: manager_nic(tree).map_or(base.manager_nic, |(uri, _)| keep(id(&uri))),
        manager_model: known(&tree.manager["Model"], base.manager_model),
        manager_firmware: known(&tree.manager["FirmwareVersion"], base.manager_firmware),
        bios_version: known(&tree.system["BiosVersion"], base.bios_version),
        firmware_ids: FirmwareIds {
            bios: software(&bios).unwrap_or(base.firmware_ids.bios),
            bmc: software(&tree.manager).unwrap_or(base.firmware_ids.bmc),
        },
        bios_defaults: bios::defaults(tree.resources, &bios),
        bios_registry: known(&bios["AttributeRegistry"], base.bios_registry),
        bios_settings: settings(&bios, link(&tree.system["Bios"]).unwrap_or_default()).unwrap_or(base.bios_settings),
        system_settings: settings(&tree.system, &tree.system_uri),
        reset_types: listed(reset, ResetType::parse, base.reset_types),
        manager_reset_types: if manager_resets.is_empty() {
            base.manager_reset_types
        } else {
            manager_resets.leak()
        },
        boot_enabled: listed(
            boot("BootSourceOverrideEnabled"),
            OverrideEnabled::parse,
            base.boot_enabled,
        ),
        boot_targets: listed(boot("BootSourceOverrideTarget"), BootTarget::parse, base.boot_targets),
        query: query(&tree.root, &base.query),
        media,
        log: log.unwrap_or_else(|| base.log.clone()),
        ..base.clone()
    };
    Box::leak(Box::new(personality))
}

/// The values of a list that the emulated machine knows.
fn listed<T>(values: &Value, parse: fn(&str) -> Option<T>, fallback: &'static [T]) -> &'static [T] {
    let values = values.as_array().into_iter().flatten().filter_map(Value::as_str);
    let known: Vec<T> = values.filter_map(parse).collect();
    if known.is_empty() { fallback } else { known.leak() }
}

fn query(root: &Value, base: &QuerySupport) -> QuerySupport {
    let features = &root["ProtocolFeaturesSupported"];
    let has = |feature: &str| features[feature].as_bool().unwrap_or(false);
    let expand = &features["ExpandQuery"];
    let levels = expand["MaxLevels"]
        .as_u64()
        .and_then(|levels| u32::try_from(levels).ok());
    QuerySupport {
        expand_levels: if expand["NoLinks"] == true {
            levels.unwrap_or(1)
        } else {
            0
        },
        expand_links: expand["Links"] == true,
        filter: has("FilterQuery"),
        select: has("SelectQuery"),
        only: has("OnlyMemberQuery"),
        excerpt: has("ExcerptQuery"),
        paging: base.paging,
    }
}

/// Virtual media of the system, or else of the manager; some BMCs show them twice, and the newer place is the system.
fn media(tree: &Tree<'_>) -> MediaStyle {
    let of = |place, document: &Value| {
        let slots = tree.members(&document["VirtualMedia"]);
        let slot = |(uri, slot): &(String, Value)| MediaSlotStyle {
            id: keep(id(uri)),
            types: listed(&slot["MediaTypes"], |text| Some(keep(text)), &[]),
        };
        let slots: Vec<MediaSlotStyle> = slots.iter().map(slot).collect();
        (!slots.is_empty()).then(|| MediaStyle {
            place,
            slots: slots.leak(),
        })
    };
    of(Place::System, &tree.system)
        .or_else(|| of(Place::Manager, &tree.manager))
        .unwrap_or(MediaStyle {
            place: Place::Manager,
            slots: &[],
        })
}

/// The log into which the machine's events go.
fn log(tree: &Tree<'_>) -> Option<LogStyle> {
    let all = [(Place::Manager, &tree.manager), (Place::System, &tree.system)]
        .into_iter()
        .flat_map(|(place, document)| {
            let logs = tree.members(&document["LogServices"]);
            // A manager may link to the logs of its system.
            let own = link(document).unwrap_or_default().to_owned();
            logs.into_iter()
                .filter(move |(uri, _)| uri.starts_with(&own))
                .map(move |(uri, _)| (place, id(&uri).to_owned()))
        });
    let all: Vec<(Place, String)> = all.collect();
    let is_event_log = |id: &str| ["sel", "eventlog", "event", "iel", "log1"].contains(&id.to_lowercase().as_str());
    let chosen = all.iter().find(|(_, id)| is_event_log(id)).or_else(|| all.first())?;
    Some(LogStyle {
        place: chosen.0,
        id: keep(&chosen.1),
    })
}

fn manager_nic(tree: &Tree<'_>) -> Option<(String, Value)> {
    let nics = tree.members(&tree.manager["EthernetInterfaces"]);
    let has_address = |(_, nic): &&(String, Value)| text(nic, "MACAddress").is_some();
    nics.iter().find(has_address).or_else(|| nics.first()).cloned()
}

fn processors(tree: &Tree<'_>) -> Vec<ProcessorSpec> {
    let number = |document: &Value, name: &str| document[name].as_u64().and_then(|n| u32::try_from(n).ok());
    let processors = tree.members(&tree.system["Processors"]).into_iter();
    let real = processors.filter(|(_, cpu)| {
        cpu["Status"]["State"] != "Absent" && matches!(cpu["ProcessorType"].as_str(), Some("CPU") | None)
    });
    let default = ProcessorSpec::default();
    real.map(|(_, cpu)| ProcessorSpec {
        manufacturer: text(&cpu, "Manufacturer").unwrap_or_else(|| default.manufacturer.clone()),
        model: text(&cpu, "Model").unwrap_or_else(|| default.model.clone()),
        architecture: text(&cpu, "ProcessorArchitecture").unwrap_or_else(|| default.architecture.clone()),
        instruction_set: text(&cpu, "InstructionSet").unwrap_or_else(|| default.instruction_set.clone()),
        max_speed_mhz: number(&cpu, "MaxSpeedMHz").unwrap_or(default.max_speed_mhz),
        cores: number(&cpu, "TotalCores").unwrap_or(default.cores),
        threads: number(&cpu, "TotalThreads").unwrap_or(default.threads),
    })
    .collect()
}

fn nics(tree: &Tree<'_>) -> Vec<NicSpec> {
    let all = tree.members(&tree.system["EthernetInterfaces"]).into_iter();
    all.map(|(uri, nic)| NicSpec {
        name: id(&uri).to_owned(),
        mac_address: text(&nic, "MACAddress").or_else(|| text(&nic, "PermanentMACAddress")),
        // What is not connected has no speed.
        speed_mbps: nic["SpeedMbps"]
            .as_u64()
            .and_then(|mbps| u32::try_from(mbps).ok())
            .unwrap_or(0),
        ..NicSpec::default()
    })
    .collect()
}

/// All drives, and where the emulated service has those that are recorded elsewhere.
fn drives(tree: &Tree<'_>) -> (Vec<DriveSpec>, BTreeSet<String>, BTreeMap<String, String>) {
    let (mut drives, mut uris, mut aliases): (Vec<DriveSpec>, _, _) = (Vec::new(), BTreeSet::new(), BTreeMap::new());
    for (storage, document) in tree.members(&tree.system["Storage"]) {
        let controller = id(&storage);
        for uri in links(&document["Drives"]) {
            let drive = tree.read(uri);
            if drive["Status"]["State"] == "Absent" || drive.is_null() {
                continue;
            }
            let mut name = id(uri).to_owned();
            if drives.iter().any(|known| known.name == name) {
                name = format!("{controller}.{name}");
            }
            let live = format!("{}/Storage/{controller}/Drives/{name}", tree.system_uri);
            if live != uri {
                aliases.insert(uri.to_owned(), live);
            }
            uris.insert(uri.to_owned());
            drives.push(DriveSpec {
                serial_number: text(&drive, "SerialNumber"),
                size_bytes: drive["CapacityBytes"].as_u64().unwrap_or(default_drive().size_bytes),
                media_type: if drive["MediaType"] == "HDD" {
                    MediaType::HDD
                } else {
                    MediaType::SSD
                },
                protocol: match drive["Protocol"].as_str() {
                    Some("SATA") => DriveProtocol::SATA,
                    Some("SAS") => DriveProtocol::SAS,
                    _ => DriveProtocol::NVMe,
                },
                manufacturer: text(&drive, "Manufacturer"),
                model: text(&drive, "Model"),
                controller: Some(controller.to_owned()),
                content: BTreeMap::new(),
                secure_erase: !drive["Actions"]["#Drive.SecureErase"].is_null(),
                name,
            });
        }
    }
    (drives, uris, aliases)
}

/// Collections that clients fill, and settings that wait.
fn state<'a>(tree: &Tree<'_>, personality: &Personality, streams: impl Iterator<Item = &'a String>) -> Vec<String> {
    let services = [
        "SessionService/Sessions",
        "AccountService/Accounts",
        "TaskService/Tasks",
        "TaskService/TaskMonitors",
        "EventService/Subscriptions",
        "EventService/SSE",
        "JobService/Jobs",
        "TelemetryService/MetricReports",
    ];
    let bios = link(&tree.system["Bios"]).map(|bios| format!("{bios}/{}", personality.bios_settings));
    let system = personality
        .system_settings
        .map(|settings| format!("{}/{settings}", tree.system_uri));
    let place = match personality.log.place {
        Place::System => &tree.system_uri,
        Place::Manager => &tree.manager_uri,
    };
    let log = format!("{place}/LogServices/{}/Entries", personality.log.id);
    let certificates = format!("{}/NetworkProtocol/HTTPS/Certificates", tree.manager_uri);
    let services = services.map(|service| format!("{ROOT}/{service}"));
    let mut state: Vec<String> = services.into_iter().chain(bios).chain(system).collect();
    state.extend([log, certificates]);
    state.extend(streams.cloned());
    state
}
