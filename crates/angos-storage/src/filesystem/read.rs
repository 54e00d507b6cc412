//! Reading a blob: on the calling thread while the page cache has it, else on one that may block.

use std::{
    fs::File,
    io::{self, IoSliceMut},
    ops::Range,
    os::unix::fs::FileExt,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use angos_oci::Digest;
use bytes::Bytes;
use rustix::{
    fs::OFlags,
    io::{Errno, ReadWriteFlags},
};
use tokio::task::{JoinHandle, spawn_blocking};

use super::{
    Store,
    disk::{self, Cached},
    pool::{Buffer, Pool},
};
use crate::{BlobReader, Chunks, Error};

impl Store {
    /// The file, if the system opens it without asking the disk.
    pub(super) fn open_cached(&self, digest: &Digest) -> Cached<File> {
        self.disk.open_cached(&disk::blob_path(digest), OFlags::RDONLY)
    }

    /// A reader over an open blob.
    pub(super) fn reader(
        &self,
        file: File,
        digest: &Digest,
        range: Option<Range<u64>>,
    ) -> Result<BlobReader, Error> {
        let found = file
            .metadata()
            .map_err(|error| Error::from_io("stat", self.disk.full(&disk::blob_path(digest)), error))?;
        if !found.is_file() {
            return Err(Error::Corrupt(format!("blob {digest} is not a file")));
        }
        let size = found.len();
        let range = range.unwrap_or(0..size);
        if range.start > range.end || range.end > size {
            return Err(Error::OutOfRange { size });
        }
        let chunks = FileChunks {
            file: Arc::new(file),
            digest: *digest,
            rest: range.clone(),
            pool: Arc::clone(&self.pool),
            inline: true,
            job: None,
        };
        Ok(BlobReader::new(size, range, chunks))
    }
}

/// The chunks of one range.
struct FileChunks {
    file: Arc<File>,
    digest: Digest,
    rest: Range<u64>,
    pool: Arc<Pool>,
    /// Whether the file can be read without waiting at all.
    inline: bool,
    job: Option<JoinHandle<io::Result<Bytes>>>,
}

impl FileChunks {
    /// Reads what the page cache has; otherwise hands the buffer back.
    fn read_cached(&mut self, mut buffer: Buffer) -> Result<io::Result<Bytes>, Buffer> {
        if !self.inline {
            return Err(buffer);
        }
        loop {
            let mut room = [IoSliceMut::new(buffer.room())];
            match rustix::io::preadv2(&*self.file, &mut room, self.rest.start, ReadWriteFlags::NOWAIT) {
                Ok(0) => return Ok(Err(io::ErrorKind::UnexpectedEof.into())),
                Ok(filled) => return Ok(Ok(buffer.freeze(filled))),
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => return Err(buffer),
                Err(Errno::OPNOTSUPP | Errno::NOSYS | Errno::INVAL | Errno::PERM) => {
                    self.inline = false;
                    return Err(buffer);
                }
                Err(error) => return Ok(Err(error.into())),
            }
        }
    }

    /// Accounts for what was read. After an error nothing follows.
    fn advance(&mut self, outcome: io::Result<Bytes>) -> Result<Bytes, Error> {
        match outcome {
            Ok(chunk) => {
                self.rest.start += chunk.len() as u64;
                Ok(chunk)
            }
            Err(error) => {
                let position = self.rest.start;
                self.rest.start = self.rest.end;
                Err(match error.kind() {
                    io::ErrorKind::UnexpectedEof => {
                        Error::Corrupt(format!("blob {} lost bytes after {position}", self.digest))
                    }
                    _ => Error::from_io("read", self.digest.to_string(), error),
                })
            }
        }
    }
}

impl Chunks for FileChunks {
    fn poll_next(&mut self, cx: &mut Context<'_>, most: usize) -> Poll<Option<Result<Bytes, Error>>> {
        let this = self;
        if this.job.is_none() {
            let rest = this.rest.end.saturating_sub(this.rest.start);
            if rest == 0 {
                return Poll::Ready(None);
            }
            let buffer = this.pool.take(usize::try_from(rest).unwrap_or(usize::MAX).min(most.max(1)));
            match this.read_cached(buffer) {
                Ok(outcome) => return Poll::Ready(Some(this.advance(outcome))),
                Err(buffer) => {
                    this.job = Some(spawn_blocking(read_blocking(&this.file, buffer, this.rest.start)));
                }
            }
        }
        let Some(job) = this.job.as_mut() else { return Poll::Ready(None) };
        let joined = std::task::ready!(Pin::new(job).poll(cx));
        this.job = None;
        let outcome = joined.unwrap_or_else(|error| Err(io::Error::other(error)));
        Poll::Ready(Some(this.advance(outcome)))
    }
}

fn read_blocking(
    file: &Arc<File>,
    mut buffer: Buffer,
    position: u64,
) -> impl FnOnce() -> io::Result<Bytes> + use<> {
    let file = Arc::clone(file);
    move || {
        file.read_exact_at(buffer.room(), position)?;
        let filled = buffer.room().len();
        Ok(buffer.freeze(filled))
    }
}
