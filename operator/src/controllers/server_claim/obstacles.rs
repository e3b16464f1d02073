//! What keeps servers from all claims, counted as it changes: every claim that waits is told, and a walk over all servers for each of them
//! is a square.

use std::collections::BTreeMap;

use super::selection::Obstacle;

/// Servers with an obstacle that is the same for all claims.
#[derive(Default)]
pub(super) struct Obstacles {
    by_server: BTreeMap<String, Obstacle>,
    counts: BTreeMap<Obstacle, usize>,
}

impl Obstacles {
    /// What keeps this server from all claims now, if anything does.
    pub(super) fn note(&mut self, server: &str, obstacle: Option<Obstacle>) {
        let before = match obstacle {
            Some(obstacle) => self.by_server.insert(server.to_owned(), obstacle),
            None => self.by_server.remove(server),
        };
        if before == obstacle {
            return;
        }
        if let Some(before) = before
            && let Some(count) = self.counts.get_mut(&before)
        {
            *count -= 1;
            if *count == 0 {
                self.counts.remove(&before);
            }
        }
        if let Some(obstacle) = obstacle {
            *self.counts.entry(obstacle).or_default() += 1;
        }
    }

    /// How many servers have which obstacle.
    pub(super) fn counts(&self) -> &BTreeMap<Obstacle, usize> {
        &self.counts
    }

    /// How many servers have one.
    pub(super) fn servers(&self) -> usize {
        self.by_server.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_server_counts_once() {
        let mut obstacles = Obstacles::default();
        for (server, obstacle) in [
            ("a", Some(Obstacle::Held)),
            ("b", Some(Obstacle::Held)),
            ("b", Some(Obstacle::Held)),
            ("c", Some(Obstacle::NotOff)),
            ("a", Some(Obstacle::NotOff)),
            ("c", None),
            ("d", None),
        ] {
            obstacles.note(server, obstacle);
        }
        assert_eq!(
            *obstacles.counts(),
            BTreeMap::from([(Obstacle::Held, 1), (Obstacle::NotOff, 1)])
        );
        assert_eq!(obstacles.servers(), 2);
    }
}
