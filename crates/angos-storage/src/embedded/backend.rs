//! The file below redb: positional reads and writes, and a sync that can be switched off.

use std::{fs::File, io, ops::Bound, os::unix::fs::FileExt, sync::Arc};

use redb::{BackendError, StorageBackend};

/// One handle on the file, which the store keeps locked for as long as it lives.
#[derive(Debug, Clone)]
pub(super) struct Backend {
    file: Arc<File>,
    sync: bool,
    #[cfg(test)]
    pub(super) fault: Arc<std::sync::Mutex<Option<io::ErrorKind>>>,
    #[cfg(test)]
    counters: Arc<[std::sync::atomic::AtomicU64; 2]>,
}

impl Backend {
    pub(super) fn new(file: File, sync: bool) -> Backend {
        Backend {
            file: Arc::new(file),
            sync,
            #[cfg(test)]
            fault: Arc::default(),
            #[cfg(test)]
            counters: Arc::default(),
        }
    }

    #[cfg(test)]
    pub(super) fn syncs(&self) -> u64 {
        self.counters[0].load(std::sync::atomic::Ordering::Relaxed)
    }

    #[cfg(test)]
    pub(super) fn bytes_read(&self) -> u64 {
        self.counters[1].load(std::sync::atomic::Ordering::Relaxed)
    }

    #[cfg(test)]
    fn count(&self, counter: usize, amount: u64) {
        self.counters[counter].fetch_add(amount, std::sync::atomic::Ordering::Relaxed);
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
        self.file.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        #[cfg(test)]
        self.count(0, 1);
        self.fail()?;
        if self.sync { self.file.sync_data() } else { Ok(()) }
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.fail()?;
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
