//! Whether the storage takes writes: looked at in the background, told by `/readyz` and by metrics.

use std::fmt;
use std::sync::Arc;

use angos_registry::{StorageHealth, StoreFault, StoreHealth};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::gauge::ConstGauge;
use tokio::sync::watch;

use crate::limits::{READINESS_TIMEOUT, STORAGE_PROBE_INTERVAL};
use crate::server::background::Job;
use crate::server::state::ServerState;

/// What the last look found; nothing before the first one.
pub(crate) type Found = Option<ProbeResult>;

/// One look at the storage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ProbeResult {
    /// It ended in time.
    Ended(StorageHealth),
    /// It did not: the storage hangs.
    Hangs,
}

impl ProbeResult {
    /// Why the storage is not ready, if it is not: words for whoever probes, without anything internal.
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

/// What is told of a storage that does not answer.
pub(crate) const NOT_ANSWERING: &str = "the storage does not answer";

/// Looks at the storage, again and again. Only one look is under way, also when it hangs.
#[derive(Debug)]
pub(crate) struct StorageProbe(pub(crate) Arc<ServerState>);

impl Job for StorageProbe {
    async fn round(&mut self) -> Result<(), String> {
        let Self(shared) = self;
        let mut look = std::pin::pin!(shared.registry.storage_health());
        let ended = tokio::time::timeout(READINESS_TIMEOUT, &mut look).await;
        let health = if let Ok(health) = ended {
            health
        } else {
            publish(&shared.storage_health, ProbeResult::Hangs);
            look.await
        };
        publish(&shared.storage_health, ProbeResult::Ended(health));
        Ok(())
    }

    async fn due(&mut self) {
        tokio::time::sleep(STORAGE_PROBE_INTERVAL).await;
    }
}

/// Puts a look into force, and says in the log when the storage fails or is well again.
fn publish(found: &watch::Sender<Found>, look: ProbeResult) {
    let before = found.send_replace(Some(look)).and_then(ProbeResult::problem);
    match (before, look.problem()) {
        (before, Some(reason)) if before != Some(reason) => {
            tracing::error!(target: "angos::storage", reason, "not ready until the storage takes writes again");
        }
        (Some(_), None) => tracing::info!(target: "angos::storage", "the storage takes writes again"),
        _ => {}
    }
}

/// The room of both stores and whether they take writes, as the last look found them.
#[derive(Debug)]
pub(crate) struct StorageMetrics(pub(crate) watch::Receiver<Found>);

impl Collector for StorageMetrics {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let look = *self.0.borrow();
        let stores = match look {
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
