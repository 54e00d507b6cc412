//! `[blob_store.fs]`, `[metadata_store.fs]`, `[storage]`: where blobs and metadata are kept.

use std::path::PathBuf;

use angos_storage::{BlobSettings, MetadataSettings, Settings};

use crate::context::Context;
use crate::document::Document;
use crate::key_path::KeyPath;
use crate::layers::Part;
use crate::sections::permissions;

/// Default folder of the blobs, beside the first configuration file: the registry finds its data
/// again whatever folder it is started from.
const BLOB_STORE: &str = "angos-data";

/// Default folder of the metadata, inside that of the blobs: one folder to back up and to move.
const METADATA_STORE: &str = "metadata";

pub(crate) fn settings(document: &Document, context: &mut Context<'_>) -> Settings {
    let folder = |path: Option<&PathBuf>, section: &str| {
        let key = KeyPath::of(&[section, "fs", "root_dir"]);
        path.map(|path| context.layers.resolve(&key, path))
    };
    let blobs = folder(document.blob_store.fs.root_dir.as_ref(), "blob_store")
        .unwrap_or_else(|| context.layers.folder().join(BLOB_STORE));
    let metadata = folder(document.metadata_store.fs.root_dir.as_ref(), "metadata_store")
        .unwrap_or_else(|| blobs.join(METADATA_STORE));
    let cache =
        document.metadata_store.fs.cache_size.map(|size| usize::try_from(size.0).unwrap_or(usize::MAX));
    for (section, folder) in [("blob_store", &blobs), ("metadata_store", &metadata)] {
        if folder.exists() && !folder.is_dir() {
            let key = KeyPath::of(&[section, "fs", "root_dir"]);
            context.error(&key, Part::Value, format!("{} is not a folder", folder.display()));
        }
    }
    permissions::warn_if_store_is_readable(&blobs, &metadata, context);
    if document.storage.sync == Some(false) {
        context.warning(
            &KeyPath::of(&["storage", "sync"]),
            "acknowledged pushes do not survive a power failure, and the metadata may be damaged by one",
            "leave `storage.sync` out unless everything here can be pushed again",
        );
    }
    Settings {
        blobs: BlobSettings::Filesystem { root_dir: blobs },
        metadata: MetadataSettings::Redb {
            root_dir: metadata,
            cache_bytes: cache.unwrap_or(angos_storage::limits::METADATA_CACHE_BYTES),
        },
        sync: document.storage.sync.unwrap_or(true),
    }
}
