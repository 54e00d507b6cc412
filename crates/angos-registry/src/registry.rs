//! The registry: stores, settings and what is kept in memory, shared by every operation.

use std::fmt;
use std::sync::{Arc, Mutex};

use angos_oci::{Name, Tag};
use angos_storage::{Batch, Entry, MetadataStore, SessionId, Storage, Version};
use tokio::sync::{OnceCell, Semaphore, SemaphorePermit};
use tracing::Instrument as _;

use crate::actor::Actor;
use crate::approval::Approval;
use crate::cache::ManifestCache;
use crate::damage::DamageCounts;
use crate::fence::Fence;
use crate::gc_report::GcCounters;
use crate::limits::{INLINE_MAX_BYTES, PARSE_CONCURRENCY, SCAN_CONCURRENCY, SHORT_SCAN_ENTRIES};
use crate::record::{self, Record, Timestamp};
use crate::sessions::Sessions;
use crate::upload_id::Secret;
use crate::{Clock, Error, Result, Settings, key};

/// Every operation of an OCI registry over a metadata store and a blob store.
///
/// What an operation acknowledged is at rest, and no later operation of any clone sees what was before it. Dropping the
/// future of an operation leaves either nothing of it or all of it; it must run within a tokio runtime. Clone is cheap.
///
/// A repository exists from its first acknowledged blob, mount or manifest on, until a collection finds it empty.
#[derive(Clone)]
pub struct Registry(pub(crate) Arc<Inner>, Option<Arc<dyn Approval>>, Actor);

pub(crate) struct Inner {
    pub(crate) storage: Storage,
    pub(crate) settings: Settings,
    pub(crate) clock: Clock,
    /// When this registry was made, by its clock.
    pub(crate) started: u64,
    pub(crate) cache: ManifestCache,
    pub(crate) sessions: Arc<Sessions>,
    pub(crate) fence: Arc<Fence>,
    pub(crate) gc: GcCounters,
    pub(crate) damage: DamageCounts,
    /// Where the next look for abandoned sessions in the blob store goes on.
    pub(crate) sweep: Mutex<Option<SessionId>>,
    pub(crate) secret: OnceCell<Secret>,
    /// The turn of large manifests to be parsed.
    parsing: Semaphore,
    /// The turn of long scans.
    scanning: Semaphore,
}

impl Registry {
    /// A registry over `storage`. Reads nothing yet.
    pub fn new(storage: Storage, settings: Settings) -> Self {
        Self::with_clock(storage, settings, Clock::default())
    }

    /// The same, by another clock than the system's.
    pub fn with_clock(storage: Storage, mut settings: Settings, clock: Clock) -> Self {
        settings.max_manifest_size = settings.max_manifest_size.min(angos_oci::limits::MANIFEST_MAX_BYTES);
        let inner = Arc::new(Inner {
            started: clock.nanoseconds(),
            cache: ManifestCache::new(settings.manifest_cache_bytes),
            storage,
            settings,
            clock,
            sessions: Arc::default(),
            fence: Arc::default(),
            gc: GcCounters::default(),
            damage: DamageCounts::default(),
            sweep: Mutex::default(),
            secret: OnceCell::new(),
            parsing: Semaphore::new(PARSE_CONCURRENCY),
            scanning: Semaphore::new(scan_concurrency()),
        });
        Self(inner, None, Actor::system())
    }

    /// The same registry, whose changes need a yes of `approval` at the moment of their commit. Without one every change
    /// is allowed.
    #[must_use]
    pub fn approved_by(&self, approval: Arc<dyn Approval>) -> Self {
        Self(Arc::clone(&self.0), Some(approval), self.2.clone())
    }

    /// The same registry, whose changes are made by `actor`. Without one they are made by [`Actor::system`].
    #[must_use]
    pub fn on_behalf_of(&self, actor: Actor) -> Self {
        Self(Arc::clone(&self.0), self.1.clone(), actor)
    }

    pub(crate) fn actor(&self) -> &Actor {
        &self.2
    }

    /// Now, as records have it.
    pub(crate) fn now(&self) -> Timestamp {
        Timestamp(self.0.clock.nanoseconds())
    }

    /// Asks whether a change may happen now; `tags` are those that the operation did not name.
    pub(crate) async fn approve(&self, tags: &[Tag]) -> Result<()> {
        match &self.1 {
            Some(approval) if !approval.approve(tags).await => Err(Error::NotApproved),
            _ => Ok(()),
        }
    }

    /// What this registry was made with.
    pub fn settings(&self) -> &Settings {
        &self.0.settings
    }

    pub(crate) fn metadata(&self) -> &dyn MetadataStore {
        &*self.0.storage.metadata
    }

    /// To be held while a manifest of `length` bytes is parsed.
    pub(crate) async fn parse_permit(&self, length: usize) -> Option<SemaphorePermit<'_>> {
        if length <= INLINE_MAX_BYTES {
            return None;
        }
        // The semaphore is never closed.
        self.0.parsing.acquire().await.ok()
    }

    /// A scan of the metadata, which waits for its turn if it is long.
    pub(crate) async fn scan(&self, prefix: &[u8], after: Option<&[u8]>, limit: usize) -> Result<Vec<Entry>> {
        let _turn = if limit > SHORT_SCAN_ENTRIES { self.scan_permit().await } else { None };
        Ok(self.metadata().scan(prefix, after, limit).await?)
    }

    /// To be held during a scan that takes long, or reads much.
    pub(crate) async fn scan_permit(&self) -> Option<SemaphorePermit<'_>> {
        // The semaphore is never closed.
        self.0.scanning.acquire().await.ok()
    }

    /// The record under a key, unless it was removed.
    pub(crate) async fn record<R: Record>(&self, key: &[u8]) -> Result<Option<R>> {
        Ok(self.versioned(key).await?.map(|(record, _)| record))
    }

    /// The same with what a compare-and-swap needs.
    pub(crate) async fn versioned<R: Record>(&self, key: &[u8]) -> Result<Option<(R, Version)>> {
        let Some(found) = self.metadata().read(key).await? else { return Ok(None) };
        let record = record::present(found.value).inspect_err(|error| {
            tracing::error!(target: "angos::registry", key = %key.escape_ascii(), %error, "damaged record");
        })?;
        Ok(record.map(|record| (record, found.version)))
    }

    pub(crate) async fn exists(&self, key: &[u8]) -> Result<bool> {
        let found = self.metadata().read(key).await?;
        Ok(found.is_some_and(|found| found.value != record::REMOVED))
    }

    /// A batch that begins with the entry of the repository in the catalog.
    ///
    /// It is written although it exists, so that a collector that removes an empty repository meets a conflict.
    pub(crate) async fn batch_in_repository(&self, name: &Name) -> Result<Batch> {
        let key = key::catalog(name);
        let created: Option<Timestamp> = self.record(&key).await?;
        Ok(Batch::new().put(key, created.unwrap_or_else(|| self.now()).encode()))
    }
}

/// How many long scans run at once: not so many that they take all processors.
fn scan_concurrency() -> usize {
    let processors = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    (processors / 2).clamp(1, SCAN_CONCURRENCY)
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registry").field("settings", &self.0.settings).finish_non_exhaustive()
    }
}

/// Runs `work` to its end even if the caller goes away, as a client that disconnects does.
///
/// A write is applied or not whether or not someone waits for it; what follows it (the cache, the session) must too.
pub(crate) async fn run_detached<T: Send + 'static>(
    work: impl Future<Output = Result<T>> + Send + 'static,
) -> Result<T> {
    match tokio::spawn(work.in_current_span()).await {
        Ok(outcome) => outcome,
        Err(_) => Err(Error::Stopping),
    }
}
