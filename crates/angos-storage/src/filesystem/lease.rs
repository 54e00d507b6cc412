//! One writer at a time for each session.

use std::{
    collections::HashMap,
    sync::{
        Arc, Condvar, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use crate::limits::WRITER_RELEASE_TIMEOUT;
use crate::{Error, SessionId, memory::lock};

/// The sessions that a writer holds.
#[derive(Default)]
pub(super) struct Leases {
    held: Mutex<HashMap<SessionId, ReleaseSignal>>,
    freed: Condvar,
}

/// Set when the writer was dropped, while the last of its work is still under way.
#[derive(Clone, Default)]
pub(super) struct ReleaseSignal(Arc<AtomicBool>);

impl ReleaseSignal {
    pub(super) fn set(&self) {
        self.0.store(true, Ordering::Release);
    }

    fn is_set(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

/// A session, held by one writer.
pub(super) struct Lease {
    pub(super) id: SessionId,
    pub(super) release: ReleaseSignal,
    leases: Arc<Leases>,
}

impl Leases {
    /// Takes the session; waits a short time for a writer that is about to release it.
    pub(super) fn take(self: &Arc<Leases>, id: SessionId) -> Result<Lease, Error> {
        let is_releasing =
            |held: &mut HashMap<SessionId, ReleaseSignal>| held.get(&id).is_some_and(ReleaseSignal::is_set);
        let waited = self.freed.wait_timeout_while(lock(&self.held), WRITER_RELEASE_TIMEOUT, is_releasing);
        let (mut held, _) = waited.unwrap_or_else(PoisonError::into_inner);
        if held.contains_key(&id) {
            return Err(Error::SessionBusy);
        }
        let release = ReleaseSignal::default();
        held.insert(id, release.clone());
        Ok(Lease { id, release, leases: Arc::clone(self) })
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        lock(&self.leases.held).remove(&self.id);
        self.leases.freed.notify_all();
    }
}
