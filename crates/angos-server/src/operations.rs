//! Stage 7: a permitted operation + body → outcome. Only here is the registry called on behalf of a client.

mod blobs;
mod catalog;
pub(crate) mod health;
mod manifests;
mod referrers;
mod tags;
mod uploads;

use std::sync::Arc;

use angos_access::Operation;
use angos_identity::{Certificate, Identity};
use angos_registry::{Actor, Approval, Registry};
use bytes::Bytes;
use hyper::header::{HeaderMap, HeaderName, HeaderValue};
use serde::Serialize;

use crate::authorize::recheck::Recheck;
use crate::authorize::{Authorizer, Denied, Permit};
use crate::connection::Connection;
use crate::connection::body_memory::ConnectionMemory;
use crate::limits::BODY_BUFFER_FREE_BYTES;
use crate::request::body::RequestBody;
use crate::respond::Outcome;
use crate::respond::body::ResponseBody;
use crate::respond::error::RequestError;
use crate::server::state::ServerState;

/// What an operation may look at besides its own arguments.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Context<'a> {
    pub(crate) connection: &'a Arc<Connection>,
    pub(crate) shared: &'a ServerState,
    /// What the connection takes of the memory for bodies.
    pub(crate) account: &'a Arc<ConnectionMemory>,
    pub(crate) gate: &'a Authorizer<'a>,
    /// Whether a credential, of which there was none, might turn a no into a yes.
    pub(crate) challenge: bool,
    pub(crate) headers: &'a HeaderMap,
    pub(crate) head_only: bool,
    /// The registry, which asks [`recheck`](Self::recheck) before it commits a change.
    pub(crate) registry: &'a Registry,
    /// For requests that change something.
    pub(crate) recheck: Option<&'a Recheck>,
}

/// A header that may be there once is there several times.
struct DuplicateHeader;

impl Context<'_> {
    fn registry(&self) -> &Registry {
        self.registry
    }

    /// A header that is there once and is text.
    fn header(&self, name: &HeaderName) -> Option<&str> {
        self.single_header(name).ok()??.to_str().ok()
    }

    /// A header that may be there once; [`DuplicateHeader`] when it is there more often, and any of them could be meant.
    fn single_header(&self, name: &HeaderName) -> Result<Option<&HeaderValue>, DuplicateHeader> {
        let mut values = self.headers.get_all(name).iter();
        let first = values.next();
        if values.next().is_some() { Err(DuplicateHeader) } else { Ok(first) }
    }

    /// A body that is in memory as a whole.
    fn whole(&self, bytes: Bytes) -> Result<ResponseBody, RequestError> {
        if bytes.len() <= BODY_BUFFER_FREE_BYTES {
            return Ok(ResponseBody::whole(bytes));
        }
        let lease = self.account.take(bytes.len()).ok_or(RequestError::NoMemory)?;
        Ok(ResponseBody::leased(bytes, lease))
    }

    /// Asks for one more permit in the course of an operation.
    pub(crate) fn admit(&self, operation: Operation) -> Result<Permit, RequestError> {
        let refusal = |denied: Denied| RequestError::Denied {
            challenge: self.challenge && denied.credential_may_help(),
        };
        let permit = self.gate.admit(operation).map_err(refusal)?;
        if let Some(recheck) = self.recheck {
            recheck.require(&permit);
        }
        Ok(permit)
    }
}

/// One page of a listing.
fn page(json: ResponseBody, next: Option<String>) -> Outcome {
    Outcome::Page { media_type: "application/json", json, next, filtered: false }
}

/// What always is JSON, such as strings in a struct.
fn json(list: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(list).unwrap_or_default()
}

/// Does what was permitted. A change is decided again before it is committed, and while its body arrives.
pub(crate) async fn operate(
    cx: &Context<'_>,
    permit: &Permit,
    body: &mut RequestBody,
) -> Result<Outcome, RequestError> {
    let is_write = permit.operation().action().is_write();
    let recheck = is_write.then(|| Arc::new(Recheck::new(cx.connection, cx.gate, cx.challenge, permit)));
    let registry = recheck.as_ref().map(|recheck| {
        let registry = cx.registry.on_behalf_of(actor(cx.gate.identity));
        registry.approved_by(Arc::clone(recheck) as Arc<dyn Approval>)
    });
    let cx =
        Context { registry: registry.as_ref().unwrap_or(cx.registry), recheck: recheck.as_deref(), ..*cx };
    body.decide_again(recheck.as_ref());
    let result = run(&cx, permit, body).await;
    result.map_err(|refusal| match &recheck {
        Some(recheck) => recheck.refusal(refusal),
        None => refusal,
    })
}

/// Who is recorded with a change: the user name, else the subject of the certificate.
fn actor(identity: &Identity) -> Actor {
    let subject = || identity.certificate().map(Certificate::subject);
    let name = identity.username().or_else(subject).unwrap_or("anonymous");
    Actor::new(name, identity.method().as_str())
}

async fn run(cx: &Context<'_>, permit: &Permit, body: &mut RequestBody) -> Result<Outcome, RequestError> {
    match permit.operation() {
        Operation::Version => Ok(Outcome::Version),
        Operation::Healthz => Ok(Outcome::Healthy),
        Operation::Readyz => health::ready(cx.shared).await,
        Operation::Metrics => Ok(Outcome::Metrics(cx.shared.scrape())),
        Operation::ListCatalog { n, last } => catalog::list(cx, *n, last.as_deref()).await,
        Operation::ListTags { name, n, last } => tags::list(cx, name, *n, last.as_deref()).await,
        Operation::GetManifest { name, reference } => manifests::pull(cx, name, reference).await,
        Operation::PutManifest { name, reference, tags } => {
            manifests::push(cx, name, reference, tags, body).await
        }
        Operation::DeleteManifest { name, reference, .. } => manifests::delete(cx, name, reference).await,
        Operation::GetBlob { name, digest } => blobs::pull(cx, permit, name, digest).await,
        Operation::DeleteBlob { name, digest } => blobs::delete(cx, name, digest).await,
        Operation::PushBlob { name, digest } => blobs::push(cx, name, digest, body).await,
        Operation::MountBlob { name, digest, from } => blobs::mount(cx, name, digest, from.as_ref()).await,
        Operation::StartUpload { name, algorithm } => uploads::start(cx, name, *algorithm).await,
        Operation::GetUpload { name, id } => uploads::status(cx, name, id).await,
        Operation::UpdateUpload { name, id } => uploads::update(cx, name, id, body).await,
        Operation::CompleteUpload { name, id, digest } => uploads::complete(cx, name, id, digest, body).await,
        Operation::CancelUpload { name, id } => uploads::cancel(cx, name, id).await,
        Operation::GetReferrers { name, digest, artifact_types, after, n } => {
            referrers::list(cx, name, digest, artifact_types, after.as_deref(), *n).await
        }
    }
}
