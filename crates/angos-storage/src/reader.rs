//! The stream out of a blob.

use std::{
    fmt,
    ops::Range,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use futures_core::Stream;

use crate::Error;

/// The content of a blob, or of a part of it, as a stream of chunks.
///
/// **Guarantee:** the stream yields exactly the bytes of [`range`](Self::range), or an error as its last
/// item; never silently less. Deleting the blob does not disturb it. Dropping it releases everything.
pub struct BlobReader {
    size: u64,
    range: Range<u64>,
    chunks: Box<dyn Chunks>,
}

/// What an engine reads a blob with.
pub trait Chunks: Send + 'static {
    /// The next chunk, `None` after the last. An engine that copies copies at most `most` bytes; a chunk that it had
    /// begun to read before may be longer.
    fn poll_next(&mut self, cx: &mut Context<'_>, most: usize) -> Poll<Option<Result<Bytes, Error>>>;
}

impl BlobReader {
    /// For engines: a reader over `chunks`, which yields exactly the bytes of `range`.
    pub fn new(size: u64, range: Range<u64>, chunks: impl Chunks) -> BlobReader {
        BlobReader { size, range, chunks: Box::new(chunks) }
    }

    /// The size of the whole blob.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// What is being read.
    pub fn range(&self) -> Range<u64> {
        self.range.clone()
    }

    /// The next chunk; `None` after the last.
    pub fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Error>>> {
        self.poll_at_most(cx, usize::MAX)
    }

    /// The next chunk, for which at most `most` bytes of memory are taken; `None` after the last. A chunk that an earlier
    /// call left pending keeps the size of that call.
    pub fn poll_at_most(&mut self, cx: &mut Context<'_>, most: usize) -> Poll<Option<Result<Bytes, Error>>> {
        self.chunks.poll_next(cx, most)
    }

    /// The next chunk; `None` after the last.
    pub async fn next(&mut self) -> Option<Result<Bytes, Error>> {
        std::future::poll_fn(|cx| self.poll_next(cx)).await
    }
}

impl Stream for BlobReader {
    type Item = Result<Bytes, Error>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        BlobReader::poll_next(&mut self, cx)
    }
}

impl fmt::Debug for BlobReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BlobReader")
            .field("size", &self.size)
            .field("range", &self.range)
            .finish_non_exhaustive()
    }
}
