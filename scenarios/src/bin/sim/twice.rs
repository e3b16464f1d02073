//! Whether two runs of one seed are the same; and where they part, if they are not.

use crate::children;
use crate::command_line::CommandLine;
use crate::job::{Done, Job};
use miette::IntoDiagnostic as _;
use std::io::{BufRead as _, BufReader};
use std::path::Path;

/// Runs everything again, and compares with what came out the first time. False if anything differs.
pub(crate) fn compare(arguments: &CommandLine, jobs: &[Job], first: &[Done]) -> miette::Result<bool> {
    let second = children::run(jobs, arguments.at_once(), |_, _| {})?;
    let differing: Vec<usize> = (0..jobs.len())
        .filter(|index| first.get(*index).map(|done| &done.hash) != second.get(*index).map(|done| &done.hash))
        .collect();
    let Some(index) = differing.first() else {
        println!("repeated      {} simulations, every trace is the same", jobs.len());
        return Ok(true);
    };
    println!(
        "repeated      {} simulations, {} traces DIFFER",
        jobs.len(),
        differing.len()
    );
    let directory = tempfile::tempdir().into_diagnostic()?;
    let traces = ["one", "two"].map(|name| directory.path().join(name));
    for trace in &traces {
        let job = Job {
            trace: Some(trace.clone()),
            ..jobs[*index].clone()
        };
        children::run(&[job], 1, |_, _| {})?;
    }
    match first_difference(&traces[0], &traces[1]).into_diagnostic()? {
        Some((line, one, two)) => println!("first event that differs, in line {line}:\n  {one}\n  {two}"),
        None => println!(
            "two more runs of seed {} were equal: it does not always differ",
            jobs[*index].seed
        ),
    }
    Ok(false)
}

/// Number of the first line that differs, from 1, and both versions of it.
fn first_difference(one: &Path, two: &Path) -> std::io::Result<Option<(usize, String, String)>> {
    let lines = |path: &Path| std::io::Result::Ok(BufReader::new(std::fs::File::open(path)?).lines());
    let (mut one, mut two) = (lines(one)?, lines(two)?);
    let mut number = 0;
    loop {
        number += 1;
        match (one.next().transpose()?, two.next().transpose()?) {
            (None, None) => return Ok(None),
            (one, two) if one == two => {}
            (one, two) => {
                let end = || "(the end)".to_owned();
                return Ok(Some((number, one.unwrap_or_else(end), two.unwrap_or_else(end))));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::first_difference;

    #[test]
    fn the_first_difference_is_found() {
        let directory = tempfile::tempdir().expect("a place");
        let write = |name: &str, text: &str| {
            let path = directory.path().join(name);
            std::fs::write(&path, text).expect("written");
            path
        };
        let (one, two, three) = (write("1", "a\nb\n"), write("2", "a\nc\n"), write("3", "a\n"));
        let found = |one, two| first_difference(one, two).expect("readable");
        assert_eq!(found(&one, &one), None);
        assert_eq!(found(&one, &two), Some((2, "b".to_owned(), "c".to_owned())));
        assert_eq!(found(&one, &three), Some((2, "b".to_owned(), "(the end)".to_owned())));
    }
}
