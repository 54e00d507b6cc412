//! What this process does with the bytes of a digest right now: publishing them, or collecting them. Never both.
//!
//! A publisher registers first and looks for a mark of the collector then; a collector sets its mark first and looks for
//! publishers then. So one of the two sees the other.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use angos_oci::Digest;

#[derive(Default)]
pub(crate) struct Fence(Mutex<State>);

#[derive(Default)]
struct State {
    publishing: HashMap<Digest, usize>,
    collecting: HashSet<Digest>,
}

/// Held from before bytes are published until their owner is recorded.
pub(crate) struct Publishing {
    fence: Arc<Fence>,
    digest: Digest,
}

/// Held by the one collector of this process that removes a digest.
pub(crate) struct Collecting {
    fence: Arc<Fence>,
    digest: Digest,
}

impl Fence {
    pub(crate) fn publish(self: &Arc<Self>, digest: &Digest) -> Publishing {
        *self.state().publishing.entry(*digest).or_insert(0) += 1;
        Publishing { fence: Arc::clone(self), digest: *digest }
    }

    /// `None` while another collector of this process removes it.
    pub(crate) fn collect(self: &Arc<Self>, digest: &Digest) -> Option<Collecting> {
        let is_first = self.state().collecting.insert(*digest);
        is_first.then(|| Collecting { fence: Arc::clone(self), digest: *digest })
    }

    pub(crate) fn is_publishing(&self, digest: &Digest) -> bool {
        self.state().publishing.contains_key(digest)
    }

    pub(crate) fn is_collecting(&self, digest: &Digest) -> bool {
        self.state().collecting.contains(digest)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Publishing {
    fn drop(&mut self) {
        let mut state = self.fence.state();
        if let Some(count) = state.publishing.get_mut(&self.digest) {
            *count -= 1;
            if *count == 0 {
                state.publishing.remove(&self.digest);
            }
        }
    }
}

impl Drop for Collecting {
    fn drop(&mut self) {
        self.fence.state().collecting.remove(&self.digest);
    }
}
