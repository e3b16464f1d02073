//! Machines of the catalogue, as their BMCs show them.

use std::collections::BTreeMap;

use bmc_emulator::ServerModel;
use serde_json::Value;

use crate::conformance::walk;
use crate::support::Run;

const COUNTED: [&str; 6] = [
    "Processor",
    "Drive",
    "Storage",
    "NetworkAdapter",
    "EthernetInterface",
    "PCIeDevice",
];

#[tokio::test(start_paused = true)]
async fn every_model_comes_to_life() {
    let mut shown = Vec::new();
    for (id, _) in ServerModel::all() {
        let run = Run::new(&format!("machines: [{{ name: node, model: {id} }}]"));
        let documents = walk(&run.client("node")).await;
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        for document in documents.values() {
            let kind = document["@odata.type"].as_str().unwrap_or_default();
            let kind = kind.trim_start_matches('#').split('.').next().unwrap_or_default();
            if COUNTED.contains(&kind) {
                *counts.entry(kind).or_default() += 1;
            }
        }
        let counts: Vec<String> = counts
            .into_iter()
            .map(|(kind, count)| format!("{kind} {count}"))
            .collect();
        let find = |is_it: fn(&&Value) -> bool| documents.values().find(is_it).expect("it is there");
        let system = find(|document| document["SystemType"] == "Physical");
        let chassis = find(|document| document["HeightMm"].is_number());
        let memory = &system["MemorySummary"]["TotalSystemMemoryGiB"];
        shown.push(format!(
            "{id}: {} {}, {} mm, {memory} GiB, {}",
            system["Manufacturer"].as_str().unwrap_or_default(),
            system["Model"].as_str().unwrap_or_default(),
            chassis["HeightMm"],
            counts.join(", "),
        ));
    }
    insta::assert_snapshot!(shown.join("\n"));
}
