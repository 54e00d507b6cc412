//! The garbage collector as a background job, and its metrics.

use std::fmt;

use angos_registry::{CollectOptions, Collected, GcStatus, Registry};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;

use crate::server::background::Job;

/// Collects what no manifest needs; see `docs/explanation/garbage-collection.md`.
#[derive(Debug)]
pub(crate) struct GarbageCollection(pub(crate) Registry);

impl Job for GarbageCollection {
    async fn round(&mut self) -> Result<(), String> {
        let registry = &self.0;
        let failed = |error| format!("garbage collection stopped and kept the rest: {error}");
        let sweep = registry.is_sweep_due().await.map_err(failed)?;
        let options = CollectOptions { sweep, ..CollectOptions::default() };
        let collected = registry.collect(options, |_| {}).await.map_err(failed)?;
        let Collected { ownerships, blobs, bytes, repositories, skipped, .. } = collected;
        if ownerships + blobs + repositories + skipped > 0 {
            tracing::info!(
                target: "angos::registry", ownerships, blobs, bytes, repositories, skipped, "garbage was collected"
            );
        }
        Ok(())
    }

    async fn due(&mut self) {
        tokio::time::sleep(self.0.settings().gc_interval).await;
    }
}

/// The state of the collector at one moment.
#[derive(Debug)]
pub(crate) struct GcMetrics(pub(crate) GcStatus);

impl Collector for GcMetrics {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let gauge = |value: u64| ConstGauge::new(i64::try_from(value).unwrap_or(i64::MAX));
        let status = &self.0;
        for (name, help, value) in [
            ("gc_reclaimed_blobs", "Blobs whose bytes the garbage collector removed", status.reclaimed_blobs),
            ("gc_reclaimed_bytes", "Bytes that the garbage collector removed", status.reclaimed_bytes),
        ] {
            let metric = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
            ConstCounter::new(value).encode(metric)?;
        }
        for (name, help, value) in [
            (
                "gc_candidates",
                "Blobs whose grace time was not over when the last round ended",
                status.waiting,
            ),
            (
                "gc_oldest_candidate_seconds",
                "Age of the oldest candidate that the last round found",
                status.oldest_candidate_seconds,
            ),
            ("gc_duration_milliseconds", "Duration of the last round", status.duration_milliseconds),
        ] {
            let metric = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
            gauge(value).encode(metric)?;
        }
        let spaces = [("owned", status.owned), ("unowned", status.unowned)];
        let help = "Blobs in the store at the last sweep, by whether a repository owns them";
        let mut blobs = encoder.encode_descriptor("gc_stored_blobs", help, None, MetricType::Gauge)?;
        for (state, space) in spaces {
            gauge(space.blobs).encode(blobs.encode_family(&[("state", state)])?)?;
        }
        let help = "Bytes in the store at the last sweep, by whether a repository owns them";
        let mut bytes = encoder.encode_descriptor("gc_stored_bytes", help, None, MetricType::Gauge)?;
        for (state, space) in spaces {
            gauge(space.bytes).encode(bytes.encode_family(&[("state", state)])?)?;
        }
        Ok(())
    }
}
