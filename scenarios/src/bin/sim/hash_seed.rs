//! Two libraries that draw their seeds elsewhere than from the kernel.

use std::cell::Cell;

thread_local! {
    static AHASH: Cell<usize> = const { Cell::new(0) };
}

struct Ours;

impl ahash::random_state::RandomSource for Ours {
    fn gen_hasher_seed(&self) -> usize {
        // Knuth's MMIX generator: any sequence will do that is the same every time.
        let next = AHASH
            .get()
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        AHASH.set(next);
        next
    }
}

/// Once per process, before anything hashes: ahash (kube's object store) mixes in an address of memory otherwise.
pub(crate) fn own_ahash() {
    // Only refuses if somebody was first, and this is the first statement of the process.
    let _ = ahash::random_state::set_random_source(Ours);
}

/// First thing on the thread of a simulation: ahash's sequence, and fastrand (jitter of kube's watches).
pub(crate) fn seed_thread(seed: u64) {
    AHASH.set(usize::try_from(seed).unwrap_or(usize::MAX));
    fastrand::seed(seed);
}
