//! What a round of the garbage collector is asked to do, and what it reports.

use std::sync::atomic::AtomicU64;
use std::time::Duration;

/// What a round of the collector does.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CollectOptions {
    /// Removes nothing, and reports what would be removed now.
    pub dry_run: bool,
    /// Also looks at every blob of the store, and makes those that nothing needs candidates. Costs what the store holds.
    pub sweep: bool,
}

/// What a round of the collector did so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Collected {
    /// Candidates that were older than the grace time and were looked at.
    pub examined: u64,
    /// Candidates whose grace time is not over.
    pub waiting: u64,
    /// Age of the oldest candidate that was found.
    pub oldest: Duration,
    /// Blobs that a repository owned and no manifest of it referenced.
    pub ownerships: u64,
    /// Blobs whose bytes were removed.
    pub blobs: u64,
    /// The bytes of these.
    pub bytes: u64,
    /// Empty repositories that left the catalog.
    pub repositories: u64,
    /// Candidates that were left because a record about them is damaged.
    pub skipped: u64,
    /// Blobs that a sweep looked at.
    pub swept: u64,
}

impl Collected {
    /// The fields by name, as JSON.
    pub fn to_json(self) -> serde_json::Value {
        let Self { examined, waiting, oldest, ownerships, blobs, bytes, repositories, skipped, swept } = self;
        serde_json::json!({
            "examined": examined, "waiting": waiting, "oldest_seconds": oldest.as_secs(), "ownerships": ownerships,
            "blobs": blobs, "bytes": bytes, "repositories": repositories, "skipped": skipped, "swept": swept,
        })
    }

    /// The other way round; what is missing is 0.
    pub fn from_json(fields: &serde_json::Value) -> Self {
        let number = |key: &str| fields.get(key).and_then(serde_json::Value::as_u64).unwrap_or_default();
        Self {
            examined: number("examined"),
            waiting: number("waiting"),
            oldest: Duration::from_secs(number("oldest_seconds")),
            ownerships: number("ownerships"),
            blobs: number("blobs"),
            bytes: number("bytes"),
            repositories: number("repositories"),
            skipped: number("skipped"),
            swept: number("swept"),
        }
    }

    pub(crate) fn add(&mut self, other: Self) {
        self.ownerships += other.ownerships;
        self.blobs += other.blobs;
        self.bytes += other.bytes;
        self.skipped += other.skipped;
    }
}

/// What the collector did since the start, and found when it looked last.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct GcStatus {
    /// Blobs whose bytes were removed since the start.
    pub reclaimed_blobs: u64,
    /// The bytes of these.
    pub reclaimed_bytes: u64,
    /// Age of the oldest candidate, in seconds, when the last round ended.
    pub oldest_candidate_seconds: u64,
    /// Candidates whose grace time was not over when the last round ended.
    pub waiting: u64,
    /// How long the last round took, in milliseconds.
    pub duration_milliseconds: u64,
    /// Blobs that had an owner, and their bytes, at the last sweep.
    pub owned: Space,
    /// Blobs that had none, and their bytes, at the last sweep.
    pub unowned: Space,
}

/// A number of blobs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Space {
    /// How many.
    pub blobs: u64,
    /// Their bytes.
    pub bytes: u64,
}

#[derive(Default)]
pub(crate) struct GcCounters {
    pub(crate) reclaimed_blobs: AtomicU64,
    pub(crate) reclaimed_bytes: AtomicU64,
    pub(crate) oldest_candidate_seconds: AtomicU64,
    pub(crate) waiting: AtomicU64,
    pub(crate) duration_milliseconds: AtomicU64,
    pub(crate) owned: [AtomicU64; 2],
    pub(crate) unowned: [AtomicU64; 2],
}
