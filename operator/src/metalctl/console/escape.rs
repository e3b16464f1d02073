//! How one gets out of a console: Enter `~` `.`, as in OpenSSH; `~~` at the beginning of a line is one `~`. Everything else belongs to the machine.

/// Looks for the escape in what is typed.
#[derive(Clone, Debug)]
pub struct Escape {
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    BeginningOfLine,
    Tilde,
    Line,
}

/// What becomes of what was typed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Typed {
    /// For the machine.
    pub passed: Vec<u8>,
    /// Somebody wants to get out.
    pub leave: bool,
}

impl Default for Escape {
    fn default() -> Self {
        Self {
            state: State::BeginningOfLine,
        }
    }
}

impl Escape {
    pub fn typed(&mut self, bytes: &[u8]) -> Typed {
        let mut passed = Vec::with_capacity(bytes.len());
        for &byte in bytes {
            self.state = match (self.state, byte) {
                (State::BeginningOfLine, b'~') => State::Tilde,
                (State::Tilde, b'.') => return Typed { passed, leave: true },
                (State::Tilde, b'~') => {
                    passed.push(b'~');
                    State::Line
                }
                (before, byte) => {
                    if before == State::Tilde {
                        passed.push(b'~');
                    }
                    passed.push(byte);
                    match byte {
                        b'\r' | b'\n' => State::BeginningOfLine,
                        _ => State::Line,
                    }
                }
            };
        }
        Typed { passed, leave: false }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_at_the_beginning_of_a_line() {
        for (typed, passed, leave) in [
            ("~.", "", true),
            ("ls\r~.rest", "ls\r", true),
            ("a~.", "a~.", false),
            ("~~.", "~.", false),
            ("~x\r~~\r", "~x\r~\r", false),
            ("~\r~.", "~\r", true),
        ] {
            let expected = Typed {
                passed: passed.into(),
                leave,
            };
            assert_eq!(Escape::default().typed(typed.as_bytes()), expected, "{typed:?}");
            // However it arrives.
            let (mut escape, mut joined) = (Escape::default(), Vec::new());
            let left = typed.bytes().any(|byte| {
                let typed = escape.typed(&[byte]);
                joined.extend(typed.passed);
                typed.leave
            });
            assert_eq!((joined, left), (expected.passed, leave), "{typed:?} byte by byte");
        }
    }
}
