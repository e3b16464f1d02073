//! Two libc functions, answered from the seed on threads that belong to a simulation and by the kernel everywhere else.
//!
//! `std` (keys of hash maps, `Instant`, `SystemTime`) and the `getrandom` crates resolve these symbols at link time on linux-gnu, so
//! that no dependency can reach entropy or time by another way. Linked by this binary only.

#![expect(unsafe_code, reason = "defines C functions, and calls those of the kernel")]

use std::cell::Cell;

thread_local! {
    /// State of the generator; `None` on threads that belong to no simulation.
    static ENTROPY: Cell<Option<u64>> = const { Cell::new(None) };
    static START: Cell<Option<tokio::time::Instant>> = const { Cell::new(None) };
    /// tokio's clock itself asks for the time.
    static INSIDE: Cell<bool> = const { Cell::new(false) };
}

/// Monotonic time at the start of a simulation, in seconds. Not zero: durations are subtracted from it.
const MONOTONIC_START: i64 = 1_000_000;

/// The simulation of this thread. Afterwards the thread ends with the kernel's clock and entropy: what is asked for while its state is
/// taken down (by the allocator, say) is no part of the simulation.
pub(crate) struct Simulation(());

impl Simulation {
    /// From now on this thread's entropy comes from `seed`. To be called first thing on a fresh thread.
    pub(crate) fn begin(seed: u64) -> Self {
        ENTROPY.set(Some(seed));
        Self(())
    }
}

impl Drop for Simulation {
    fn drop(&mut self) {
        ENTROPY.set(None);
        START.set(None);
    }
}

/// From now on this thread's clocks follow tokio's. To be called inside the paused runtime.
pub(crate) fn own_clock() {
    START.set(Some(tokio::time::Instant::now()));
}

/// splitmix64 (Steele, Lea, Flood 2014).
fn next(state: u64) -> (u64, u64) {
    let state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut mixed = state;
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    (state, mixed ^ (mixed >> 31))
}

/// `getrandom(2)`.
#[unsafe(no_mangle)]
unsafe extern "C" fn getrandom(buffer: *mut u8, length: libc::size_t, flags: libc::c_uint) -> libc::ssize_t {
    let Ok(Some(mut state)) = ENTROPY.try_with(Cell::get) else {
        // SAFETY: the caller's arguments, passed on unchanged.
        return unsafe { libc::syscall(libc::SYS_getrandom, buffer, length, flags) } as libc::ssize_t;
    };
    // SAFETY: the caller promises `length` writable bytes.
    let bytes = unsafe { std::slice::from_raw_parts_mut(buffer, length) };
    for chunk in bytes.chunks_mut(8) {
        let (following, number) = next(state);
        state = following;
        chunk.copy_from_slice(&number.to_le_bytes()[..chunk.len()]);
    }
    ENTROPY.set(Some(state));
    length as libc::ssize_t
}

/// `clock_gettime(2)`.
#[unsafe(no_mangle)]
unsafe extern "C" fn clock_gettime(clock: libc::clockid_t, time: *mut libc::timespec) -> libc::c_int {
    match elapsed() {
        Some(elapsed) => {
            let start = match clock {
                libc::CLOCK_REALTIME | libc::CLOCK_REALTIME_COARSE => scenarios::runner::EPOCH.as_second(),
                _ => MONOTONIC_START,
            };
            let seconds = i64::try_from(elapsed.as_secs()).unwrap_or(i64::MAX - start);
            // SAFETY: the caller promises a writable timespec.
            unsafe {
                (*time).tv_sec = start + seconds;
                (*time).tv_nsec = elapsed.subsec_nanos().into();
            }
            0
        }
        // SAFETY: the caller's arguments, passed on unchanged.
        None => unsafe { libc::syscall(libc::SYS_clock_gettime, clock, time) as libc::c_int },
    }
}

fn elapsed() -> Option<std::time::Duration> {
    let start = START.try_with(Cell::get).ok().flatten()?;
    if INSIDE.replace(true) {
        return None;
    }
    let elapsed = tokio::time::Instant::now() - start;
    INSIDE.set(false);
    Some(elapsed)
}
