//! Why a request was refused, or failed. `respond/error.rs` makes the response of it.

use std::borrow::Cow;

use angos_oci::{Name, UploadId};
use angos_registry::Error as RegistryError;

use crate::authenticate::AuthenticationError;
use crate::route::RouteError;

/// Why a request was refused, or failed.
#[derive(Debug)]
pub(crate) enum RequestError {
    /// Its head is ambiguous.
    HeadInvalid,
    /// It has no operation.
    Route(RouteError),
    /// The caller cannot be identified. `challenge`: the response asks for another credential.
    Authentication { error: AuthenticationError, challenge: bool },
    /// The certificate of the connection is no longer accepted.
    Untrusted,
    /// The policies, or the restriction of a CA, denied it. `challenge`: the response asks for a credential.
    Denied { challenge: bool },
    /// The caller has its share of the server, or the server is at its limit.
    Busy,
    /// No memory is left for its body.
    NoMemory,
    /// The `Content-Type` is not a media type.
    MediaTypeInvalid,
    /// The `Range` is malformed.
    RangeInvalid,
    /// The `Content-Range` is malformed.
    ContentRangeInvalid,
    /// A chunk does not continue its upload.
    UploadRange { name: Name, id: UploadId, offset: u64 },
    /// The registry refused, or failed.
    Registry(RegistryError),
    /// The server should get no requests now. The reason is sent to the client, which is a probe.
    NotReady(Cow<'static, str>),
}

impl From<RegistryError> for RequestError {
    fn from(error: RegistryError) -> Self {
        Self::Registry(error)
    }
}

impl From<RouteError> for RequestError {
    fn from(error: RouteError) -> Self {
        Self::Route(error)
    }
}
