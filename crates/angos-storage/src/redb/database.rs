//! Opening the file: lock it, recognise it, and open it again after a failure of the disk.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io,
    os::unix::fs::{FileExt, OpenOptionsExt},
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicBool, Ordering},
    },
    time::Instant,
};

use redb::{Database, DatabaseError, ReadableDatabase, ReadableTable, TableDefinition, TableError};

use super::{ENTRIES, file::Backend};
use crate::limits::REOPEN_INTERVAL;
use crate::location::Location;
use crate::modes::{FILE_MODE, create_folders};
use crate::{Error, SessionId};

/// The name of the file.
pub(super) const FILE: &str = "metadata.redb";

/// What the file says it is.
const FORMAT: TableDefinition<'static, &str, u64> = TableDefinition::new("angos");

/// The one format there is.
const FORMAT_VERSION: u64 = 1;

/// The name of a store, beside the format.
const STORE_ID: &str = "store";

/// How every redb file begins.
const MAGIC: &[u8] = b"redb\x1A\x0A\xA9\x0D\x0A";

/// The open database, shared by readers and the committing thread.
pub(super) struct Shared {
    path: PathBuf,
    backend: Backend,
    location: Location,
    cache_bytes: usize,
    slot: RwLock<Slot>,
    /// Whether a commit failed, and the next look at the health of the store has to try one.
    failing: AtomicBool,
    /// Whether opening had to read the whole file. Not after a crash of ours: every commit saves what that
    /// would find out.
    repaired: Arc<AtomicBool>,
}

/// The database, unless it could not be opened again.
#[derive(Default)]
struct Slot {
    database: Option<Database>,
    /// Counts openings, so that of several callers that need a new one only the first opens it.
    generation: u64,
    /// When it could not be opened.
    failed: Option<Instant>,
}

/// Why an action did not come to its end.
pub(super) struct Failed {
    pub(super) error: Error,
    pub(super) generation: u64,
    /// Whether the database has to be opened again before it can be used.
    is_unusable: bool,
    /// Whether the same action may then succeed.
    is_retried: bool,
}

impl Shared {
    pub(super) fn open(root_dir: &Path, cache_bytes: usize, sync: bool) -> Result<Shared, Error> {
        create_folders(root_dir).map_err(|error| Error::from_io("create", root_dir, error))?;
        let path = root_dir.join(FILE);
        if !path.try_exists().map_err(|error| Error::from_io("open", &path, error))? {
            create(root_dir, &path)?;
        }
        let file = lock(&path)?;
        // redb would make a database of it.
        if file.metadata().map_err(|error| Error::from_io("stat", &path, error))?.len() == 0 {
            return Err(Error::Damaged { path, reason: "it is empty".into() });
        }
        let mut head = [0; MAGIC.len()];
        if file.read_exact_at(&mut head, 0).is_err() || head != *MAGIC {
            return Err(Error::NotAnAngosStore { path, reason: "it is no redb file".into() });
        }
        let location = Location::of(&file, &path)?;
        // A killed process may have made both and not come to their syncs.
        let folders = [Some(root_dir), root_dir.parent()].into_iter().flatten().map(Path::to_owned).collect();
        let shared = Shared {
            backend: Backend::new(file, sync, folders),
            path,
            location,
            cache_bytes,
            slot: RwLock::default(),
            failing: AtomicBool::new(false),
            repaired: Arc::default(),
        };
        shared.reopen(0, true)?;
        shared.check_format()?;
        Ok(shared)
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    #[cfg(test)]
    pub(super) fn was_repaired(&self) -> bool {
        self.repaired.load(Ordering::Relaxed)
    }

    pub(super) fn backend(&self) -> &Backend {
        &self.backend
    }

    pub(super) fn location(&self) -> &Location {
        &self.location
    }

    pub(super) fn set_failing(&self, failing: bool) {
        self.failing.store(failing, Ordering::Relaxed);
    }

    pub(super) fn is_failing(&self) -> bool {
        self.failing.load(Ordering::Relaxed)
    }

    /// Reads. A database that cannot be used, since a write failed meanwhile, is opened again first.
    pub(super) fn read<T>(&self, action: impl Fn(&Database) -> Result<T, redb::Error>) -> Result<T, Error> {
        let failed = match self.attempt(&action) {
            Ok(value) => return Ok(value),
            Err(failed) => failed,
        };
        if failed.is_unusable {
            self.reopen(failed.generation, false)?;
        }
        if failed.is_retried {
            return self.attempt(&action).map_err(|failed| failed.error);
        }
        Err(failed.error)
    }

    /// Runs `action` on the database.
    ///
    /// redb checks pages when they are written and not when they are read, and on a damaged one an assertion of its may
    /// fail. Such a panic ends here, as an error: the record is lost, and the process must not be. Nothing of ours is
    /// left half changed by it, and what redb may have left so is dropped with the database.
    pub(super) fn attempt<T>(
        &self,
        action: impl FnOnce(&Database) -> Result<T, redb::Error>,
    ) -> Result<T, Failed> {
        self.attempt_at(|database, _| action(database))
    }

    /// The same, told which opening of the file this is.
    pub(super) fn attempt_at<T>(
        &self,
        action: impl FnOnce(&Database, u64) -> Result<T, redb::Error>,
    ) -> Result<T, Failed> {
        let slot = self.slot.read().unwrap_or_else(PoisonError::into_inner);
        let generation = slot.generation;
        let fail = |error, is_unusable, is_retried| Failed { error, generation, is_unusable, is_retried };
        let Some(database) = slot.database.as_ref() else { return Err(fail(Error::Closed, true, true)) };
        match catch_unwind(AssertUnwindSafe(|| action(database, generation))) {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(error)) => {
                let is_unusable = matches!(
                    error,
                    redb::Error::PreviousIo | redb::Error::DatabaseClosed | redb::Error::LockPoisoned(_)
                );
                Err(fail(self.translate(error), is_unusable, is_unusable))
            }
            Err(_) => {
                let error = Error::Corrupt(format!("a page of {} makes no sense", self.path.display()));
                Err(fail(error, true, false))
            }
        }
    }

    /// The generation of a database that could not be opened again.
    pub(super) fn closed(&self) -> Option<u64> {
        let slot = self.slot.read().unwrap_or_else(PoisonError::into_inner);
        slot.database.is_none().then_some(slot.generation)
    }

    /// Closes the database and opens it again, unless that was done since `generation`. redb refuses everything after a
    /// failed write; what it then finds in the file is the last whole commit.
    ///
    /// `force`: also when the last attempt has just failed.
    pub(super) fn reopen(&self, generation: u64, force: bool) -> Result<(), Error> {
        let mut slot = self.slot.write().unwrap_or_else(PoisonError::into_inner);
        if slot.generation != generation {
            return Ok(());
        }
        if !force && slot.failed.is_some_and(|failed| failed.elapsed() < REOPEN_INTERVAL) {
            return Err(Error::Closed);
        }
        let old = slot.database.take();
        let opened = catch_unwind(AssertUnwindSafe(|| {
            drop(old);
            self.open_database()
        }));
        let opened = opened.unwrap_or_else(|_| Err(self.damaged("a page of it makes no sense")));
        slot.failed = opened.is_err().then(Instant::now);
        slot.database = Some(opened?);
        slot.generation += 1;
        Ok(())
    }

    fn open_database(&self) -> Result<Database, Error> {
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
        database.map_err(|error| self.translate_open(error))
    }

    /// Checks that this redb file is one of ours, of a format we read, and whole enough to be looked into.
    fn check_format(&self) -> Result<(), Error> {
        let found = self.attempt(|database| {
            let transaction = database.begin_read()?;
            let table = match transaction.open_table(FORMAT) {
                Ok(table) => table,
                Err(TableError::TableDoesNotExist(_)) => return Ok(None),
                Err(error) => return Err(error.into()),
            };
            let format = table.get("format")?.map(|format| format.value());
            transaction.open_table(ENTRIES)?.first()?;
            Ok(format)
        });
        match found.map_err(|failed| failed.error) {
            Ok(Some(FORMAT_VERSION)) => Ok(()),
            Ok(Some(other)) => {
                Err(self.not_a_store(format!("format {other}, this version reads {FORMAT_VERSION}")))
            }
            Ok(None) => Err(self.not_a_store("a redb file of another program")),
            Err(Error::Corrupt(reason)) => Err(self.damaged(reason)),
            Err(error) => Err(error),
        }
    }

    /// The id of the store, if it was made or opened by a version that gives one.
    pub(super) fn store_id(&self) -> Result<Option<u64>, Error> {
        self.read(|database| {
            let table = database.begin_read()?.open_table(FORMAT)?;
            Ok(table.get(STORE_ID)?.map(|id| id.value()))
        })
    }

    /// Records the id of a store that has none yet.
    pub(super) fn set_store_id(&self, id: u64) -> Result<(), Error> {
        let written = self.attempt(|database| {
            let mut transaction = database.begin_write()?;
            transaction.set_quick_repair(true);
            transaction.open_table(FORMAT)?.insert(STORE_ID, id)?;
            Ok(transaction.commit()?)
        });
        written.map_err(|failed| {
            self.set_failing(true);
            failed.error
        })
    }

    /// Whether anything was ever recorded.
    pub(super) fn has_entries(&self) -> Result<bool, Error> {
        self.read(|database| Ok(database.begin_read()?.open_table(ENTRIES)?.first()?.is_some()))
    }

    fn damaged(&self, reason: impl Into<String>) -> Error {
        Error::Damaged { path: self.path.clone(), reason: reason.into() }
    }

    fn not_a_store(&self, reason: impl Into<String>) -> Error {
        Error::NotAnAngosStore { path: self.path.clone(), reason: reason.into() }
    }

    fn translate_open(&self, error: DatabaseError) -> Error {
        match error {
            DatabaseError::DatabaseAlreadyOpen => Error::Locked { path: self.path.clone() },
            DatabaseError::UpgradeRequired(version) => {
                self.not_a_store(format!("redb file format {version}, which this version does not read"))
            }
            DatabaseError::Storage(redb::StorageError::Corrupted(reason)) => self.damaged(reason),
            DatabaseError::RepairAborted => self.damaged("it cannot be repaired"),
            DatabaseError::Storage(redb::StorageError::Io(error))
                if matches!(error.kind(), io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof) =>
            {
                self.damaged(error.to_string())
            }
            other => self.translate(other.into()),
        }
    }

    fn translate(&self, error: redb::Error) -> Error {
        match error {
            redb::Error::Io(error) => Error::from_io("write or read", &self.path, error),
            redb::Error::Corrupted(reason) => Error::Corrupt(reason),
            redb::Error::PreviousIo | redb::Error::DatabaseClosed | redb::Error::LockPoisoned(_) => {
                Error::Closed
            }
            error @ (redb::Error::TableTypeMismatch { .. }
            | redb::Error::TypeDefinitionChanged { .. }
            | redb::Error::TableIsMultimap(_)
            | redb::Error::TableDoesNotExist(_)) => Error::Corrupt(error.to_string()),
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
    let file = OpenOptions::new().read(true).write(true).create_new(true).mode(FILE_MODE).open(path)?;
    let database =
        Database::builder().create_with_backend(Backend::new(file.try_clone()?, false, Vec::new()))?;
    let transaction = database.begin_write()?;
    transaction.open_table(ENTRIES)?;
    {
        let mut table = transaction.open_table(FORMAT)?;
        table.insert("format", FORMAT_VERSION)?;
        table.insert(STORE_ID, new_store_id()?)?;
    }
    transaction.commit()?;
    drop(database);
    file.sync_all()?;
    Ok(())
}

/// A name no other process uses.
fn tempfile_name(root_dir: &Path) -> Result<PathBuf, Error> {
    Ok(root_dir.join(format!("metadata.{}.new", SessionId::random()?)))
}

/// The id of a store that begins.
pub(super) fn new_store_id() -> io::Result<u64> {
    getrandom::u64().map_err(io::Error::other)
}
