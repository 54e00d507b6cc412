//! Stage 5: caller and headers → [`Identity`]. A credential that is presented must be right, certificate or not; none
//! is needed to be somebody, or nobody.
//!
//! Why somebody was not accepted is told at debug level under `angos::auth`, and never to the client.

mod forwarded;

use std::sync::Arc;
use std::time::Instant;

use angos_auth::{BasicCredentials, Credentials, MalformedCredentials, Rejection};
use angos_identity::{CallerKey, Credential, Identity};
use hyper::header::{AUTHORIZATION, HeaderName};
use hyper::{HeaderMap, Method};
use ipnet::IpNet;

use crate::connection::handshake::Caller;

use forwarded::ForwardedError;

/// Who made a browser send a request, by the W3C's Fetch Metadata; no page can set it.
const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Why nobody can be told who the caller is. The request is refused, whatever the policies say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum AuthenticationError {
    /// What the client presented is no credential, or several.
    #[error("{0}")]
    Malformed(#[from] MalformedCredentials),
    /// Several `Authorization` headers, each of which another reader could take for the right one.
    #[error("there are several Authorization headers")]
    DuplicateHeader,
    /// The credential is wrong, in a way the client must not learn.
    #[error("{0}")]
    Wrong(Rejection),
    /// Too many credentials are being checked; trying later may help.
    #[error("too many credentials are being checked")]
    Busy,
    /// The credential was right when the request began, and is no longer configured.
    #[error("the credential is no longer accepted")]
    Withdrawn,
    /// The check could not be done; a defect of this program.
    #[error("the credential could not be checked")]
    Failed,
    /// A trusted proxy does not say clearly on whose behalf it asks.
    #[error("{0}")]
    ForwardedError(#[from] ForwardedError),
}

impl From<Rejection> for AuthenticationError {
    fn from(rejection: Rejection) -> Self {
        match rejection {
            Rejection::Busy => Self::Busy,
            Rejection::Failed => Self::Failed,
            Rejection::UnknownUser | Rejection::WrongPassword => Self::Wrong(rejection),
        }
    }
}

/// Whether a page of another site made a browser send something that changes the registry. The browser adds the
/// certificate or password of its user, who knows nothing of it. Clients other than browsers do not send the header.
pub(crate) fn is_cross_site(method: &Method, headers: &HeaderMap) -> bool {
    let mut sites = headers.get_all(SEC_FETCH_SITE).iter();
    let is_cross_site = sites.any(|site| site != "same-origin" && site != "none") && !method.is_safe();
    if is_cross_site {
        tracing::debug!(target: "angos::auth", %method, "a page of another site sent this; request refused");
    }
    is_cross_site
}

/// The caller of a request that a trusted proxy brings; none if the proxy does not say clearly who that is.
pub(crate) fn forwarded_caller(
    caller: &Caller,
    headers: &HeaderMap,
    trusted_proxies: &[IpNet],
) -> Option<CallerKey> {
    forwarded::client_address(caller.address, headers, trusted_proxies).ok().map(CallerKey::network)
}

/// Tells who is asking: the certificate of the connection, the credential of the request if there is one, and the
/// address of the peer, or the one it forwards for if it is among `trusted_proxies`.
pub(crate) async fn authenticate(
    caller: &Caller,
    headers: &HeaderMap,
    credentials: &Credentials,
    trusted_proxies: &[IpNet],
) -> Result<Identity, AuthenticationError> {
    let address = forwarded::client_address(caller.address, headers, trusted_proxies).inspect_err(|unclear| {
        tracing::debug!(target: "angos::auth", peer = %caller.address, reason = %unclear, "request refused");
    })?;
    let key = CallerKey::new(address, caller.certificate.as_deref());
    let credential = credential(headers, credentials, key).await.map_err(|(username, error)| {
        let username = username.as_deref();
        let subject = caller.certificate.as_ref().map(|certificate| certificate.subject());
        tracing::debug!(
            target: "angos::auth", client_ip = %address, username, subject, reason = %error, "credential refused"
        );
        error
    })?;
    if let Some(credential) = &credential {
        let (id, username) = (&*credential.id, &*credential.username);
        tracing::debug!(target: "angos::auth", client_ip = %address, id, username, "credential accepted");
    }
    Ok(Identity::new(address, caller.certificate.clone(), credential))
}

/// The verified credential; on failure the presented user name too, for the log.
async fn credential(
    headers: &HeaderMap,
    credentials: &Credentials,
    caller: CallerKey,
) -> Result<Option<Arc<Credential>>, (Option<String>, AuthenticationError)> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err((None, AuthenticationError::DuplicateHeader));
    }
    let presented =
        BasicCredentials::parse(value.as_bytes()).map_err(|malformed| (None, malformed.into()))?;
    match credentials.verify(&presented, caller, Instant::now()).await {
        Ok(credential) => Ok(Some(credential)),
        Err(rejection) => Err((Some(presented.username().to_owned()), rejection.into())),
    }
}

#[cfg(test)]
mod tests;
