//! Whether the storage takes writes: probed in the background, shown by `/readyz` and by metrics.

use std::fmt;

use angos_registry::{Registry, StorageHealth, StoreFault, StoreHealth};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::gauge::ConstGauge;
use tokio::sync::watch;

use crate::limits::{READINESS_TIMEOUT, STORAGE_PROBE_INTERVAL};
use crate::server::background::Job;

/// The result of the last probe; `None` before the first.
pub(crate) type LastProbe = Option<ProbeResult>;

/// The result of one probe of the storage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ProbeResult {
    /// The storage answered in time.
    Ended(StorageHealth),
    /// The storage did not answer in time.
    Hangs,
}

impl ProbeResult {
    /// Why the storage is not ready, for the answer of `/readyz`; `None` if it is ready. Says nothing internal.
    pub(crate) fn problem(self) -> Option<&'static str> {
        let ProbeResult::Ended(StorageHealth { blobs, metadata, .. }) = self else {
            return Some(NOT_ANSWERING);
        };
        let blobs = blobs.fault.map(|fault| match fault {
            StoreFault::OutOfSpace => "the blob store has no space left",
            StoreFault::Moved => "the blob store is not where it was opened",
            StoreFault::AccessDenied => "the blob store cannot be written to",
            _ => "the blob store fails",
        });
        let metadata = metadata.fault.map(|fault| match fault {
            StoreFault::OutOfSpace => "the metadata store has no space left",
            StoreFault::Moved => "the metadata store is not where it was opened",
            StoreFault::AccessDenied => "the metadata store cannot be written to",
            _ => "the metadata store fails",
        });
        blobs.or(metadata)
    }
}

/// The reason of a storage that does not answer.
pub(crate) const NOT_ANSWERING: &str = "the storage does not answer";

/// Probes the storage once per interval. Only one probe runs at a time, also when it hangs.
#[derive(Debug)]
pub(crate) struct StorageProbe {
    pub(crate) registry: Registry,
    /// Where the result goes.
    pub(crate) result: watch::Sender<LastProbe>,
}

impl Job for StorageProbe {
    async fn round(&mut self) -> Result<(), String> {
        let mut probe = std::pin::pin!(self.registry.storage_health());
        let in_time = tokio::time::timeout(READINESS_TIMEOUT, &mut probe).await;
        let health = if let Ok(health) = in_time {
            health
        } else {
            publish(&self.result, ProbeResult::Hangs);
            probe.await
        };
        publish(&self.result, ProbeResult::Ended(health));
        Ok(())
    }

    async fn due(&mut self) {
        tokio::time::sleep(STORAGE_PROBE_INTERVAL).await;
    }
}

/// Publishes a result, and logs when the storage begins to fail and when it has recovered.
fn publish(last: &watch::Sender<LastProbe>, result: ProbeResult) {
    let before = last.send_replace(Some(result)).and_then(ProbeResult::problem);
    match (before, result.problem()) {
        (before, Some(reason)) if before != Some(reason) => {
            tracing::error!(target: "angos::storage", reason, "the storage does not take writes; not ready until it does");
        }
        (Some(_), None) => tracing::info!(target: "angos::storage", "the storage takes writes again"),
        _ => {}
    }
}

/// The free space of both stores and whether they take writes, by the last probe.
#[derive(Debug)]
pub(crate) struct StorageMetrics(pub(crate) watch::Receiver<LastProbe>);

impl Collector for StorageMetrics {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let result = *self.0.borrow();
        let stores = match result {
            Some(ProbeResult::Ended(StorageHealth { blobs, metadata, .. })) => {
                vec![("blobs", blobs), ("metadata", metadata)]
            }
            _ => Vec::new(),
        };
        let writable = |health: &StoreHealth| Some(u64::from(health.fault.is_none()));
        let help = "Bytes that may still be written where a store is";
        series(&mut encoder, "storage_free_bytes", help, &stores, |health| health.free_bytes)?;
        let help = "Files that may still be created where a store is";
        series(&mut encoder, "storage_free_inodes", help, &stores, |health| health.free_inodes)?;
        let help = "Whether a store takes writes";
        series(&mut encoder, "storage_writable", help, &stores, writable)
    }
}

fn series(
    encoder: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    stores: &[(&'static str, StoreHealth)],
    value: impl Fn(&StoreHealth) -> Option<u64>,
) -> fmt::Result {
    let mut family = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
    for (store, health) in stores {
        let Some(value) = value(health) else { continue };
        let gauge = ConstGauge::new(i64::try_from(value).unwrap_or(i64::MAX));
        gauge.encode(family.encode_family(&[("store", *store)])?)?;
    }
    Ok(())
}
