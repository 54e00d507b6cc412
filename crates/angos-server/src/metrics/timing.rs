//! A histogram of short times whose observation takes no lock: two atomic adds.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use prometheus_client::encoding::{EncodeMetric, MetricEncoder};
use prometheus_client::metrics::MetricType;

/// Upper bounds in nanoseconds: from one rule (a quarter microsecond) to a set that needs a look (a millisecond).
const BOUNDS: [u64; 8] = [250, 500, 1000, 2500, 5000, 10_000, 100_000, 1_000_000];

/// Clones share their numbers.
#[derive(Debug, Clone, Default)]
pub(crate) struct Timing(Arc<Numbers>);

#[derive(Debug, Default)]
struct Numbers {
    nanoseconds: AtomicU64,
    /// One for each bound, and one for what is longer.
    counts: [AtomicU64; BOUNDS.len() + 1],
}

impl Timing {
    pub(crate) fn observe(&self, elapsed: Duration) {
        let elapsed = u64::try_from(elapsed.as_nanos()).unwrap_or(u64::MAX);
        let slot = BOUNDS.iter().position(|bound| elapsed <= *bound).unwrap_or(BOUNDS.len());
        self.0.nanoseconds.fetch_add(elapsed, Ordering::Relaxed);
        if let Some(count) = self.0.counts.get(slot) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl EncodeMetric for Timing {
    fn encode(&self, mut encoder: MetricEncoder<'_>) -> fmt::Result {
        let bounds = BOUNDS.iter().map(|bound| seconds(*bound)).chain([f64::INFINITY]);
        let counts = self.0.counts.iter().map(|count| count.load(Ordering::Relaxed));
        let buckets: Vec<(f64, u64)> = bounds.zip(counts).collect();
        let sum = seconds(self.0.nanoseconds.load(Ordering::Relaxed));
        let count = buckets.iter().map(|(_, count)| count).sum();
        encoder.encode_histogram::<[(&str, &str); 0]>(sum, count, &buckets, None)
    }

    fn metric_type(&self) -> MetricType {
        MetricType::Histogram
    }
}

fn seconds(nanoseconds: u64) -> f64 {
    Duration::from_nanos(nanoseconds).as_secs_f64()
}
