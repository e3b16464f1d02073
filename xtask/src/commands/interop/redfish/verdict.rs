//! What a validator has counted. Some end with a line, the others with a table.

/// Numbers of checks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Verdict {
    pub pass: u64,
    pub warn: u64,
    pub fail: u64,
    pub not_tested: u64,
}

impl Verdict {
    /// Reads the end of what a tool has printed.
    pub(super) fn read(printed: &str) -> Option<Self> {
        let [pass, warn, fail, not_tested] = from_line(printed).or_else(|| from_table(printed))?;
        Some(Self {
            pass,
            warn,
            fail,
            not_tested,
        })
    }
}

/// `Summary - PASS: 483, WARN: 0, FAIL: 0, NOT_TESTED: 32`
fn from_line(printed: &str) -> Option<[u64; 4]> {
    let line = printed.lines().rfind(|line| line.starts_with("Summary - PASS:"))?;
    counts(line.split([' ', ',']))
}

/// `| PASS | WARN | FAIL | NOT TESTED |`, and the numbers some lines below.
fn from_table(printed: &str) -> Option<[u64; 4]> {
    let lines: Vec<&str> = printed.lines().collect();
    let header = lines
        .iter()
        .rposition(|line| cells(line) == ["PASS", "WARN", "FAIL", "NOT TESTED"])?;
    lines[header + 1..]
        .iter()
        .find_map(|line| counts(cells(line).into_iter()))
}

fn counts<'a>(words: impl Iterator<Item = &'a str>) -> Option<[u64; 4]> {
    let counts: Vec<u64> = words.filter_map(|word| word.parse().ok()).collect();
    counts.try_into().ok()
}

fn cells(line: &str) -> Vec<&str> {
    line.split('|').map(str::trim).filter(|cell| !cell.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_summary_of_a_tool_is_read() {
        let expected = Some(Verdict {
            pass: 34,
            warn: 0,
            fail: 5,
            not_tested: 22,
        });
        let table = "Working…\n+------+\n|     PASS     |     WARN     |     FAIL     |  NOT TESTED  |\n+------+\n\
                     |      34      |      0       |      5       |      22      |\n+------+\nReport: x\n";
        assert_eq!(Verdict::read(table), expected);
        let line = "Summary - PASS: 34, WARN: 0, FAIL: 5, NOT_TESTED: 22\nReport output:\n";
        assert_eq!(Verdict::read(line), expected);
        assert_eq!(Verdict::read("Traceback (most recent call last):"), None);
    }
}
