//! The rule by which callers share a limited number of slots. It has no state: slots are counted where they are used.

/// Whether a caller that holds `held` of `slots` may take another one while `free` of them are free: while
/// `held × slots < free²`.
///
/// Guarantee: `callers` callers together, whatever they do and in whatever order, leave at least
/// `slots / (callers + 1) - callers` slots free; one alone leaves 61 %. A caller that holds none gets a slot as long as
/// one is free.
///
/// Why: sort the callers by when each took its last slot, and let `s` be one more than the slots that the callers up
/// to a certain one leave. The condition gives `s_before < s + s²/slots + 1`. Without the 1, which rounding costs, that
/// is `slots/s < slots/s_before + 1`: each caller adds at most 1 to `slots/s`, which starts at 1.
pub fn admits(held: u64, free: u64, slots: u64) -> bool {
    held.saturating_mul(slots) < free.saturating_mul(free)
}
