//! Stage 6, repeated: a request is decided again before its change is committed, and while a long body is transferred.
//!
//! A body may take hours. Meanwhile the user may have been removed, a rule changed, or the certificate revoked. The policies,
//! credentials and certificates that are current when the change is committed count, not those of the request head.

use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Instant, SystemTime};

use angos_access::{Challenge, Denial, Operation, RequestMethod};
use angos_identity::Identity;
use angos_oci::{Reference, Tag};
use angos_registry::{Approval, BodyError, Error};

use crate::authenticate::AuthenticationError;
use crate::authorize::Authorizer;
use crate::authorize::access::CurrentAccess;
use crate::connection::context::Connection;
use crate::limits::RECHECK_INTERVAL;
use crate::request::error::RequestError;
use crate::request::id::RequestId;

/// Decides one request again, by the current policies, credentials and certificates.
///
/// Guarantee: after [`Handle::replace_access`](crate::Handle::replace_access) or
/// [`Handle::replace_tls`](crate::Handle::replace_tls) has returned, no change is committed that the new set forbids, except
/// those whose last check was before. A denial is final for the request.
///
/// A check costs two atomic loads and a look at the clock while nothing has changed. Policies can depend on the time, so the
/// request is also decided again when the last decision is older than [`RECHECK_INTERVAL`]. Only denials are logged and
/// counted.
#[derive(Debug)]
pub(crate) struct Recheck {
    connection: Arc<Connection>,
    identity: Identity,
    method: RequestMethod,
    request: RequestId,
    challenge: Challenge,
    /// Whether it changes the registry. A download goes on for `timeouts.untrusted_drain` when its peer is no longer trusted.
    is_change: bool,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// The operations that were allowed, and still have to be.
    operations: Vec<Operation>,
    /// The set that allowed them last.
    access: Arc<CurrentAccess>,
    /// When it did.
    decided: Instant,
    stopped: Option<StopReason>,
}

/// Why a request must stop.
#[derive(Debug, Clone, Copy)]
enum StopReason {
    Untrusted,
    CredentialWithdrawn,
    Denied(Denial),
}

impl Recheck {
    /// Repeats the decision that `authorizer` has just made about `operation`.
    pub(crate) fn new(
        connection: &Arc<Connection>,
        authorizer: &Authorizer<'_>,
        operation: Operation,
    ) -> Self {
        let is_change = operation.action().is_write();
        let state = State {
            operations: vec![operation],
            access: Arc::clone(authorizer.access),
            decided: Instant::now(),
            stopped: None,
        };
        Self {
            connection: Arc::clone(connection),
            identity: authorizer.identity.clone(),
            method: authorizer.method,
            request: authorizer.request,
            challenge: authorizer.challenge,
            is_change,
            state: Mutex::new(state),
        }
    }

    /// Requires one more operation to be allowed until the end of the request.
    pub(crate) fn require(&self, operation: Operation) {
        self.state().operations.push(operation);
    }

    /// Whether the request may go on.
    pub(crate) fn check(&self) -> bool {
        self.allows(&[])
    }

    /// The error to answer with: the reason why the request was stopped, if that caused `error`.
    pub(crate) fn reason(&self, error: RequestError) -> RequestError {
        if !matches!(error, RequestError::Registry(Error::NotApproved | Error::Body(BodyError::NotApproved)))
        {
            return error;
        }
        match self.state().stopped {
            Some(StopReason::Untrusted) => RequestError::Untrusted,
            Some(StopReason::CredentialWithdrawn) => {
                RequestError::Authentication { error: AuthenticationError::Withdrawn, challenge: true }
            }
            Some(StopReason::Denied(denial)) => {
                RequestError::Denied { challenge: self.challenge.after_denial(denial) }
            }
            None => error,
        }
    }

    /// Whether the request may go on, and change these tags beside the ones it named.
    fn allows(&self, tags: &[Tag]) -> bool {
        let mut state = self.state();
        if state.stopped.is_some() {
            return false;
        }
        let result = self.decide(&mut state).and_then(|()| self.decide_tags(&state, tags));
        if let Err(reason) = result {
            state.stopped = Some(reason);
            self.log(reason);
        }
        result.is_ok()
    }

    fn decide(&self, state: &mut State) -> Result<(), StopReason> {
        if self.is_change {
            self.connection.check_trust().map_err(|_| StopReason::Untrusted)?;
        }
        let access = self.connection.server.access.load();
        let is_same = access.generation == state.access.generation;
        if is_same && state.decided.elapsed() < RECHECK_INTERVAL {
            return Ok(());
        }
        let credentials = &access.access.credentials;
        if !is_same && !credentials.retains(&state.access.access.credentials, &self.identity) {
            return Err(StopReason::CredentialWithdrawn);
        }
        let authorizer = self.authorizer(&access);
        state
            .operations
            .iter()
            .try_for_each(|operation| authorizer.confirm(operation))
            .map_err(StopReason::Denied)?;
        state.access = Arc::clone(&access);
        state.decided = Instant::now();
        Ok(())
    }

    /// Decides about tags that the request changes without having named them, as if it had.
    fn decide_tags(&self, state: &State, tags: &[Tag]) -> Result<(), StopReason> {
        if tags.is_empty() {
            return Ok(());
        }
        let authorizer = self.authorizer(&state.access);
        let mut named = state.operations.iter().filter_map(|operation| with_tags(operation, tags));
        named.try_for_each(|operation| authorizer.check(&operation)).map_err(StopReason::Denied)
    }

    fn authorizer<'a>(&'a self, access: &'a Arc<CurrentAccess>) -> Authorizer<'a> {
        let server = &self.connection.server;
        Authorizer {
            access,
            identity: &self.identity,
            method: self.method,
            time: SystemTime::now(),
            request: self.request,
            challenge: self.challenge,
            metrics: &server.metrics,
            denial_log: &server.denial_log,
            decision_log: server.settings.decision_log.as_ref(),
        }
    }

    /// Logs that the request was stopped. The decision log has the denials of policies beside.
    fn log(&self, reason: StopReason) {
        let reason = match reason {
            StopReason::Untrusted => "its client certificate is no longer accepted",
            StopReason::CredentialWithdrawn => "its credential is no longer accepted",
            StopReason::Denied(_) => "the policies no longer allow it",
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

/// The operation as if the request had named `tags`; `None` for an operation that changes no tags by digest.
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
