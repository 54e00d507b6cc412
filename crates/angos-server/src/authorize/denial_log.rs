//! Bounds the log lines about denied requests of each caller, so that a flood of them neither fills a disk nor hides the
//! denials of others. Called by `authorize.rs`.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use angos_identity::CallerKey;

use crate::limits::{LOGGED_DENIALS, LOGGED_DENIALS_CALLERS, LOGGED_DENIALS_PERIOD};

/// Callers beyond [`LOGGED_DENIALS_CALLERS`] share this entry; no client has the address.
const OTHERS: CallerKey = CallerKey::Network(IpAddr::V6(Ipv6Addr::UNSPECIFIED));

/// Which denials are logged at `info`.
#[derive(Debug, Default)]
pub(crate) struct DenialLog {
    callers: Mutex<HashMap<CallerKey, Period>>,
}

/// What was logged of one caller since `begun`.
#[derive(Debug)]
struct Period {
    begun: Instant,
    logged: u32,
    suppressed: u64,
}

impl Period {
    fn is_over(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.begun) >= LOGGED_DENIALS_PERIOD
    }
}

impl DenialLog {
    /// For a denial that is to be logged: how many of this caller were suppressed since the last one that was.
    pub(crate) fn admit(&self, caller: CallerKey, now: Instant) -> Option<u64> {
        let mut callers = self.callers.lock().unwrap_or_else(PoisonError::into_inner);
        let is_full = callers.len() >= LOGGED_DENIALS_CALLERS && !callers.contains_key(&caller);
        if is_full {
            callers.retain(|_, period| !period.is_over(now));
        }
        let key = if is_full && callers.len() >= LOGGED_DENIALS_CALLERS { OTHERS } else { caller };
        let period = callers.entry(key).or_insert(Period { begun: now, logged: 0, suppressed: 0 });
        if period.is_over(now) {
            (period.begun, period.logged) = (now, 0);
        }
        if period.logged >= LOGGED_DENIALS {
            period.suppressed += 1;
            return None;
        }
        period.logged += 1;
        Some(std::mem::take(&mut period.suppressed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn caller(number: u32) -> CallerKey {
        CallerKey::Network(std::net::Ipv4Addr::from_bits(number).into())
    }

    fn logged(log: &DenialLog, caller: CallerKey, count: usize, now: Instant) -> usize {
        (0..count).filter(|_| log.admit(caller, now).is_some()).count()
    }

    #[test]
    fn each_caller_has_lines_of_its_own() {
        let (log, begin, most) = (DenialLog::default(), Instant::now(), LOGGED_DENIALS as usize);
        assert_eq!(logged(&log, caller(1), 1000, begin), most);
        assert_eq!(log.admit(caller(2), begin), Some(0), "another caller's are shown");
        let later = begin + LOGGED_DENIALS_PERIOD;
        assert_eq!(log.admit(caller(1), later), Some(1000 - u64::from(LOGGED_DENIALS)));
        assert_eq!(log.admit(caller(1), later), Some(0));
        assert_eq!(logged(&log, caller(1), 1000, later), most - 2);
    }

    #[test]
    fn many_callers_take_bounded_memory_and_lines() {
        let (log, now, most) = (DenialLog::default(), Instant::now(), LOGGED_DENIALS as usize);
        let count = u32::try_from(LOGGED_DENIALS_CALLERS).unwrap() * 3;
        let lines: usize = (0..count).map(|number| logged(&log, caller(number), 20, now)).sum();
        assert_eq!(lines, (LOGGED_DENIALS_CALLERS + 1) * most);
        assert_eq!(log.callers.lock().unwrap().len(), LOGGED_DENIALS_CALLERS + 1);
        // When the period is over they are forgotten.
        assert_eq!(logged(&log, caller(count), 20, now + LOGGED_DENIALS_PERIOD), most);
        assert_eq!(log.callers.lock().unwrap().len(), 1);
    }
}
