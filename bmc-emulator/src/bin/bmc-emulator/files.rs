//! How many files and sockets this process may have open.

/// What is open besides a socket or a connection for each BMC.
#[cfg(unix)]
const OTHERS: u64 = 1000;

/// Raises the limit as far as an ordinary user may, if so many BMCs need it. What is still too low shows when they are opened.
#[cfg(unix)]
pub(crate) fn allow(bmcs: usize) {
    use nix::sys::resource::{Resource, getrlimit, setrlimit};
    let wanted = bmcs as u64 + OTHERS;
    let raise = || {
        let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
        if soft >= wanted {
            return Ok(());
        }
        setrlimit(Resource::RLIMIT_NOFILE, wanted.min(hard), hard)
    };
    if let Err(error) = raise() {
        tracing::warn!(%error, "the limit of open files cannot be raised");
    }
}

#[cfg(not(unix))]
pub(crate) fn allow(_: usize) {}
