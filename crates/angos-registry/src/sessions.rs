//! Which upload sessions are in use right now, and which are over.

use std::collections::{HashSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::limits::FINISHED_SESSIONS_MAX;
use angos_oci::UploadId;

use crate::{Error, Result};

#[derive(Default)]
pub(crate) struct Sessions(Mutex<State>);

#[derive(Default)]
struct State {
    busy: HashSet<[u8; 16]>,
    finished: HashSet<[u8; 16]>,
    finished_in_order: VecDeque<[u8; 16]>,
}

/// The sole use of a session, until dropped.
pub(crate) struct SessionGuard {
    sessions: Arc<Sessions>,
    session: [u8; 16],
}

impl Sessions {
    /// Takes a session for one request.
    pub(crate) fn acquire(self: &Arc<Self>, id: &UploadId) -> Result<SessionGuard> {
        if self.is_finished(id) {
            return Err(Error::UploadUnknown);
        }
        let guard = self.acquire_any(id.session)?;
        // It may have ended after the first check and before it was acquired.
        if self.is_finished(id) { Err(Error::UploadUnknown) } else { Ok(guard) }
    }

    /// Takes a session that may be over.
    pub(crate) fn acquire_any(self: &Arc<Self>, session: [u8; 16]) -> Result<SessionGuard> {
        if !self.state().busy.insert(session) {
            return Err(Error::UploadBusy);
        }
        Ok(SessionGuard { sessions: Arc::clone(self), session })
    }

    pub(crate) fn is_finished(&self, id: &UploadId) -> bool {
        self.state().finished.contains(&id.session)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl SessionGuard {
    /// Ends the session for good.
    pub(crate) fn finish(&self) {
        let mut state = self.sessions.state();
        if !state.finished.insert(self.session) {
            return;
        }
        state.finished_in_order.push_back(self.session);
        if state.finished_in_order.len() > FINISHED_SESSIONS_MAX
            && let Some(oldest) = state.finished_in_order.pop_front()
        {
            state.finished.remove(&oldest);
        }
    }
}

impl Drop for SessionGuard {
    fn drop(&mut self) {
        self.sessions.state().busy.remove(&self.session);
    }
}
