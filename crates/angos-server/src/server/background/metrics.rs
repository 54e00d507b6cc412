//! What the metrics show of background jobs.

use std::fmt;
use std::sync::atomic::Ordering;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;

use super::{Background, JobState, lock};

/// State and rounds of every job.
#[derive(Debug)]
pub(crate) struct JobMetrics(pub(crate) Background);

impl Collector for JobMetrics {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let jobs = lock(&self.0.watched.jobs).clone();
        let help = "1 for the state a background job is in";
        let mut states = encoder.encode_descriptor("background_job_state", help, None, MetricType::Gauge)?;
        for entry in &jobs {
            let now = entry.state();
            for state in JobState::ALL {
                let labels = [("job", entry.name.as_str()), ("state", state.as_str())];
                ConstGauge::new(i64::from(now == state)).encode(states.encode_family(&labels)?)?;
            }
        }
        let help = "Rounds of periodic background jobs, by outcome";
        let mut rounds =
            encoder.encode_descriptor("background_job_rounds", help, None, MetricType::Counter)?;
        for entry in jobs.iter().filter(|entry| entry.is_periodic) {
            let counts =
                [("completed", &entry.completed), ("failed", &entry.failed), ("panicked", &entry.panicked)];
            for (outcome, count) in counts {
                let labels = [("job", entry.name.as_str()), ("outcome", outcome)];
                let count = ConstCounter::new(count.load(Ordering::Relaxed));
                count.encode(rounds.encode_family(&labels)?)?;
            }
        }
        Ok(())
    }
}
