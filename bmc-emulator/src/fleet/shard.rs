//! Parts of a fleet, for processes that share one.

use std::str::FromStr;

/// Every `of`th machine of a fleet, beginning with number `index`. Names and identities are those of the whole fleet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shard {
    index: usize,
    of: usize,
}

/// A text that does not name a shard.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a shard; write the number of the part, from 0, and how many there are, as in 0/4")]
pub struct NotAShard(String);

impl FromStr for Shard {
    type Err = NotAShard;

    fn from_str(text: &str) -> Result<Self, NotAShard> {
        let read = || {
            let (index, of) = text.split_once('/')?;
            let (index, of) = (index.trim().parse().ok()?, of.trim().parse().ok()?);
            (index < of).then_some(Self { index, of })
        };
        read().ok_or_else(|| NotAShard(text.to_owned()))
    }
}

impl Shard {
    pub(super) fn has(self, machine: usize) -> bool {
        machine % self.of == self.index
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shards_are_disjoint_and_complete() {
        let shards: Vec<Shard> = ["0/3", "1/3", "2/3"].map(|text| text.parse().expect("a shard")).into();
        for machine in 0..10 {
            assert_eq!(shards.iter().filter(|shard| shard.has(machine)).count(), 1);
        }
        for wrong in ["3/3", "0/0", "1", "-1/3", "a/b", ""] {
            assert_eq!(wrong.parse::<Shard>(), Err(NotAShard(wrong.to_owned())));
        }
    }
}
