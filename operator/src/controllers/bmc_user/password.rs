//! Passwords that a BMC takes (contract section 9.3). Pure, but for the randomness that is passed in.

use rand::Rng;
use rand::seq::{IndexedRandom, SliceRandom};
use zeroize::Zeroizing;

/// Of a BMC that does not say how long a password may be.
const USUAL_LENGTH: usize = 20;
/// Longer ones help nobody, and some BMCs say more than they mean.
const LONGEST: usize = 40;
/// One of each class.
const SHORTEST: usize = 4;

const LOWER: &[u8] = b"abcdefghijklmnopqrstuvwxyz";
const UPPER: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ";
const DIGITS: &[u8] = b"0123456789";

/// Special characters that a vendor's BMCs take in passwords.
fn special(manufacturer: &str) -> &'static [u8] {
    match manufacturer {
        "Dell Inc." => b"!#$%&()*.?-@[]^_`{}|~+=",
        "HPE" => b"~`!@#$%^&*()_-+={[}]|.?/",
        "Lenovo" => b";@!$%-+=[]{}|/?~_",
        _ => b"!@#$%&*()_-+=[]{}/?~|",
    }
}

/// A password as long as the BMC takes it, with at least one character of each class.
pub(super) fn generate(rng: &mut impl Rng, manufacturer: &str, longest: Option<usize>) -> Zeroizing<String> {
    let length = longest.unwrap_or(USUAL_LENGTH).clamp(SHORTEST, LONGEST);
    let classes = [LOWER, UPPER, DIGITS, special(manufacturer)];
    let all = classes.concat();
    let mut characters: Zeroizing<Vec<u8>> = Zeroizing::new(Vec::with_capacity(length));
    characters.extend(classes.iter().filter_map(|class| class.choose(rng)));
    while characters.len() < length {
        characters.extend(all.choose(rng));
    }
    characters.shuffle(rng);
    Zeroizing::new(String::from_utf8_lossy(&characters).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::edges::Seed;

    #[test]
    fn each_class_is_there_and_the_length_is_the_longest() {
        for (manufacturer, longest, length) in [
            ("Dell Inc.", Some(20), 20),
            ("HPE", Some(39), 39),
            ("Lenovo", Some(255), LONGEST),
            ("Contoso", None, USUAL_LENGTH),
            ("Contoso", Some(1), SHORTEST),
        ] {
            for seed in 0..50 {
                let password = generate(&mut Seed::from(seed).stream("password"), manufacturer, longest);
                let has = |class: &[u8]| password.bytes().any(|byte| class.contains(&byte));
                assert_eq!(password.len(), length, "{manufacturer}");
                assert!(has(LOWER) && has(UPPER) && has(DIGITS) && has(special(manufacturer)));
            }
        }
    }
}
