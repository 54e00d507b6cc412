//! Which upload sessions are in use right now, and which are over.

use std::collections::{HashSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::limits::SPENT_MAX;
use angos_oci::UploadId;

use crate::{Error, Result};

#[derive(Default)]
pub(crate) struct Sessions(Mutex<State>);

#[derive(Default)]
struct State {
    busy: HashSet<[u8; 16]>,
    spent: HashSet<[u8; 16]>,
    spent_in_order: VecDeque<[u8; 16]>,
}

/// The sole use of a session, until dropped.
pub(crate) struct Claim {
    sessions: Arc<Sessions>,
    session: [u8; 16],
}

impl Sessions {
    /// Takes a session for one request.
    pub(crate) fn claim(self: &Arc<Self>, id: &UploadId) -> Result<Claim> {
        if self.is_spent(id) {
            return Err(Error::UploadUnknown);
        }
        let claim = self.claim_any(id.session)?;
        // It may have ended between the look and the claim.
        if self.is_spent(id) { Err(Error::UploadUnknown) } else { Ok(claim) }
    }

    /// Takes a session that may be over.
    pub(crate) fn claim_any(self: &Arc<Self>, session: [u8; 16]) -> Result<Claim> {
        if !self.state().busy.insert(session) {
            return Err(Error::UploadBusy);
        }
        Ok(Claim { sessions: Arc::clone(self), session })
    }

    pub(crate) fn is_spent(&self, id: &UploadId) -> bool {
        self.state().spent.contains(&id.session)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Claim {
    /// Ends the session for good.
    pub(crate) fn spend(&self) {
        let mut state = self.sessions.state();
        if !state.spent.insert(self.session) {
            return;
        }
        state.spent_in_order.push_back(self.session);
        if state.spent_in_order.len() > SPENT_MAX
            && let Some(oldest) = state.spent_in_order.pop_front()
        {
            state.spent.remove(&oldest);
        }
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.sessions.state().busy.remove(&self.session);
    }
}
