//! "Did you mean": the known name that is nearest to a misspelt one.

/// The nearest of `known`, if it is near enough to be what was meant.
pub(crate) fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let limit = (word.chars().count() / 3).max(1);
    known
        .into_iter()
        .map(|candidate| (distance(&word.to_lowercase(), &candidate.to_lowercase()), candidate))
        .filter(|(distance, _)| *distance <= limit)
        .min()
        .map(|(_, candidate)| candidate)
}

/// The hint that goes with an unknown name: the nearest one, and all there are.
pub(crate) fn hint<'a>(word: &str, known: impl IntoIterator<Item = &'a str> + Clone) -> String {
    let mut all: Vec<&str> = known.clone().into_iter().collect();
    all.sort_unstable();
    all.dedup();
    let available = if all.is_empty() {
        "there are none".to_owned()
    } else {
        format!("available: {}", all.join(", "))
    };
    match nearest(word, known) {
        Some(candidate) => format!("did you mean `{candidate}`? ({available})"),
        None => available,
    }
}

/// Damerau-Levenshtein distance (optimal string alignment): swapped neighbours are one mistake, as fingers make it.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut rows = vec![vec![0; b.len() + 1]; a.len() + 1];
    for (i, row) in rows.iter_mut().enumerate() {
        row[0] = i;
    }
    for (j, cell) in rows[0].iter_mut().enumerate() {
        *cell = j;
    }
    for i in 1..=a.len() {
        for j in 1..=b.len() {
            let change = usize::from(a[i - 1] != b[j - 1]);
            let mut best = (rows[i - 1][j] + 1)
                .min(rows[i][j - 1] + 1)
                .min(rows[i - 1][j - 1] + change);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                best = best.min(rows[i - 2][j - 2] + 1);
            }
            rows[i][j] = best;
        }
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn table() {
        let steps = ["apply", "delete", "expect", "inject", "wait"];
        for (word, expected) in [
            ("aply", Some("apply")),
            ("appyl", Some("apply")),
            ("Expect", Some("expect")),
            ("remove", None),
            ("wiat", Some("wait")),
        ] {
            assert_eq!(nearest(word, steps), expected, "{word}");
        }
        assert_eq!(
            hint("aply", ["wait", "apply"]),
            "did you mean `apply`? (available: apply, wait)"
        );
        assert_eq!(hint("x", []), "there are none");
    }
}
