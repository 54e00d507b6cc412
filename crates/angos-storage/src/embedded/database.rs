//! Opening the file: lock it, recognise it, and open it again after a failure of the disk.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io,
    path::{Path, PathBuf},
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use redb::{Database, DatabaseError, ReadableDatabase, TableDefinition, TableError};

use super::{ENTRIES, backend::Backend};
use crate::Error;

/// The name of the file.
pub(super) const FILE: &str = "metadata.redb";

/// What the file says it is.
const FORMAT: TableDefinition<'static, &str, u64> = TableDefinition::new("angos");

/// The one format there is.
const FORMAT_VERSION: u64 = 1;

/// The open database, shared by readers and the committing thread.
pub(super) struct Shared {
    path: PathBuf,
    backend: Backend,
    cache_bytes: usize,
    database: RwLock<Option<Database>>,
    /// How often the file was opened; changes only while `database` is locked for writing.
    openings: AtomicU64,
    /// Whether opening had to read the whole file. Not after a crash of ours: every commit saves what that
    /// would find out.
    repaired: Arc<AtomicBool>,
}

impl Shared {
    pub(super) fn open(root_dir: &Path, cache_bytes: usize, sync: bool) -> Result<Shared, Error> {
        fs::create_dir_all(root_dir).map_err(|error| Error::from_io("create", root_dir, error))?;
        let path = root_dir.join(FILE);
        if !path.try_exists().map_err(|error| Error::from_io("open", &path, error))? {
            create(root_dir, &path)?;
        }
        let file = lock(&path)?;
        // redb would make a database of it.
        if file.metadata().map_err(|error| Error::from_io("stat", &path, error))?.len() == 0 {
            return Err(Error::Foreign { path, reason: "it is empty".into() });
        }
        // A killed process may have made both and not come to their syncs.
        let folders = [Some(root_dir), root_dir.parent()].into_iter().flatten().map(Path::to_owned).collect();
        let backend = Backend::new(file, sync, folders);
        let shared = Shared {
            backend,
            path,
            cache_bytes,
            database: RwLock::default(),
            openings: AtomicU64::new(0),
            repaired: Arc::default(),
        };
        shared.reopen()?;
        shared.recognise()?;
        Ok(shared)
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    #[cfg(test)]
    pub(super) fn was_repaired(&self) -> bool {
        self.repaired.load(Ordering::Relaxed)
    }

    #[cfg(test)]
    pub(super) fn backend(&self) -> &Backend {
        &self.backend
    }

    /// Runs `action` on the database.
    pub(super) fn with<T>(
        &self,
        action: impl FnOnce(&Database) -> Result<T, redb::Error>,
    ) -> Result<T, Error> {
        self.with_opening(|database, _| action(database))
    }

    /// The same, told which opening of the file this is.
    pub(super) fn with_opening<T>(
        &self,
        action: impl FnOnce(&Database, u64) -> Result<T, redb::Error>,
    ) -> Result<T, Error> {
        let database = self.database.read().unwrap_or_else(PoisonError::into_inner);
        let Some(database) = database.as_ref() else { return Err(Error::Closed) };
        action(database, self.openings.load(Ordering::Relaxed)).map_err(|error| self.translate(error))
    }

    /// Closes and opens again. redb refuses everything after a failed write; what it then finds in the file
    /// is the last whole commit.
    pub(super) fn reopen(&self) -> Result<(), Error> {
        let mut slot = self.database.write().unwrap_or_else(PoisonError::into_inner);
        drop(slot.take());
        self.openings.fetch_add(1, Ordering::Relaxed);
        let mut builder = Database::builder();
        builder.set_cache_size(self.cache_bytes);
        let (path, repaired) = (self.path.clone(), Arc::clone(&self.repaired));
        builder.set_repair_callback(move |_| {
            if !repaired.swap(true, Ordering::Relaxed) {
                let path = path.display();
                tracing::warn!(target: "angos::storage", %path, "reading all metadata: its index was not saved");
            }
        });
        self.backend.set_opening(true);
        let database = builder.create_with_backend(self.backend.clone());
        self.backend.set_opening(false);
        *slot = Some(database.map_err(|error| self.translate_open(error))?);
        Ok(())
    }

    /// Whether there is a database to work with.
    pub(super) fn is_open(&self) -> bool {
        self.database.read().unwrap_or_else(PoisonError::into_inner).is_some()
    }

    /// Checks that this redb file is one of ours, of a format we read.
    fn recognise(&self) -> Result<(), Error> {
        let found = self.with(|database| {
            let table = match database.begin_read()?.open_table(FORMAT) {
                Ok(table) => table,
                Err(TableError::TableDoesNotExist(_)) => return Ok(None),
                Err(error) => return Err(error.into()),
            };
            Ok(table.get("format")?.map(|format| format.value()))
        })?;
        match found {
            Some(FORMAT_VERSION) => Ok(()),
            Some(other) => Err(self.foreign(format!("format {other}, this version reads {FORMAT_VERSION}"))),
            None => Err(self.foreign("a redb file of another program")),
        }
    }

    fn foreign(&self, reason: impl Into<String>) -> Error {
        Error::Foreign { path: self.path.clone(), reason: reason.into() }
    }

    fn translate_open(&self, error: DatabaseError) -> Error {
        match error {
            DatabaseError::DatabaseAlreadyOpen => Error::Locked { path: self.path.clone() },
            DatabaseError::UpgradeRequired(version) => {
                self.foreign(format!("redb file format {version}, which this version does not read"))
            }
            DatabaseError::Storage(redb::StorageError::Corrupted(reason)) => self.foreign(reason),
            DatabaseError::Storage(redb::StorageError::Io(error))
                if matches!(error.kind(), io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof) =>
            {
                self.foreign(error.to_string())
            }
            other => self.translate(other.into()),
        }
    }

    fn translate(&self, error: redb::Error) -> Error {
        match error {
            redb::Error::Io(error) => Error::from_io("write or read", &self.path, error),
            redb::Error::Corrupted(reason) => Error::Corrupt(reason),
            redb::Error::PreviousIo | redb::Error::DatabaseClosed => Error::Closed,
            other => Error::from_io("use", &self.path, io::Error::other(other)),
        }
    }
}

/// Opens the file and locks it for this process.
fn lock(path: &Path) -> Result<File, Error> {
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .open(path)
        .map_err(|error| Error::from_io("open", path, error))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(Error::Locked { path: path.to_owned() }),
        Err(TryLockError::Error(error)) => Err(Error::from_io("lock", path, error)),
    }
}

/// Makes a new file under another name first, so that a crash never leaves half a file under this one. The sync of the
/// name is left to the first change.
fn create(root_dir: &Path, path: &Path) -> Result<(), Error> {
    let fresh = tempfile_name(root_dir)?;
    let made = initialise(&fresh).map_err(|error| match error {
        redb::Error::Io(error) => Error::from_io("create", path, error),
        other => Error::from_io("create", path, io::Error::other(other)),
    });
    // A link and not a rename: whoever comes second must not replace a store in use.
    let linked = made.and_then(|()| match fs::hard_link(&fresh, path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
            Err(Error::from_io("create", path, error))
        }
        _ => Ok(()),
    });
    let _ = fs::remove_file(&fresh);
    linked
}

/// Writes an empty store and syncs it once, as a whole.
fn initialise(path: &Path) -> Result<(), redb::Error> {
    let file = OpenOptions::new().read(true).write(true).create_new(true).open(path)?;
    let database =
        Database::builder().create_with_backend(Backend::new(file.try_clone()?, false, Vec::new()))?;
    let transaction = database.begin_write()?;
    transaction.open_table(ENTRIES)?;
    transaction.open_table(FORMAT)?.insert("format", FORMAT_VERSION)?;
    transaction.commit()?;
    drop(database);
    file.sync_all()?;
    Ok(())
}

/// A name no other process uses.
fn tempfile_name(root_dir: &Path) -> Result<PathBuf, Error> {
    Ok(root_dir.join(format!("metadata.{}.new", crate::SessionId::random()?)))
}
