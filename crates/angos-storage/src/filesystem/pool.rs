//! Buffers for reading: reused while busy, returned to the system when not.

use std::sync::{Arc, Mutex};

use bytes::Bytes;

use crate::limits::{IDLE_BUFFERS_MAX, READ_BYTES};
use crate::memory::lock;

/// Buffers of [`READ_BYTES`] bytes that nobody uses.
#[derive(Default)]
pub(super) struct Pool {
    idle: Mutex<Vec<Vec<u8>>>,
}

/// Bytes that go back to the pool when the last user drops them.
pub(super) struct Buffer {
    bytes: Vec<u8>,
    filled: usize,
    pool: Arc<Pool>,
}

impl Pool {
    /// A buffer with room for `length` bytes, at most [`READ_BYTES`].
    pub(super) fn take(self: &Arc<Pool>, length: usize) -> Buffer {
        let length = length.min(READ_BYTES);
        // A short read does not occupy a long buffer.
        let bytes = if length <= READ_BYTES / 4 {
            vec![0; length]
        } else {
            lock(&self.idle).pop().unwrap_or_else(|| vec![0; READ_BYTES])
        };
        Buffer { bytes, filled: length, pool: Arc::clone(self) }
    }

    #[cfg(test)]
    pub(super) fn idle(&self) -> usize {
        lock(&self.idle).len()
    }
}

impl Buffer {
    /// The room to read into.
    pub(super) fn room(&mut self) -> &mut [u8] {
        self.bytes.get_mut(..self.filled).unwrap_or_default()
    }

    /// The first `filled` bytes, shared.
    pub(super) fn freeze(mut self, filled: usize) -> Bytes {
        self.filled = filled.min(self.filled);
        Bytes::from_owner(self)
    }
}

impl AsRef<[u8]> for Buffer {
    fn as_ref(&self) -> &[u8] {
        self.bytes.get(..self.filled).unwrap_or_default()
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        if self.bytes.len() == READ_BYTES {
            let mut idle = lock(&self.pool.idle);
            if idle.len() < IDLE_BUFFERS_MAX {
                idle.push(std::mem::take(&mut self.bytes));
            }
        }
    }
}
