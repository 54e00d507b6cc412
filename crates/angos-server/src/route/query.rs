//! The parameters of a request, taken apart in one pass.
//!
//! A parameter the registry does not know, `ns` among them, is left alone. One it knows may be given once, except `tag`
//! and `artifactType`. What it says is looked at only by the operation that asks for it.

use std::borrow::Cow;

use angos_oci::limits::PUSH_TAGS_MAX;
use angos_oci::{Algorithm, Digest, Name, Tag};

use super::{RouteError, decode, parse_digest, parse_name};
use crate::limits::ARTIFACT_TYPES_MAX;

/// The decoded values of the known parameters.
#[derive(Default)]
pub(super) struct Query<'a> {
    n: Option<Cow<'a, str>>,
    last: Option<Cow<'a, str>>,
    digest: Option<Cow<'a, str>>,
    mount: Option<Cow<'a, str>>,
    from: Option<Cow<'a, str>>,
    digest_algorithm: Option<Cow<'a, str>>,
    tags: Vec<Cow<'a, str>>,
    artifact_types: Vec<Cow<'a, str>>,
}

impl<'a> Query<'a> {
    pub(super) fn parse(text: &'a str) -> Result<Self, RouteError> {
        let mut query = Self::default();
        for pair in text.split('&') {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            let (Some(key), Some(value)) = (decode(key), decode(value)) else {
                return Err(RouteError::QueryInvalid);
            };
            let once = match &*key {
                "tag" => {
                    query.tags.push(value);
                    continue;
                }
                "artifactType" => {
                    query.artifact_types.push(value);
                    continue;
                }
                "n" => &mut query.n,
                "last" => &mut query.last,
                "digest" => &mut query.digest,
                "mount" => &mut query.mount,
                "from" => &mut query.from,
                "digest-algorithm" => &mut query.digest_algorithm,
                _ => continue,
            };
            if once.replace(value).is_some() {
                return Err(RouteError::QueryInvalid);
            }
        }
        Ok(query)
    }

    /// The page size; a number too large to count is as good as the largest one.
    pub(super) fn n(&self) -> Result<Option<usize>, RouteError> {
        let Some(digits) = &self.n else {
            return Ok(None);
        };
        if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(RouteError::QueryInvalid);
        }
        Ok(Some(digits.parse().unwrap_or(usize::MAX)))
    }

    /// Where the last page ended; an empty one is none.
    pub(super) fn last(&self) -> Option<String> {
        self.last.as_deref().filter(|last| !last.is_empty()).map(str::to_owned)
    }

    pub(super) fn digest(&self) -> Result<Option<Digest>, RouteError> {
        self.digest.as_deref().map(parse_digest).transpose()
    }

    pub(super) fn mount(&self) -> Result<Option<Digest>, RouteError> {
        self.mount.as_deref().map(parse_digest).transpose()
    }

    /// The repository to mount from; an empty one is none.
    pub(super) fn from(&self) -> Result<Option<Name>, RouteError> {
        self.from.as_deref().filter(|from| !from.is_empty()).map(parse_name).transpose()
    }

    pub(super) fn algorithm(&self) -> Result<Option<Algorithm>, RouteError> {
        let algorithm = self.digest_algorithm.as_deref().map(str::parse).transpose();
        algorithm.map_err(|_| RouteError::DigestInvalid)
    }

    pub(super) fn tags(&self) -> Result<Vec<Tag>, RouteError> {
        if self.tags.len() > PUSH_TAGS_MAX {
            return Err(RouteError::TooManyTags);
        }
        self.tags.iter().map(|tag| tag.parse().map_err(|_| RouteError::ReferenceInvalid)).collect()
    }

    /// The artifact types to list; empty ones ask for nothing.
    pub(super) fn artifact_types(&self) -> Result<Vec<String>, RouteError> {
        if self.artifact_types.len() > ARTIFACT_TYPES_MAX {
            return Err(RouteError::QueryInvalid);
        }
        let wanted = self.artifact_types.iter().filter(|wanted| !wanted.is_empty());
        Ok(wanted.map(|wanted| wanted.clone().into_owned()).collect())
    }
}
