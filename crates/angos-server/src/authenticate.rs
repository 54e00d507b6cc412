//! Stage 5: peer and headers → [`Identity`]. A credential that is sent must be valid, even beside a client certificate.
//! Without one the caller is identified by its certificate, or anonymous.
//!
//! The reason of a refusal is logged at debug level under `angos::auth`, and never sent to the client.

mod forwarded;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use angos_auth::{BasicCredentials, Credentials, MalformedCredentials, Rejection};
use angos_identity::{CallerKey, Certificate, Credential, Identity};
use hyper::header::{AUTHORIZATION, HeaderName};
use hyper::{HeaderMap, Method};
use ipnet::IpNet;

/// The other end of a connection.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Peer<'a> {
    /// Its canonical address.
    pub(crate) address: IpAddr,
    /// Its certificate, whose key it proved to hold.
    pub(crate) certificate: Option<&'a Arc<Certificate>>,
}

use forwarded::ForwardedError;

/// The site that made a browser send the request, by the Fetch Metadata of the W3C. No page can set it.
const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Why the caller cannot be identified. The request is refused, whatever the policies say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum AuthenticationError {
    /// The header is not a credential of a supported scheme.
    #[error("{0}")]
    Malformed(#[from] MalformedCredentials),
    /// There are several `Authorization` headers, and other readers could use another one of them.
    #[error("the request has several Authorization headers")]
    DuplicateHeader,
    /// The credential is wrong. The client must not learn in which way.
    #[error("{0}")]
    Wrong(Rejection),
    /// Too many credentials are being checked; trying later may help.
    #[error("too many credentials are being checked")]
    Busy,
    /// The credential was valid when the request began, and is no longer configured.
    #[error("the credential is no longer accepted")]
    Withdrawn,
    /// The check failed by a defect of this program.
    #[error("the credential could not be checked")]
    Failed,
    /// A trusted proxy does not name its client clearly.
    #[error("{0}")]
    Forwarded(#[from] ForwardedError),
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

/// Whether a page of another site made a browser send a request that changes the registry. The browser adds the certificate
/// or password of its user, who has not asked for the request. Other clients do not send the header.
pub(crate) fn is_cross_site(method: &Method, headers: &HeaderMap) -> bool {
    let mut sites = headers.get_all(SEC_FETCH_SITE).iter();
    let is_cross_site = sites.any(|site| site != "same-origin" && site != "none") && !method.is_safe();
    if is_cross_site {
        tracing::debug!(target: "angos::auth", %method, "request refused: a page of another site made the browser send it");
    }
    is_cross_site
}

/// The client of a request that a trusted proxy forwards; `None` if the proxy does not name it clearly.
pub(crate) fn forwarded_caller(
    peer: Peer<'_>,
    headers: &HeaderMap,
    trusted_proxies: &[IpNet],
) -> Option<CallerKey> {
    forwarded::client_address(peer.address, headers, trusted_proxies).ok().map(CallerKey::network)
}

/// Identifies the caller: by the certificate of the connection, the credential of the request if there is one, and the
/// address of the peer, or of the client it forwards for if it is among `trusted_proxies`. Cancel safe.
pub(crate) async fn authenticate(
    peer: Peer<'_>,
    headers: &HeaderMap,
    credentials: &Credentials,
    trusted_proxies: &[IpNet],
) -> Result<Identity, AuthenticationError> {
    let address = forwarded::client_address(peer.address, headers, trusted_proxies).inspect_err(|error| {
        tracing::debug!(target: "angos::auth", peer = %peer.address, reason = %error, "request refused");
    })?;
    let key = CallerKey::new(address, peer.certificate.map(AsRef::as_ref));
    let credential = credential(headers, credentials, key).await.map_err(|(username, error)| {
        let username = username.as_deref();
        let subject = peer.certificate.map(|certificate| certificate.subject());
        tracing::debug!(
            target: "angos::auth", client_ip = %address, username, subject, reason = %error, "credential refused"
        );
        error
    })?;
    if let Some(credential) = &credential {
        let (id, username) = (&*credential.id, &*credential.username);
        tracing::debug!(target: "angos::auth", client_ip = %address, id, username, "credential accepted");
    }
    Ok(Identity::new(address, peer.certificate.cloned(), credential))
}

/// The verified credential. The error has the user name that was sent, for the log.
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
