//! Bytes that are not what was recorded: found when they are asked for, counted, logged, and answered as missing, so that
//! a client that pushes them again heals them.
//!
//! | what | looked at | when |
//! |---|---|---|
//! | a blob is gone, or has another length | its file's attributes | every HEAD, GET, mount, and push of a manifest that references it |
//! | fewer bytes are read than recorded | the bytes | while a GET is answered, which is then cut |
//! | a manifest is not what its digest says | its bytes | when it is read from the stores, and not from memory |
//!
//! Other bytes of the right length are found by whoever verifies the digest: the client, or the next push.

use std::sync::atomic::{AtomicU64, Ordering};

use angos_oci::Digest;
use angos_storage::BlobReader;

use crate::{Error, Registry, Result};

/// How often damage was found since the start, by what it was.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Damage {
    /// Bytes that are recorded and not there.
    pub missing: u64,
    /// Bytes of another length than recorded.
    pub length: u64,
    /// Manifests whose bytes do not have their digest.
    pub content: u64,
}

#[derive(Default)]
pub(crate) struct DamageCounts {
    missing: AtomicU64,
    length: AtomicU64,
    content: AtomicU64,
}

impl Registry {
    /// How often damage was found since the start.
    pub fn damage(&self) -> Damage {
        let DamageCounts { missing, length, content } = &self.0.damage;
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        Damage { missing: read(missing), length: read(length), content: read(content) }
    }

    /// Whether the blob store has so many bytes under a digest. Asks the store each time.
    pub(crate) async fn has_bytes(&self, digest: &Digest, size: u64) -> Result<bool> {
        let found = match self.0.storage.blobs.stat(digest).await {
            Ok(found) => found,
            // Something else stands where the blob should be.
            Err(angos_storage::Error::Corrupt(_)) => None,
            Err(error) => return Err(error.into()),
        };
        match found {
            Some(found) if found == size => return Ok(true),
            Some(found) => self.wrong_length(digest, size, found),
            None => self.missing(digest),
        }
        Ok(false)
    }

    /// What a store read, if it is a blob of this size; nothing if that is damaged.
    pub(crate) fn intact(
        &self,
        digest: &Digest,
        size: u64,
        read: std::result::Result<Option<BlobReader>, angos_storage::Error>,
    ) -> Result<Option<BlobReader>> {
        match read {
            Ok(Some(reader)) if reader.size() == size => return Ok(Some(reader)),
            Ok(Some(reader)) => self.wrong_length(digest, size, reader.size()),
            // The range lies within the recorded size.
            Err(angos_storage::Error::OutOfRange { size: found }) => self.wrong_length(digest, size, found),
            Ok(None) | Err(angos_storage::Error::Corrupt(_)) => self.missing(digest),
            Err(error) => return Err(error.into()),
        }
        Ok(None)
    }

    /// The bytes of a manifest, if they have its digest.
    pub(crate) fn verified<B: AsRef<[u8]>>(&self, digest: &Digest, bytes: B) -> Result<B> {
        self.has_digest(digest, &Digest::of(digest.algorithm(), bytes.as_ref())).map(|()| bytes)
    }

    /// The same for bytes that were hashed as they were read.
    pub(crate) fn has_digest(&self, digest: &Digest, found: &Digest) -> Result<()> {
        if found == digest {
            return Ok(());
        }
        self.0.damage.content.fetch_add(1, Ordering::Relaxed);
        tracing::error!(target: "angos::registry", %digest, %found, "manifest is damaged: push it again");
        Err(Error::ManifestUnknown)
    }

    fn missing(&self, digest: &Digest) {
        self.0.damage.missing.fetch_add(1, Ordering::Relaxed);
        tracing::error!(target: "angos::registry", %digest, "bytes of a blob are missing: push it again");
    }

    fn wrong_length(&self, digest: &Digest, recorded: u64, found: u64) {
        self.0.damage.length.fetch_add(1, Ordering::Relaxed);
        tracing::error!(
            target: "angos::registry", %digest, recorded, found, "blob is damaged, it has another length: push it again"
        );
    }
}
