//! What of the TLS material in force ends, and the client certificate that ends first, read when somebody scrapes.
//!
//! Labels hold subjects of certificates the operator named, and nothing a client chose.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use angos_tls::Material;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::gauge::ConstGauge;

use crate::limits::CLIENT_EXPIRY_PERIOD;

/// Reads one set of material.
#[derive(Debug)]
pub(crate) struct ExpiryMetrics {
    pub(crate) material: Option<Arc<Material>>,
    pub(crate) client: Option<i64>,
}

impl Collector for ExpiryMetrics {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        // Of two certificates of one subject the one that ends first is to be renewed first.
        let mut first: BTreeMap<(&str, &str), i64> = BTreeMap::new();
        for expiry in self.material.iter().flat_map(|material| material.expiries()) {
            let at = first.entry((expiry.kind().as_str(), expiry.subject())).or_insert(i64::MAX);
            *at = expiry.at().min(*at);
        }
        let help = "Last second of validity of certificates and revocation lists in force, since 1970";
        let name = "tls_expiry_timestamp_seconds";
        let mut family = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
        for ((kind, subject), at) in first {
            ConstGauge::new(at).encode(family.encode_family(&[("kind", kind), ("subject", subject)])?)?;
        }
        let Some(at) = self.client else { return Ok(()) };
        let help = "Last second of validity of the client certificate that ends first, of those seen lately";
        let name = "tls_client_expiry_timestamp_seconds";
        ConstGauge::new(at).encode(encoder.encode_descriptor(name, help, None, MetricType::Gauge)?)
    }
}

/// The client certificate that ends first, of those seen in this period and the one before.
#[derive(Debug)]
pub(crate) struct SoonestClient(Mutex<Periods>);

#[derive(Debug)]
struct Periods {
    since: Instant,
    now: Option<i64>,
    before: Option<i64>,
}

impl SoonestClient {
    pub(crate) fn new(now: Instant) -> Self {
        Self(Mutex::new(Periods { since: now, now: None, before: None }))
    }

    /// A certificate with this end was seen.
    pub(crate) fn see(&self, not_after: i64, now: Instant) {
        self.periods(now, |periods| {
            periods.now = Some(periods.now.map_or(not_after, |at| at.min(not_after)));
        });
    }

    /// The end that comes first.
    pub(crate) fn at(&self, now: Instant) -> Option<i64> {
        self.periods(now, |periods| periods.now.into_iter().chain(periods.before).min())
    }

    fn periods<T>(&self, now: Instant, then: impl FnOnce(&mut Periods) -> T) -> T {
        let mut periods = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let elapsed = now.saturating_duration_since(periods.since);
        if elapsed >= CLIENT_EXPIRY_PERIOD {
            let is_next = elapsed < 2 * CLIENT_EXPIRY_PERIOD;
            *periods = Periods { since: now, now: None, before: periods.now.filter(|_| is_next) };
        }
        then(&mut periods)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_that_came_no_more_is_forgotten() {
        let start = Instant::now();
        let later = |periods: u32| start + CLIENT_EXPIRY_PERIOD * periods;
        let soonest = SoonestClient::new(start);
        assert_eq!(soonest.at(start), None);
        soonest.see(20, start);
        soonest.see(10, start);
        soonest.see(30, start);
        assert_eq!(soonest.at(start), Some(10));
        assert_eq!(soonest.at(later(1)), Some(10));
        soonest.see(15, later(1));
        assert_eq!(soonest.at(later(1)), Some(10));
        assert_eq!(soonest.at(later(2)), Some(15));
        assert_eq!(soonest.at(later(4)), None);
    }
}
