//! Telling the log about failed handshakes: each once, but only so many of a class where everybody looks.

use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use crate::accept_error::AcceptError;
use crate::client_cert_info::ClientCertInfo;
use crate::failure_class::FailureClass;
use crate::limits;

/// One bucket of tokens for each class: a flood of one failure hides no other.
#[derive(Debug)]
pub(crate) struct FailureLog {
    buckets: [Mutex<Bucket>; FailureClass::ALL.len()],
}

/// Tokens, one for each event that may be shown.
#[derive(Debug)]
struct Bucket {
    tokens: u32,
    /// Up to when tokens were given.
    filled: Instant,
    suppressed: u64,
}

impl Bucket {
    fn new(now: Instant) -> Self {
        Self { tokens: limits::LOGGED_FAILURES_BURST, filled: now, suppressed: 0 }
    }

    /// How many were suppressed since the last one that was shown; `None` if this one is to be suppressed too.
    fn take(&mut self, now: Instant) -> Option<u64> {
        let every = limits::LOGGED_FAILURES_INTERVAL;
        let due = now.saturating_duration_since(self.filled).as_secs() / every.as_secs();
        if due > 0 {
            let due = u32::try_from(due).unwrap_or(u32::MAX);
            self.tokens = self.tokens.saturating_add(due).min(limits::LOGGED_FAILURES_BURST);
            self.filled = now;
        }
        let Some(left) = self.tokens.checked_sub(1) else {
            self.suppressed += 1;
            return None;
        };
        self.tokens = left;
        Some(std::mem::take(&mut self.suppressed))
    }
}

/// One event for a failure, on the level given: `angos::auth` when the certificate or the lack of one is the
/// reason, else `angos::tls`.
macro_rules! event {
    ($level:expr, $error:expr, $generation:expr, $suppressed:expr) => {{
        let (error, generation, suppressed) = ($error, $generation, $suppressed);
        let class = error.class();
        let certificate = error.certificate();
        let shown = |text: Option<&str>| text.map(|text| tracing::field::display(text.to_owned()));
        if error.kind().is_authentication() {
            tracing::event!(
                target: "angos::auth",
                $level,
                class,
                generation,
                subject = shown(certificate.and_then(ClientCertInfo::subject)),
                issuer = shown(certificate.and_then(ClientCertInfo::issuer)),
                serial_number = shown(certificate.and_then(ClientCertInfo::serial_number)),
                fingerprint = shown(certificate.map(ClientCertInfo::fingerprint)),
                suppressed,
                "client certificate not accepted: {error}",
            );
        } else {
            tracing::event!(
                target: "angos::tls", $level, class, generation, suppressed, "handshake failed: {error}",
            );
        }
    }};
}

impl FailureLog {
    pub(crate) fn new() -> Self {
        let now = Instant::now();
        Self { buckets: std::array::from_fn(|_| Mutex::new(Bucket::new(now))) }
    }

    /// Tells the log, at `info` while its class has tokens and at `debug` otherwise. A connection that broke is told
    /// at `debug` alone: port scans and probes are no news.
    pub(crate) fn log(&self, error: &AcceptError, generation: u64) {
        let kind = error.kind();
        let bucket =
            FailureClass::ALL.iter().position(|class| *class == kind).and_then(|at| self.buckets.get(at));
        let shown = bucket
            .filter(|_| kind != FailureClass::Io)
            .and_then(|bucket| bucket.lock().unwrap_or_else(PoisonError::into_inner).take(Instant::now()));
        if let Some(suppressed) = shown {
            event!(tracing::Level::INFO, error, generation, (suppressed > 0).then_some(suppressed));
        } else {
            event!(tracing::Level::DEBUG, error, generation, None::<u64>);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_then_a_trickle() {
        let begin = Instant::now();
        let mut bucket = Bucket::new(begin);
        let (burst, every) = (u64::from(limits::LOGGED_FAILURES_BURST), limits::LOGGED_FAILURES_INTERVAL);
        for _ in 0..burst {
            assert_eq!(bucket.take(begin), Some(0));
        }
        for _ in 0..100 {
            assert_eq!(bucket.take(begin), None);
        }
        assert_eq!(bucket.take(begin + every), Some(100));
        assert_eq!(bucket.take(begin + every), None);
        assert_eq!(bucket.take(begin + every * 3), Some(1));
        assert_eq!(bucket.take(begin + every * 3), Some(0));
        assert_eq!(bucket.take(begin + every * 3), None);
        // A long rest gives no more than a burst.
        for _ in 0..burst {
            assert!(bucket.take(begin + every * 1000).is_some());
        }
        assert_eq!(bucket.take(begin + every * 1000), None);
    }
}
