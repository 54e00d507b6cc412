//! From settings to open stores.

use std::{
    fmt,
    path::{Path, PathBuf},
    sync::Arc,
};

use crate::limits::METADATA_CACHE_BYTES;
use crate::{
    BlobStore, Error, MetadataStore,
    backup::check_complete,
    filesystem::FilesystemBlobs,
    memory::{MemoryBlobs, MemoryMetadata},
    pair,
    redb::RedbMetadata,
};

/// Where and how to store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The blobs.
    pub blobs: BlobSettings,
    /// The metadata.
    pub metadata: MetadataSettings,
    /// Whether acknowledged means durable. `true` by default. With `false` acknowledged data survives the
    /// end of the process, but a power loss may lose it, and may damage the metadata file as a whole.
    pub sync: bool,
}

/// The engine of the blobs.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum BlobSettings {
    /// Files in a folder, which is created when missing. One process at a time.
    Filesystem {
        /// The folder.
        root_dir: PathBuf,
    },
    /// In memory, gone with the process.
    Memory,
}

/// The engine of the metadata.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum MetadataSettings {
    /// One redb file `metadata.redb` in a folder, which is created when missing. One process at a time.
    Redb {
        /// The folder.
        root_dir: PathBuf,
        /// Bytes of memory for pages, at most. [`METADATA_CACHE_BYTES`] by default.
        cache_bytes: usize,
    },
    /// In memory, gone with the process.
    Memory,
}

impl Settings {
    /// Durable storage in a folder: files and one redb file.
    pub fn in_folder(root_dir: impl Into<PathBuf>) -> Settings {
        let root_dir = root_dir.into();
        Settings {
            blobs: BlobSettings::Filesystem { root_dir: root_dir.clone() },
            metadata: MetadataSettings::Redb { root_dir, cache_bytes: METADATA_CACHE_BYTES },
            sync: true,
        }
    }

    /// The folder of the metadata, for an engine that has one.
    pub fn metadata_dir(&self) -> Option<&Path> {
        match &self.metadata {
            MetadataSettings::Redb { root_dir, .. } => Some(root_dir),
            MetadataSettings::Memory => None,
        }
    }

    fn folders(&self) -> impl Iterator<Item = &Path> {
        let blobs = match &self.blobs {
            BlobSettings::Filesystem { root_dir } => Some(root_dir.as_path()),
            BlobSettings::Memory => None,
        };
        blobs.into_iter().chain(self.metadata_dir())
    }

    /// Whether there is something to open, so that [`Storage::open`] does not make a new store.
    pub fn is_present(&self) -> bool {
        self.metadata_dir().is_none_or(RedbMetadata::is_in)
    }

    /// Where the configuration of a server and a backup have the metadata.
    #[cfg(test)]
    pub(crate) fn with_metadata_below(mut self) -> Settings {
        if let MetadataSettings::Redb { root_dir, .. } = &mut self.metadata {
            root_dir.push("metadata");
        }
        self
    }
}

/// Open stores. Cloning shares them.
#[derive(Clone)]
pub struct Storage {
    /// The blobs.
    pub blobs: Arc<dyn BlobStore>,
    /// The metadata.
    pub metadata: Arc<dyn MetadataStore>,
}

impl Storage {
    /// Opens, and creates what is missing. Does not read what is stored, so that it takes no longer for a
    /// large store.
    ///
    /// [`Error::Locked`] when another process has it open, [`Error::NotAnAngosStore`] when a file is not ours,
    /// [`Error::Incomplete`] when it is a backup that did not come to its end, [`Error::Damaged`] when the metadata is torn,
    /// [`Error::Unpaired`] when one of the two is missing beside content of the other, [`Error::Mismatched`] when they
    /// belong to different stores.
    pub fn open(settings: &Settings) -> Result<Storage, Error> {
        settings.folders().try_for_each(check_complete)?;
        Ok(match (&settings.blobs, &settings.metadata) {
            (
                BlobSettings::Filesystem { root_dir },
                MetadataSettings::Redb { root_dir: metadata, cache_bytes },
            ) => {
                let (blobs, metadata) = pair::open(root_dir, metadata, *cache_bytes, settings.sync)?;
                Storage { blobs: Arc::new(blobs), metadata: Arc::new(metadata) }
            }
            (BlobSettings::Filesystem { root_dir }, MetadataSettings::Memory) => Storage {
                blobs: Arc::new(FilesystemBlobs::open(root_dir, settings.sync)?),
                metadata: Arc::new(MemoryMetadata::default()),
            },
            (BlobSettings::Memory, MetadataSettings::Redb { root_dir, cache_bytes }) => Storage {
                blobs: Arc::new(MemoryBlobs::default()),
                metadata: Arc::new(RedbMetadata::open(root_dir, *cache_bytes, settings.sync)?),
            },
            (BlobSettings::Memory, MetadataSettings::Memory) => Storage::memory(),
        })
    }

    /// Both in memory.
    pub fn memory() -> Storage {
        Storage { blobs: Arc::new(MemoryBlobs::default()), metadata: Arc::new(MemoryMetadata::default()) }
    }
}

impl fmt::Debug for Storage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Storage").finish_non_exhaustive()
    }
}
