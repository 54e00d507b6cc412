//! The file below redb: positional reads and writes, and a sync that can be switched off, or put off while opening.

use std::{
    fs::File,
    io,
    ops::Bound,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use redb::{BackendError, StorageBackend};

use crate::Space;

/// One handle on the file, which the store keeps locked for as long as it lives.
#[derive(Debug, Clone)]
pub(super) struct Backend {
    file: Arc<File>,
    sync: bool,
    deferred: Arc<DeferredSync>,
    #[cfg(test)]
    pub(super) fault: Arc<std::sync::Mutex<Option<io::ErrorKind>>>,
    #[cfg(test)]
    counters: Arc<[std::sync::atomic::AtomicU64; 2]>,
}

/// A sync that was asked for and not done yet. It is done before anything else is written, so the file on the disk is
/// always one that a sync at once could have left.
#[derive(Debug, Default)]
struct DeferredSync {
    /// Whether a sync is put off. True while the database opens: nobody was promised anything yet.
    opening: AtomicBool,
    file: AtomicBool,
    /// Whether the names in `folders`, the file's and its folder's own, wait for the first change after opening.
    names: AtomicBool,
    folders: Vec<PathBuf>,
}

impl Backend {
    /// The names in `folders` are synced before the first change.
    pub(super) fn new(file: File, sync: bool, folders: Vec<PathBuf>) -> Backend {
        let names = AtomicBool::new(sync && !folders.is_empty());
        Backend {
            file: Arc::new(file),
            sync,
            deferred: Arc::new(DeferredSync { names, folders, ..DeferredSync::default() }),
            #[cfg(test)]
            fault: Arc::default(),
            #[cfg(test)]
            counters: Arc::default(),
        }
    }

    /// The room on the file system of the file.
    pub(super) fn space(&self) -> Option<Space> {
        Space::of(&*self.file)
    }

    /// Says whether the database is being opened.
    pub(super) fn set_opening(&self, opening: bool) {
        self.deferred.opening.store(opening, Ordering::Release);
    }

    /// Does what is owed.
    fn sync_deferred(&self) -> io::Result<()> {
        let deferred = &self.deferred;
        if deferred.file.load(Ordering::Acquire) {
            self.sync_file()?;
            deferred.file.store(false, Ordering::Release);
        }
        if deferred.names.load(Ordering::Acquire) && !deferred.opening.load(Ordering::Acquire) {
            deferred.folders.iter().try_for_each(|folder| sync_folder(folder))?;
            deferred.names.store(false, Ordering::Release);
        }
        Ok(())
    }

    fn sync_file(&self) -> io::Result<()> {
        #[cfg(test)]
        self.count(0, 1);
        if self.sync { self.file.sync_data() } else { Ok(()) }
    }

    #[cfg(test)]
    pub(super) fn syncs(&self) -> u64 {
        self.counters[0].load(Ordering::Relaxed)
    }

    #[cfg(test)]
    pub(super) fn bytes_read(&self) -> u64 {
        self.counters[1].load(Ordering::Relaxed)
    }

    #[cfg(test)]
    fn count(&self, counter: usize, amount: u64) {
        self.counters[counter].fetch_add(amount, Ordering::Relaxed);
    }

    #[cfg(test)]
    fn fail(&self) -> io::Result<()> {
        crate::memory::lock(&self.fault).map_or(Ok(()), |kind| Err(kind.into()))
    }

    #[cfg(not(test))]
    #[expect(clippy::unused_self, clippy::unnecessary_wraps, reason = "the place where tests inject faults")]
    fn fail(&self) -> io::Result<()> {
        Ok(())
    }
}

impl StorageBackend for Backend {
    fn len(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len())
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        #[cfg(test)]
        self.count(1, out.len() as u64);
        self.file.read_exact_at(out, offset)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.fail()?;
        self.sync_deferred()?;
        self.file.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.fail()?;
        if self.deferred.opening.load(Ordering::Acquire) {
            self.deferred.file.store(true, Ordering::Release);
            return Ok(());
        }
        self.sync_deferred()?;
        self.sync_file()
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.fail()?;
        self.sync_deferred()?;
        self.file.write_all_at(data, offset)
    }

    /// The file is locked before redb sees it.
    fn try_lock_range(&self, _: Bound<u64>, _: Bound<u64>) -> Result<bool, BackendError> {
        Ok(true)
    }

    fn unlock_range(&self, _: Bound<u64>, _: Bound<u64>) -> Result<(), BackendError> {
        Ok(())
    }
}

fn sync_folder(path: &Path) -> io::Result<()> {
    let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
    match File::open(path) {
        Ok(folder) => folder.sync_all(),
        // Whoever cannot look into a folder did not just make something in it.
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Ok(()),
        Err(error) => Err(error),
    }
}
