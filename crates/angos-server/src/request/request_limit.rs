//! How the slots for requests are shared out, so that no caller can take those of the others.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use angos_identity::limits::CERTIFICATE_RESERVE;
use angos_identity::{CallerKey, admits};

use crate::limits::CALLERS_KEPT;

/// Slots, counted over all callers and for each.
///
/// Taking and giving back are a few atomic operations.
#[derive(Debug)]
pub(crate) struct RequestLimit {
    slots: u64,
    taken: AtomicU64,
    callers: Mutex<Callers>,
}

/// What one caller holds.
#[derive(Debug, Default)]
pub(crate) struct CallerShare {
    held: AtomicU64,
    /// Slots that have to stay free when this caller takes one.
    reserve: u64,
}

#[derive(Debug, Default)]
struct Callers {
    shares: HashMap<CallerKey, Weak<CallerShare>>,
    /// How many entries there are before those without a share are removed.
    purge_at: usize,
}

impl RequestLimit {
    /// So many slots.
    pub(crate) fn new(slots: usize) -> Self {
        // The square of a larger number would not fit.
        let slots = u32::try_from(slots).unwrap_or(u32::MAX).into();
        let callers = Callers { shares: HashMap::new(), purge_at: CALLERS_KEPT };
        Self { slots, taken: AtomicU64::new(0), callers: Mutex::new(callers) }
    }

    /// The share of a caller; the same one for the same caller while anybody holds it.
    ///
    /// `reserve`: whether a part is kept for holders of certificates, which this caller gets only with one.
    pub(crate) fn of(&self, caller: CallerKey, reserve: bool) -> Arc<CallerShare> {
        let mut callers = self.callers.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(share) = callers.shares.get(&caller).and_then(Weak::upgrade) {
            return share;
        }
        if callers.shares.len() >= callers.purge_at {
            callers.shares.retain(|_, share| share.strong_count() > 0);
            callers.purge_at = callers.shares.len().saturating_mul(2).max(CALLERS_KEPT);
        }
        let reserve = if reserve && !caller.is_certificate() { self.slots / CERTIFICATE_RESERVE } else { 0 };
        let share = Arc::new(CallerShare { held: AtomicU64::new(0), reserve });
        callers.shares.insert(caller, Arc::downgrade(&share));
        share
    }

    /// Takes a slot, to be [given back](Self::give_back); false when this caller cannot have another one now.
    pub(crate) fn take(&self, share: &CallerShare) -> bool {
        // What is counted before it is admitted can only keep the same caller from being admitted.
        let held = share.held.fetch_add(1, Ordering::Relaxed);
        let taken = self.taken.fetch_update(Ordering::AcqRel, Ordering::Relaxed, |taken| {
            self.admits(share, held, taken).then_some(taken + 1)
        });
        if taken.is_err() {
            share.held.fetch_sub(1, Ordering::Relaxed);
        }
        taken.is_ok()
    }

    /// Gives a slot back that this share took, or that was moved to it.
    pub(crate) fn give_back(&self, share: &CallerShare) {
        share.held.fetch_sub(1, Ordering::Relaxed);
        self.taken.fetch_sub(1, Ordering::AcqRel);
    }

    /// Counts a slot that `from` holds for `to` from now on; false when `to` cannot have another one now.
    pub(crate) fn transfer(&self, from: &CallerShare, to: &CallerShare) -> bool {
        let held = to.held.fetch_add(1, Ordering::Relaxed);
        let others = self.taken.load(Ordering::Acquire).saturating_sub(1);
        let admitted = self.admits(to, held, others);
        let loser = if admitted { from } else { to };
        loser.held.fetch_sub(1, Ordering::Relaxed);
        admitted
    }

    fn admits(&self, share: &CallerShare, held: u64, taken: u64) -> bool {
        admits(held, self.slots.saturating_sub(taken).saturating_sub(share.reserve), self.slots)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network(number: u32) -> CallerKey {
        CallerKey::Network(std::net::Ipv4Addr::from_bits(number).into())
    }

    fn holder(number: u8) -> CallerKey {
        CallerKey::Certificate([number; 32])
    }

    /// Takes all that is given.
    fn greedy(shares: &RequestLimit, share: &CallerShare) -> u64 {
        (0..=shares.slots).take_while(|_| shares.take(share)).count() as u64
    }

    fn free(shares: &RequestLimit) -> u64 {
        shares.slots - shares.taken.load(Ordering::Relaxed)
    }

    /// The guarantee, in the order that is worst for those who come later, and in turns.
    #[test]
    fn greedy_callers_leave_a_fair_part() {
        for slots in [1, 2, 10, 64, 736, 4096, 1_000_000] {
            for in_turns in [false, true] {
                let shares = RequestLimit::new(slots);
                let slots = slots as u64;
                let mut callers = Vec::new();
                for number in 0..200_u32 {
                    callers.push(shares.of(network(number), false));
                    if in_turns {
                        while callers.iter().filter(|caller| shares.take(caller)).count() > 0 {}
                    } else {
                        greedy(&shares, callers.last().unwrap());
                    }
                    let count = callers.len() as u64;
                    let promised = (slots / (count + 1)).saturating_sub(count);
                    assert!(free(&shares) >= promised, "{slots} slots, {count} callers: {}", free(&shares));
                    if free(&shares) > 0 {
                        let newcomer = shares.of(holder(1), false);
                        assert!(shares.take(&newcomer), "{slots} slots, {count} callers");
                        shares.give_back(&newcomer);
                    }
                }
                for caller in &callers {
                    for _ in 0..caller.held.load(Ordering::Relaxed) {
                        shares.give_back(caller);
                    }
                }
                assert_eq!(free(&shares), slots, "given back");
            }
        }
    }

    /// The guarantee whatever callers do: take and give back in any order.
    #[test]
    fn no_order_of_taking_and_giving_back_gains_anything() {
        let mut random = 7_u64;
        let mut next = |below: u64| {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (random >> 33) % below
        };
        for count in [1, 2, 3, 10, 30] {
            let shares = RequestLimit::new(4096);
            let callers: Vec<_> = (0..count).map(|number| shares.of(network(number), false)).collect();
            for _ in 0..20_000 {
                let caller = &callers[usize::try_from(next(count.into())).unwrap()];
                let taking = next(3) > 0;
                for _ in 0..next(200) {
                    if taking {
                        shares.take(caller);
                    } else if caller.held.load(Ordering::Relaxed) > 0 {
                        shares.give_back(caller);
                    }
                }
                let promised = 4096 / (u64::from(count) + 1) - u64::from(count);
                assert!(free(&shares) >= promised, "{count} callers leave {}", free(&shares));
            }
        }
    }

    #[test]
    fn one_caller_may_use_much_of_what_nobody_needs() {
        let check = |slots: usize, reserve: bool, expected: u64| {
            let shares = RequestLimit::new(slots);
            assert_eq!(greedy(&shares, &shares.of(network(1), reserve)), expected, "{slots}");
        };
        check(4096, false, 1565);
        check(4096, true, 1024);
        check(10, false, 4);
        check(1, false, 1);
        check(1, true, 1);
    }

    #[test]
    fn a_part_is_kept_for_certificates() {
        let shares = RequestLimit::new(4096);
        let crowd: Vec<_> = (0..10_000).map(|number| shares.of(network(number), true)).collect();
        for caller in &crowd {
            greedy(&shares, caller);
        }
        assert_eq!(free(&shares), 1024);
        assert!(!shares.take(&shares.of(network(10_001), true)));
        assert!(greedy(&shares, &shares.of(holder(1), true)) > 150);
    }

    #[test]
    fn a_slot_moves_to_who_turned_out_to_ask() {
        let shares = RequestLimit::new(100);
        let (address, user) = (shares.of(network(1), false), CallerShare::default());
        let mut moved = 0;
        while shares.take(&address) {
            if !shares.transfer(&address, &user) {
                break;
            }
            moved += 1;
        }
        assert_eq!(moved, 39, "a user has the share of a caller");
        assert_eq!(address.held.load(Ordering::Relaxed), 1, "a refused one stays where it was");
        for _ in 0..moved {
            shares.give_back(&user);
        }
        shares.give_back(&address);
        assert_eq!(free(&shares), 100);
    }

    #[test]
    fn callers_are_forgotten() {
        let shares = RequestLimit::new(10);
        let kept = shares.of(network(0), false);
        for number in 1..100_000 {
            drop(shares.of(network(number), false));
        }
        assert!(shares.callers.lock().unwrap().shares.len() <= CALLERS_KEPT);
        assert!(Arc::ptr_eq(&kept, &shares.of(network(0), true)));
    }
}
