//! Stage 7: permit and body → [`Outcome`]. Clients reach the registry through these functions only.

mod blobs;
mod catalog;
mod health;
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

use crate::authorize::Authorizer;
use crate::authorize::permit::{AsOperation, Permit, Permitted, Version};
use crate::authorize::recheck::Recheck;
use crate::connection::body_memory::ConnectionMemory;
use crate::connection::context::Connection;
use crate::limits::BODY_BUFFER_FREE_BYTES;
use crate::request::body::RequestBody;
use crate::request::error::RequestError;
use crate::respond::Outcome;
use crate::respond::body::ResponseBody;
use crate::route::RouteError;
use crate::server::state::ServerState;

/// The request, as an operation sees it beside its permit.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Context<'a> {
    pub(crate) connection: &'a Arc<Connection>,
    pub(crate) server: &'a ServerState,
    /// The memory that the connection's bodies hold.
    pub(crate) memory: &'a Arc<ConnectionMemory>,
    pub(crate) authorizer: &'a Authorizer<'a>,
    pub(crate) headers: &'a HeaderMap,
    pub(crate) head_only: bool,
    /// The registry, which asks [`recheck`](Self::recheck) before it commits a change.
    pub(crate) registry: &'a Registry,
    /// Set for requests that change the registry.
    pub(crate) recheck: Option<&'a Recheck>,
}

/// A header that may be sent once is sent several times.
struct DuplicateHeader;

impl Context<'_> {
    fn registry(&self) -> &Registry {
        self.registry
    }

    /// The value of a header that is sent once and is text.
    fn header(&self, name: &HeaderName) -> Option<&str> {
        self.single_header(name).ok()??.to_str().ok()
    }

    /// The value of a header that may be sent once.
    fn single_header(&self, name: &HeaderName) -> Result<Option<&HeaderValue>, DuplicateHeader> {
        let mut values = self.headers.get_all(name).iter();
        let first = values.next();
        if values.next().is_some() { Err(DuplicateHeader) } else { Ok(first) }
    }

    /// A response body whose bytes are in memory.
    fn whole(&self, bytes: Bytes) -> Result<ResponseBody, RequestError> {
        if bytes.len() <= BODY_BUFFER_FREE_BYTES {
            return Ok(ResponseBody::whole(bytes));
        }
        let lease = self.memory.take(bytes.len()).ok_or(RequestError::NoMemory)?;
        Ok(ResponseBody::leased(bytes, lease))
    }

    /// Authorizes one more operation in the course of a request.
    async fn authorize<O>(&self, operation: O) -> Result<Permit<O>, RequestError>
    where
        O: AsOperation,
    {
        let permit = self.authorizer.authorize(operation).await.map_err(|denial| RequestError::Denied {
            challenge: self.authorizer.challenge.after_denial(denial),
        })?;
        if let Some(recheck) = self.recheck {
            permit.operation().with_operation(|operation| recheck.require(operation.clone()));
        }
        Ok(permit)
    }
}

/// One page of a listing.
fn page(json: ResponseBody, next: Option<String>) -> Outcome {
    Outcome::Page { media_type: "application/json", json, next, filtered: false }
}

/// Writes JSON of a value that always can be written, such as strings in a struct.
fn json(list: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(list).unwrap_or_default()
}

/// Runs an allowed operation. A change is decided again while its body arrives, and before it is committed.
pub(crate) async fn operate(
    cx: &Context<'_>,
    permit: Permit<Operation>,
    body: &mut RequestBody,
) -> Result<Outcome, RequestError> {
    let is_write = permit.operation().action().is_write();
    let recheck =
        is_write.then(|| Arc::new(Recheck::new(cx.connection, cx.authorizer, permit.operation().clone())));
    let registry = recheck.as_ref().map(|recheck| {
        let registry = cx.registry.on_behalf_of(actor(cx.authorizer.identity));
        registry.approved_by(Arc::clone(recheck) as Arc<dyn Approval>)
    });
    let cx =
        Context { registry: registry.as_ref().unwrap_or(cx.registry), recheck: recheck.as_deref(), ..*cx };
    body.decide_again(recheck.as_ref());
    let result = run(&cx, permit.into(), body).await;
    result.map_err(|error| match &recheck {
        Some(recheck) => recheck.reason(error),
        None => error,
    })
}

/// Who is recorded with a change: the user name, else the subject of the certificate.
fn actor(identity: &Identity) -> Actor {
    let subject = || identity.certificate().map(Certificate::subject);
    let name = identity.username().or_else(subject).unwrap_or("anonymous");
    Actor::new(name, identity.method().as_str())
}

async fn run(
    cx: &Context<'_>,
    permitted: Permitted,
    body: &mut RequestBody,
) -> Result<Outcome, RequestError> {
    match permitted {
        Permitted::Version(permit) => Ok(version(permit)),
        Permitted::Healthz(permit) => Ok(health::live(permit)),
        Permitted::Readyz(permit) => health::ready(cx.server, permit).await,
        Permitted::Metrics(permit) => Ok(health::metrics(cx.server, permit)),
        Permitted::ListCatalog(permit) => catalog::list(cx, permit).await,
        Permitted::ListTags(permit) => tags::list(cx, permit).await,
        Permitted::GetManifest(permit) => manifests::pull(cx, permit).await,
        Permitted::PutManifest(permit) => manifests::push(cx, permit, body).await,
        Permitted::DeleteManifest(permit) => manifests::delete(cx, permit).await,
        Permitted::GetBlob(permit) => blobs::pull(cx, permit).await,
        Permitted::DeleteBlob(permit) => blobs::delete(cx, permit).await,
        Permitted::PushBlob(permit) => blobs::push(cx, permit, body).await,
        Permitted::MountBlob(permit) => blobs::mount(cx, permit).await,
        Permitted::StartUpload(permit) => uploads::start(cx, permit).await,
        Permitted::GetUpload(permit) => uploads::status(cx, permit).await,
        Permitted::UpdateUpload(permit) => uploads::update(cx, permit, body).await,
        Permitted::CompleteUpload(permit) => uploads::complete(cx, permit, body).await,
        Permitted::CancelUpload(permit) => uploads::cancel(cx, permit).await,
        Permitted::GetReferrers(permit) => referrers::list(cx, permit).await,
    }
}

/// Runs a probe of the management surface, which needs neither an identity nor a body.
pub(crate) async fn probe(server: &ServerState, permit: Permit<Operation>) -> Result<Outcome, RequestError> {
    match permit.into() {
        Permitted::Healthz(permit) => Ok(health::live(permit)),
        Permitted::Readyz(permit) => health::ready(server, permit).await,
        Permitted::Metrics(permit) => Ok(health::metrics(server, permit)),
        _ => Err(RouteError::NotFound.into()),
    }
}

/// Says that this is a registry of the distribution specification.
fn version(_: Permit<Version>) -> Outcome {
    Outcome::Version
}
