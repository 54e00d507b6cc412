//! Stage 4: method + path + query → [`Operation`] or [`RouteError`]. Pure; everything is parsed here, once.
//!
//! Every path of the registry ends in what is asked for and begins with the repository, whose name may itself contain
//! `blobs`, `tags` and so on, so paths are taken apart from the end. Nothing is normalised: a path that needs it (`//`,
//! `..`, an escaped slash) names nothing.

mod query;
#[cfg(test)]
mod tests;

use std::borrow::Cow;

use angos_access::{Operation, RequestMethod};
use angos_oci::{Digest, Name, Reference, ReferenceError, UploadId};
use hyper::Method;

use self::query::{Query, decode};

/// The method as policies see it.
pub(crate) fn request_method(method: &Method) -> Result<RequestMethod, RouteError> {
    let allow = "GET, HEAD, PUT, POST, PATCH, DELETE";
    method.as_str().parse().map_err(|_| RouteError::MethodNotAllowed { allow })
}

/// Why a request names no operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RouteError {
    /// No such path.
    NotFound,
    /// The path is known, but not with this method; `allow` is the value of the `Allow` header.
    MethodNotAllowed {
        allow: &'static str,
    },
    NameInvalid,
    /// Neither a tag nor meant as a digest.
    ReferenceInvalid,
    DigestInvalid,
    /// Not an upload id this registry gives out.
    UploadUnknown,
    /// A parameter is malformed, given twice, or does not go with the rest.
    QueryInvalid,
    /// More `tag` parameters than [`PUSH_TAGS_MAX`](angos_oci::limits::PUSH_TAGS_MAX).
    TooManyTags,
}

/// Reads what a request asks for. A `HEAD` asks for what the `GET` would; the body is left away later.
pub(crate) fn route(method: &Method, path: &str, query: Option<&str>) -> Result<Operation, RouteError> {
    let path = decode(path).filter(|decoded| decoded.matches('/').count() == path.matches('/').count());
    let path = path.ok_or(RouteError::NotFound)?;
    let target = Target::of(&path)?;
    let query = Query::parse(query.unwrap_or_default())?;
    target.operation(Verb::of(method), &query)
}

/// The path as a log may show it: the code that proves an upload session is the client's own is taken out.
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

/// The methods that mean something here.
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

/// What a path points at; the texts are not checked yet.
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
            // Which of several tags a policy was asked about must not depend on where they stand in the request.
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
