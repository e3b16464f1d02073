//! Results of parts of a campaign, for machines, and their sum.

use crate::command_line::CommandLine;
use crate::job::Done;
use crate::random;
use miette::{IntoDiagnostic as _, WrapErr as _, miette};
use scenarios::campaign::coverage::Coverage;
use scenarios::campaign::profile::Profile;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// What a part of a campaign found.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PartResult {
    pub profile: Option<String>,
    pub servers: Option<u32>,
    pub seeds: Vec<SeedResult>,
    pub coverage: Coverage,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SeedResult {
    pub seed: u64,
    pub name: String,
    pub passed: bool,
    /// The invariant or act, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
    pub trace: String,
    pub virtual_milliseconds: u64,
    pub wall_milliseconds: u64,
}

impl PartResult {
    pub(crate) fn new(arguments: &CommandLine, all: &[Done]) -> Self {
        let mut coverage = Coverage::default();
        all.iter().for_each(|done| coverage.add(&done.coverage));
        Self {
            profile: arguments.profile.clone(),
            servers: arguments.servers,
            seeds: all
                .iter()
                .map(|done| SeedResult {
                    seed: done.report.seed,
                    name: done.report.name.clone(),
                    passed: done.is_good(),
                    failure: done.kind_of_failure(),
                    trace: done.hash.clone(),
                    virtual_milliseconds: done.report.duration.0,
                    wall_milliseconds: done.report.wall_time.unwrap_or_default().0,
                })
                .collect(),
            coverage,
        }
    }

    pub(crate) fn write(&self, path: &Path) -> miette::Result<()> {
        let text = serde_json::to_string_pretty(self).into_diagnostic()?;
        std::fs::write(path, text)
            .into_diagnostic()
            .wrap_err_with(|| format!("cannot write the result to {}", path.display()))
    }

    fn read(path: &Path) -> miette::Result<Self> {
        let text = std::fs::read_to_string(path)
            .into_diagnostic()
            .wrap_err_with(|| format!("cannot read {}", path.display()))?;
        serde_json::from_str(&text)
            .into_diagnostic()
            .wrap_err_with(|| format!("{} is no result of sim --result", path.display()))
    }
}

/// Joins parts. False if anything failed, or too little was reached.
pub(crate) fn merge(files: &[PathBuf], profiles: &Path) -> miette::Result<bool> {
    let parts: Vec<PartResult> = files
        .iter()
        .map(|file| PartResult::read(file))
        .collect::<Result<_, _>>()?;
    let Some(first) = parts.first() else { return Ok(true) };
    if let Some(index) = parts
        .iter()
        .position(|part| (&part.profile, part.servers) != (&first.profile, first.servers))
    {
        return Err(miette!(
            help = "merge what belongs to one campaign",
            "{} is of profile {:?} with {:?} servers, {} of {:?} with {:?}",
            files[index].display(),
            parts[index].profile,
            parts[index].servers,
            files[0].display(),
            first.profile,
            first.servers,
        ));
    }
    let mut coverage = Coverage::default();
    parts.iter().for_each(|part| coverage.add(&part.coverage));
    let mut seeds: Vec<&SeedResult> = parts.iter().flat_map(|part| &part.seeds).collect();
    seeds.sort_by_key(|seed| seed.seed);
    if let Some(twice) = seeds
        .windows(2)
        .find(|pair| pair[0].seed == pair[1].seed && pair[0].name == pair[1].name)
    {
        return Err(miette!("seed {} is in two of the files", twice[0].seed));
    }
    let failed: Vec<&&SeedResult> = seeds.iter().filter(|seed| !seed.passed).collect();
    for seed in &failed {
        println!(
            "FAILED   seed {}: {}",
            seed.seed,
            seed.failure.as_deref().unwrap_or("unknown")
        );
    }
    println!("seeds         {}\nfailed        {}", seeds.len(), failed.len());
    let covered = match &first.profile {
        Some(name) => {
            let profile = Profile::read(name, profiles).into_diagnostic()?;
            random::judge_coverage(&coverage, seeds.len(), &profile)
        }
        None => true,
    };
    Ok(failed.is_empty() && covered)
}
