//! A registry over each engine, content to push, and the rules that any state at rest must keep.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, SystemTime};

use angos_oci::{Algorithm, Digest, MediaType, Name, Reference, Tag, UploadId};
use angos_registry::{
    Actor, Body, BodyError, Clock, Error, ManifestReceipt, PutManifest, Registry, Settings, Storage,
};
use angos_storage::{Batch, BoxFuture, MetadataStore};
use bytes::Bytes;
use serde_json::json;

/// What an operation of the registry comes to.
pub(crate) type Outcome<T> = angos_registry::Result<T>;

/// A registry whose clock the test moves.
pub(crate) struct Bench {
    pub(crate) registry: Registry,
    pub(crate) storage: Storage,
    seconds: Arc<AtomicU64>,
    /// Removed when the bench is dropped.
    folder: Option<tempfile::TempDir>,
}

impl Bench {
    pub(crate) fn new(storage: Storage, settings: Settings) -> Self {
        let seconds = Arc::new(AtomicU64::new(0));
        let clock = Arc::clone(&seconds);
        let start = SystemTime::now();
        let clock = Clock::new(move || start + Duration::from_secs(clock.load(Ordering::SeqCst)));
        let registry = Registry::with_clock(storage.clone(), settings, clock);
        Self { registry, storage, seconds, folder: None }
    }

    pub(crate) fn memory(settings: Settings) -> Self {
        Self::new(Storage::memory(), settings)
    }

    /// Where a durable bench keeps its data.
    pub(crate) fn path(&self) -> &std::path::Path {
        self.folder.as_ref().unwrap().path()
    }

    pub(crate) fn wait(&self, seconds: u64) {
        self.seconds.fetch_add(seconds, Ordering::SeqCst);
    }
}

/// One bench per engine.
pub(crate) fn engines(settings: &Settings) -> [Bench; 2] {
    let folder = tempfile::tempdir().unwrap();
    let storage = Storage::open(&angos_storage::Settings::in_folder(folder.path())).unwrap();
    let mut durable = Bench::new(storage, settings.clone());
    durable.folder = Some(folder);
    [Bench::memory(settings.clone()), durable]
}

/// Metadata on a disk that may be full.
pub(crate) struct Full {
    inner: Arc<dyn MetadataStore>,
    refuses: AtomicBool,
    /// Batches that are still applied.
    left: AtomicUsize,
}

impl Full {
    pub(crate) fn over(storage: &Storage) -> Self {
        Self {
            inner: Arc::clone(&storage.metadata),
            refuses: AtomicBool::new(false),
            left: AtomicUsize::new(usize::MAX),
        }
    }

    /// Applies so many batches, and none after them.
    pub(crate) fn fail_after(&self, batches: usize) {
        self.left.store(batches, Ordering::SeqCst);
    }

    pub(crate) fn set(&self, is_full: bool) {
        self.refuses.store(is_full, Ordering::SeqCst);
    }
}

impl MetadataStore for Full {
    fn read<'a>(
        &'a self,
        key: &'a [u8],
    ) -> BoxFuture<'a, Result<Option<angos_storage::Versioned>, angos_storage::Error>> {
        self.inner.read(key)
    }

    fn scan<'a>(
        &'a self,
        prefix: &'a [u8],
        after: Option<&'a [u8]>,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<angos_storage::Entry>, angos_storage::Error>> {
        self.inner.scan(prefix, after, limit)
    }

    fn apply(&self, batch: Batch) -> BoxFuture<'_, Result<(), angos_storage::Error>> {
        Box::pin(async move {
            let left = self.left.load(Ordering::SeqCst);
            self.left.store(left.saturating_sub(1), Ordering::SeqCst);
            if self.refuses.load(Ordering::SeqCst) || left == 0 {
                let full = std::io::Error::from(std::io::ErrorKind::StorageFull);
                return Err(angos_storage::Error::from_io("write", "metadata.redb", full));
            }
            self.inner.apply(batch).await
        })
    }
}

/// Settings under which a manifest needs nothing else to be there.
pub(crate) fn sparse() -> Settings {
    let mut settings = Settings::default();
    settings.require_references = false;
    settings
}

pub(crate) fn name(text: &str) -> Name {
    text.parse().unwrap()
}

pub(crate) fn tag(text: &str) -> Tag {
    text.parse().unwrap()
}

pub(crate) fn reference(text: &str) -> Reference {
    text.parse().unwrap()
}

pub(crate) fn sha256(content: &[u8]) -> Digest {
    Digest::of(Algorithm::Sha256, content)
}

pub(crate) fn sha512(content: &[u8]) -> Digest {
    Digest::of(Algorithm::Sha512, content)
}

/// An image manifest that differs by `note`, with a configuration that nobody pushed.
pub(crate) fn image(note: &str) -> Bytes {
    let config = descriptor(MediaType::OCI_CONFIG, b"{}");
    json!({
        "schemaVersion": 2,
        "mediaType": MediaType::OCI_MANIFEST,
        "config": config,
        "layers": [],
        "annotations": { "note": note },
    })
    .to_string()
    .into()
}

/// An artifact of a type that refers to `subject`.
pub(crate) fn artifact(artifact_type: &str, note: &str, subject: &[u8]) -> Bytes {
    json!({
        "schemaVersion": 2,
        "mediaType": MediaType::OCI_MANIFEST,
        "artifactType": artifact_type,
        "config": descriptor(MediaType::EMPTY, b"{}"),
        "layers": [],
        "subject": descriptor(MediaType::OCI_MANIFEST, subject),
        "annotations": { "note": note },
    })
    .to_string()
    .into()
}

pub(crate) fn descriptor(media_type: &str, content: &[u8]) -> serde_json::Value {
    json!({ "mediaType": media_type, "digest": sha256(content).to_string(), "size": content.len() })
}

pub(crate) async fn put(
    registry: &Registry,
    name: &Name,
    reference: &Reference,
    bytes: &Bytes,
) -> Outcome<ManifestReceipt> {
    put_tags(registry, name, reference, &[], bytes).await
}

pub(crate) async fn put_tags(
    registry: &Registry,
    name: &Name,
    reference: &Reference,
    tags: &[Tag],
    bytes: &Bytes,
) -> Outcome<ManifestReceipt> {
    let put = PutManifest { reference, tags, media_type: None, bytes: bytes.clone() };
    registry.on_behalf_of(Actor::new("tester", "basic")).put_manifest(name, put).await
}

pub(crate) async fn push_blob(registry: &Registry, name: &Name, content: &[u8]) -> Digest {
    let digest = sha256(content);
    let body = Some(Bytes::copy_from_slice(content));
    registry.push_blob(name, &digest, None, body).await.unwrap();
    digest
}

pub(crate) async fn read_blob(registry: &Registry, name: &Name, digest: &Digest) -> Outcome<Vec<u8>> {
    let mut reader = registry.read_blob(name, digest, None).await?;
    let mut content = Vec::new();
    while let Some(chunk) = reader.next().await {
        content.extend_from_slice(&chunk.unwrap());
    }
    Ok(content)
}

/// A PATCH without headers.
pub(crate) async fn append(
    registry: &Registry,
    name: &Name,
    id: &UploadId,
    content: &'static [u8],
) -> Outcome<u64> {
    registry.update_upload(name, id, None, None, Some(Bytes::from_static(content))).await
}

/// A PUT without headers.
pub(crate) async fn complete(
    registry: &Registry,
    name: &Name,
    id: &UploadId,
    digest: &Digest,
    content: &'static [u8],
) -> Outcome<()> {
    registry.complete_upload(name, id, digest, None, None, Some(Bytes::from_static(content))).await
}

/// A body that a test feeds chunk by chunk.
pub(crate) struct Fed(pub(crate) tokio::sync::mpsc::Receiver<Result<Bytes, BodyError>>);

impl Body for Fed {
    async fn next(&mut self) -> Option<Result<Bytes, BodyError>> {
        self.0.recv().await
    }
}

/// The error of an outcome, as the word that tests compare.
pub(crate) fn refusal<T: std::fmt::Debug>(outcome: Outcome<T>) -> String {
    match outcome {
        Ok(value) => panic!("{value:?} instead of a refusal"),
        Err(Error::Storage(error)) => panic!("storage failed: {error}"),
        Err(error) => {
            let text = format!("{error:?}");
            text.split([' ', '(']).next().unwrap_or_default().to_owned()
        }
    }
}

type Rows = Vec<(Vec<u8>, Bytes)>;

async fn family(storage: &Storage, family: u8) -> Rows {
    let page = storage.metadata.scan(&[family], None, 1_000_000).await.unwrap();
    page.into_iter()
        .filter(|entry| entry.value.as_ref() != [0])
        .map(|entry| (entry.key[1..].to_vec(), entry.value))
        .collect()
}

/// What must hold after any prefix of any batch: nothing names what is not there, and every way back exists.
pub(crate) async fn check_rules(storage: &Storage) {
    let exists = async |key: Vec<u8>| {
        let found = storage.metadata.read(&key).await.unwrap();
        found.is_some_and(|found| found.value.as_ref() != [0])
    };
    let key = |family: u8, parts: &[&[u8]]| [&[family], parts.concat().as_slice()].concat();
    let split = |rest: &[u8]| {
        let zero = rest.iter().position(|byte| *byte == 0).unwrap();
        (rest[..=zero].to_vec(), rest[zero + 1..].to_vec())
    };
    for (rest, value) in family(storage, b't').await {
        let (name, tag) = split(&rest);
        let digest = &value[1..34];
        assert!(exists(key(b'r', &[&name, digest])).await, "a tag names nothing: {rest:?}");
        assert!(exists(key(b'g', &[&name, digest, &tag])).await, "no way back to a tag");
        assert!(exists(key(b'c', &[&name[..name.len() - 1]])).await, "a tag outside the catalog");
    }
    for (rest, _) in family(storage, b'f').await {
        let (name, digests) = split(&rest);
        assert!(exists(key(b'r', &[&name, &digests[33..]])).await, "a referrer that is gone");
    }
    for (rest, _) in family(storage, b'b').await {
        let (name, digest) = split(&rest);
        let name = &name[..name.len() - 1];
        assert!(exists(key(b'o', &[&digest, name])).await, "no way back to an owner");
        assert!(exists(key(b'c', &[name])).await, "an owner outside the catalog");
        let digest = Digest::from_bytes(Algorithm::Sha256, &digest[1..]).unwrap();
        assert!(storage.blobs.stat(&digest).await.unwrap().is_some(), "owned bytes are gone");
    }
}

/// How many keys begin with `prefix`.
pub(crate) async fn count(storage: &Storage, prefix: &[u8]) -> usize {
    storage.metadata.scan(prefix, None, 1_000_000).await.unwrap().len()
}
