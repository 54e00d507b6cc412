//! Stage 6, again: a request is decided once more before its effect becomes visible, and during long bodies.
//!
//! A body may take hours. Meanwhile its user may have been removed, its rule changed, its certificate revoked. What counts
//! is what is in force when the change is committed, not when the head of the request arrived.

use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Instant, SystemTime};

use angos_access::{Operation, RequestMethod};
use angos_identity::Identity;
use angos_oci::{Reference, Tag};
use angos_registry::{Approval, BodyError, Error};

use crate::authenticate::AuthenticationError;
use crate::authorize::access::CurrentAccess;
use crate::authorize::{Authorizer, Denied, Permit};
use crate::connection::Connection;
use crate::limits::RECHECK_INTERVAL;
use crate::request::id::RequestId;
use crate::respond::error::RequestError;

/// Decides one request again, under the policies, credentials and certificates in force at that moment.
///
/// Guarantee: after [`Handle::replace_access`](crate::Handle::replace_access) or
/// [`Handle::replace_tls`](crate::Handle::replace_tls) returned, no change becomes visible that the new set forbids, except
/// commits whose last check was before. A denial is final for the request.
///
/// Cheap while nothing changed: two atomic loads and a look at the clock. Policies can depend on the time, so the
/// request is also decided again when the last decision is older than [`RECHECK_INTERVAL`]. Further decisions are logged and
/// counted only when they are denials.
#[derive(Debug)]
pub(crate) struct Recheck {
    connection: Arc<Connection>,
    identity: Identity,
    method: RequestMethod,
    request: RequestId,
    /// Whether a denial may ask for a credential.
    challenge: bool,
    /// Whether it changes something. A download of a peer that is no longer trusted has `timeouts.distrust` to end.
    is_change: bool,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// What was permitted, and must be still.
    operations: Vec<Operation>,
    /// The set that permitted it last, and when.
    in_force: Arc<CurrentAccess>,
    decided: Instant,
    denied: Option<NoLonger>,
}

/// Why a request may not go on.
#[derive(Debug, Clone, Copy)]
enum NoLonger {
    Trusted,
    Authenticated,
    Permitted(Denied),
}

impl Recheck {
    /// Repeats the decision of `gate` that gave `permit`, which was made just now.
    pub(crate) fn new(
        connection: &Arc<Connection>,
        gate: &Authorizer<'_>,
        challenge: bool,
        permit: &Permit,
    ) -> Self {
        let state = State {
            operations: vec![permit.operation().clone()],
            in_force: Arc::clone(gate.in_force),
            decided: Instant::now(),
            denied: None,
        };
        Self {
            connection: Arc::clone(connection),
            identity: gate.identity.clone(),
            method: gate.method,
            request: gate.request,
            challenge,
            is_change: permit.operation().action().is_write(),
            state: Mutex::new(state),
        }
    }

    /// Requires one more operation to be permitted until the end of the request.
    pub(crate) fn require(&self, permit: &Permit) {
        self.state().operations.push(permit.operation().clone());
    }

    /// Whether the request may go on.
    pub(crate) fn check(&self) -> bool {
        self.allows(&[])
    }

    /// What to answer to an error of an operation: the reason of the denial, if that was the cause.
    pub(crate) fn refusal(&self, refusal: RequestError) -> RequestError {
        if !matches!(
            refusal,
            RequestError::Registry(Error::NotApproved | Error::Body(BodyError::NotApproved))
        ) {
            return refusal;
        }
        match self.state().denied {
            Some(NoLonger::Trusted) => RequestError::Distrusted,
            Some(NoLonger::Authenticated) => {
                RequestError::Authentication { error: AuthenticationError::Withdrawn, challenge: true }
            }
            Some(NoLonger::Permitted(denied)) => {
                RequestError::Denied { challenge: self.challenge && denied.credential_may_help() }
            }
            None => refusal,
        }
    }

    /// Whether the request may go on, and change these tags besides those it named.
    fn allows(&self, tags: &[Tag]) -> bool {
        let mut state = self.state();
        if state.denied.is_some() {
            return false;
        }
        let result = self.decide(&mut state).and_then(|()| self.decide_tags(&state, tags));
        if let Err(reason) = result {
            state.denied = Some(reason);
            self.log(reason);
        }
        result.is_ok()
    }

    fn decide(&self, state: &mut State) -> Result<(), NoLonger> {
        if self.is_change {
            self.connection.check_trust().map_err(|_| NoLonger::Trusted)?;
        }
        let in_force = self.connection.shared.access.load();
        let is_same = in_force.generation == state.in_force.generation;
        if is_same && state.decided.elapsed() < RECHECK_INTERVAL {
            return Ok(());
        }
        let credentials = &in_force.access.credentials;
        if !is_same && !credentials.retains(&state.in_force.access.credentials, &self.identity) {
            return Err(NoLonger::Authenticated);
        }
        let gate = self.gate(&in_force);
        state
            .operations
            .iter()
            .try_for_each(|operation| gate.confirm(operation))
            .map_err(NoLonger::Permitted)?;
        state.in_force = Arc::clone(&in_force);
        state.decided = Instant::now();
        Ok(())
    }

    /// Asks about tags that the request changes and did not name, as if it had named them.
    fn decide_tags(&self, state: &State, tags: &[Tag]) -> Result<(), NoLonger> {
        if tags.is_empty() {
            return Ok(());
        }
        let gate = self.gate(&state.in_force);
        let named = state.operations.iter().filter_map(|operation| with_tags(operation, tags));
        named
            .map(|operation| gate.admit(operation))
            .try_for_each(|permit| permit.map(drop))
            .map_err(NoLonger::Permitted)
    }

    fn gate<'a>(&'a self, in_force: &'a Arc<CurrentAccess>) -> Authorizer<'a> {
        let shared = &self.connection.shared;
        Authorizer {
            in_force,
            identity: &self.identity,
            method: self.method,
            time: SystemTime::now(),
            request: self.request,
            metrics: &shared.metrics,
            denial_log: &shared.denial_log,
            decision_log: shared.settings.decision_log.as_ref(),
        }
    }

    /// Denials by policies are in the decision log.
    fn log(&self, reason: NoLonger) {
        let reason = match reason {
            NoLonger::Trusted => "its client certificate is no longer accepted",
            NoLonger::Authenticated => "its credential is no longer accepted",
            NoLonger::Permitted(_) => "it is no longer allowed",
        };
        tracing::info!(
            target: "angos::auth",
            request_id = %self.request,
            client_ip = self.identity.client_ip(),
            identity = self.identity.id(),
            "request stopped: {reason}"
        );
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Approval for Recheck {
    fn approve<'a>(&'a self, tags: &'a [Tag]) -> Pin<Box<dyn Future<Output = bool> + Send + 'a>> {
        Box::pin(async move { self.allows(tags) })
    }
}

/// The operation as if the request had named `tags`; none for one that does not change tags by way of a digest.
fn with_tags(operation: &Operation, tags: &[Tag]) -> Option<Operation> {
    match operation {
        Operation::DeleteManifest { name, reference: reference @ Reference::Digest(_), .. } => {
            let (name, reference) = (name.clone(), reference.clone());
            Some(Operation::DeleteManifest { name, reference, tags: tags.to_vec() })
        }
        Operation::PutManifest { name, reference, tags: named } => {
            let (name, reference) = (name.clone(), reference.clone());
            Some(Operation::PutManifest { name, reference, tags: [named.as_slice(), tags].concat() })
        }
        _ => None,
    }
}
