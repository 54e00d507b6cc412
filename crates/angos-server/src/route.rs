//! Stage 4: method, path and query → [`Operation`] or [`RouteError`]. Pure; everything is parsed here, once.
//!
//! A path of the registry begins with the repository, whose name may itself contain `blobs`, `tags` and so on, so paths
//! are parsed from the end. Nothing is normalised: a path that would need it (`//`, `..`, an escaped slash) is not found.

mod query;
#[cfg(test)]
mod tests;

use std::borrow::Cow;

use angos_access::{Operation, RequestMethod};
use angos_oci::{Digest, Name, Reference, ReferenceError, UploadId};
use hyper::Method;

use self::query::Query;
use crate::settings::Surfaces;

/// The method as policies see it.
pub(crate) fn request_method(method: &Method) -> Result<RequestMethod, RouteError> {
    let allow = "GET, HEAD, PUT, POST, PATCH, DELETE";
    method.as_str().parse().map_err(|_| RouteError::MethodNotAllowed { allow })
}

/// Why a request has no operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RouteError {
    /// No such path.
    NotFound,
    /// The path is known, but not with this method; `allow` is the value of the `Allow` header.
    MethodNotAllowed {
        allow: &'static str,
    },
    NameInvalid,
    /// The reference is neither a tag nor written like a digest.
    ReferenceInvalid,
    DigestInvalid,
    /// The id is not one that this registry issues.
    UploadUnknown,
    /// A parameter is malformed, repeated, or contradicts another one.
    QueryInvalid,
    /// More `tag` parameters than [`PUSH_TAGS_MAX`](angos_oci::limits::PUSH_TAGS_MAX).
    TooManyTags,
}

/// The part of the server that a request belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Surface {
    /// The registry and its probes, under the policies.
    Registry,
    /// Health and metrics without policy, for probes and scrapers that have neither certificate nor credential.
    Management,
}

/// Where a request leads.
#[derive(Debug)]
pub(crate) struct Route {
    pub(crate) surface: Surface,
    pub(crate) operation: Result<Operation, RouteError>,
}

/// Routes a request on a listener that serves these surfaces. Everything that a listener does not serve is not found.
pub(crate) fn route(surfaces: Surfaces, method: &Method, path: &str, query: Option<&str>) -> Route {
    let is_probe = matches!(path, "/healthz" | "/readyz" | "/metrics");
    if surfaces.registry && !(surfaces.management && is_probe) {
        return Route { surface: Surface::Registry, operation: registry_operation(method, path, query) };
    }
    let target = if surfaces.management && is_probe { Target::of(path) } else { Err(RouteError::NotFound) };
    let operation = target.and_then(|target| target.operation(Verb::of(method), &Query::default()));
    Route { surface: Surface::Management, operation }
}

/// The operation of a request to the registry. A `HEAD` has the operation of the `GET`; its body is left out later.
pub(crate) fn registry_operation(
    method: &Method,
    path: &str,
    query: Option<&str>,
) -> Result<Operation, RouteError> {
    let path = decode(path).filter(|decoded| decoded.matches('/').count() == path.matches('/').count());
    let path = path.ok_or(RouteError::NotFound)?;
    let target = Target::of(&path)?;
    let query = query.map_or_else(|| Ok(Query::default()), Query::parse)?;
    target.operation(Verb::of(method), &query)
}

/// The path for a log line, without the secret code in the id of an upload session.
pub(crate) fn without_secrets(path: &str) -> Cow<'_, str> {
    let decoded = decode(path).unwrap_or(Cow::Borrowed(path));
    let mut is_secret = false;
    let mut shown = |segment: &str| match segment.parse::<UploadId>() {
        Ok(id) => {
            is_secret = true;
            id.without_code().to_string()
        }
        Err(_) => segment.to_owned(),
    };
    let segments: Vec<String> = decoded.split('/').map(&mut shown).collect();
    if is_secret { Cow::Owned(segments.join("/")) } else { Cow::Borrowed(path) }
}

/// The methods that operations have.
#[derive(Clone, Copy)]
enum Verb {
    Get,
    Put,
    Post,
    Patch,
    Delete,
    Other,
}

impl Verb {
    fn of(method: &Method) -> Self {
        match *method {
            Method::GET | Method::HEAD => Self::Get,
            Method::PUT => Self::Put,
            Method::POST => Self::Post,
            Method::PATCH => Self::Patch,
            Method::DELETE => Self::Delete,
            _ => Self::Other,
        }
    }
}

/// The resource of a path. Names and references are not checked yet.
enum Target<'a> {
    Version,
    Healthz,
    Readyz,
    Metrics,
    Catalog,
    Tags { name: &'a str },
    Manifest { name: &'a str, reference: &'a str },
    Blob { name: &'a str, digest: &'a str },
    Uploads { name: &'a str },
    Upload { name: &'a str, id: &'a str },
    Referrers { name: &'a str, digest: &'a str },
}

impl<'a> Target<'a> {
    fn of(path: &'a str) -> Result<Self, RouteError> {
        let rest = match path {
            "/v2" | "/v2/" => return Ok(Self::Version),
            "/v2/_catalog" => return Ok(Self::Catalog),
            "/healthz" => return Ok(Self::Healthz),
            "/readyz" => return Ok(Self::Readyz),
            "/metrics" => return Ok(Self::Metrics),
            path => path.strip_prefix("/v2/").ok_or(RouteError::NotFound)?,
        };
        if let Some(name) = rest.strip_suffix("/tags/list") {
            return Ok(Self::Tags { name });
        }
        if let Some(name) =
            rest.strip_suffix("/blobs/uploads/").or_else(|| rest.strip_suffix("/blobs/uploads"))
        {
            return Ok(Self::Uploads { name });
        }
        let (parent, last) = rest.rsplit_once('/').ok_or(RouteError::NotFound)?;
        if let Some(name) = parent.strip_suffix("/manifests") {
            Ok(Self::Manifest { name, reference: last })
        } else if let Some(name) = parent.strip_suffix("/blobs/uploads") {
            Ok(Self::Upload { name, id: last })
        } else if let Some(name) = parent.strip_suffix("/blobs") {
            Ok(Self::Blob { name, digest: last })
        } else if let Some(name) = parent.strip_suffix("/referrers") {
            Ok(Self::Referrers { name, digest: last })
        } else {
            Err(RouteError::NotFound)
        }
    }

    fn operation(self, verb: Verb, query: &Query<'_>) -> Result<Operation, RouteError> {
        let read_only = |operation: Operation| match verb {
            Verb::Get => Ok(operation),
            _ => Err(RouteError::MethodNotAllowed { allow: "GET, HEAD" }),
        };
        match self {
            Self::Version => read_only(Operation::Version),
            Self::Healthz => read_only(Operation::Healthz),
            Self::Readyz => read_only(Operation::Readyz),
            Self::Metrics => read_only(Operation::Metrics),
            Self::Catalog => read_only(Operation::ListCatalog { n: query.n()?, last: query.last() }),
            Self::Tags { name } => {
                read_only(Operation::ListTags { name: parse_name(name)?, n: query.n()?, last: query.last() })
            }
            Self::Referrers { name, digest } => read_only(Operation::GetReferrers {
                name: parse_name(name)?,
                digest: parse_digest(digest)?,
                artifact_types: query.artifact_types()?,
                after: query.last(),
                n: query.n()?,
            }),
            Self::Manifest { name, reference } => on_manifest(verb, name, reference, query),
            Self::Blob { name, digest } => on_blob(verb, name, digest),
            Self::Uploads { name } => on_uploads(verb, name, query),
            Self::Upload { name, id } => on_upload(verb, name, id, query),
        }
    }
}

fn on_manifest(verb: Verb, name: &str, reference: &str, query: &Query<'_>) -> Result<Operation, RouteError> {
    let (name, reference) = (parse_name(name)?, parse_reference(reference)?);
    match verb {
        Verb::Get => Ok(Operation::GetManifest { name, reference }),
        Verb::Put => {
            let tags = query.tags()?;
            // A policy must not decide about one of several tags because of its position in the request.
            if !tags.is_empty() && reference.tag().is_some() {
                return Err(RouteError::QueryInvalid);
            }
            Ok(Operation::PutManifest { name, reference, tags })
        }
        Verb::Delete => Ok(Operation::DeleteManifest { name, reference, tags: Vec::new() }),
        _ => Err(RouteError::MethodNotAllowed { allow: "GET, HEAD, PUT, DELETE" }),
    }
}

fn on_blob(verb: Verb, name: &str, digest: &str) -> Result<Operation, RouteError> {
    let (name, digest) = (parse_name(name)?, parse_digest(digest)?);
    match verb {
        Verb::Get => Ok(Operation::GetBlob { name, digest }),
        Verb::Delete => Ok(Operation::DeleteBlob { name, digest }),
        _ => Err(RouteError::MethodNotAllowed { allow: "GET, HEAD, DELETE" }),
    }
}

fn on_uploads(verb: Verb, name: &str, query: &Query<'_>) -> Result<Operation, RouteError> {
    let name = parse_name(name)?;
    let Verb::Post = verb else {
        return Err(RouteError::MethodNotAllowed { allow: "POST" });
    };
    match (query.digest()?, query.mount()?) {
        (Some(_), Some(_)) => Err(RouteError::QueryInvalid),
        (Some(digest), None) => Ok(Operation::PushBlob { name, digest }),
        (None, Some(digest)) => Ok(Operation::MountBlob { name, digest, from: query.from()? }),
        (None, None) => Ok(Operation::StartUpload { name, algorithm: query.algorithm()? }),
    }
}

fn on_upload(verb: Verb, name: &str, id: &str, query: &Query<'_>) -> Result<Operation, RouteError> {
    let name = parse_name(name)?;
    let id = id.parse().map_err(|_| RouteError::UploadUnknown)?;
    match verb {
        Verb::Get => Ok(Operation::GetUpload { name, id }),
        Verb::Patch => Ok(Operation::UpdateUpload { name, id }),
        Verb::Put => {
            let digest = query.digest()?.ok_or(RouteError::DigestInvalid)?;
            Ok(Operation::CompleteUpload { name, id, digest })
        }
        Verb::Delete => Ok(Operation::CancelUpload { name, id }),
        _ => Err(RouteError::MethodNotAllowed { allow: "GET, HEAD, PATCH, PUT, DELETE" }),
    }
}

fn parse_name(text: &str) -> Result<Name, RouteError> {
    text.parse().map_err(|_| RouteError::NameInvalid)
}

fn parse_digest(text: &str) -> Result<Digest, RouteError> {
    text.parse().map_err(|_| RouteError::DigestInvalid)
}

fn parse_reference(text: &str) -> Result<Reference, RouteError> {
    text.parse().map_err(|error| match error {
        ReferenceError::Digest(_) => RouteError::DigestInvalid,
        _ => RouteError::ReferenceInvalid,
    })
}

/// Decodes percent escapes once. `None` if one is malformed, or if the result is not UTF-8 or has control characters.
///
/// A plus stays a plus, as in RFC 3986: no value has a space, and media types end in `+json`.
fn decode(text: &str) -> Option<Cow<'_, str>> {
    if text.contains(char::is_control) {
        return None;
    }
    let Some((plain, _)) = text.split_once('%') else {
        return Some(Cow::Borrowed(text));
    };
    let mut decoded = plain.as_bytes().to_vec();
    let mut rest = text.get(plain.len()..)?.bytes();
    while let Some(byte) = rest.next() {
        decoded.push(if byte == b'%' { hex(rest.next()?)? << 4 | hex(rest.next()?)? } else { byte });
    }
    String::from_utf8(decoded).ok().filter(|decoded| !decoded.contains(char::is_control)).map(Cow::Owned)
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| value.try_into().ok())
}
