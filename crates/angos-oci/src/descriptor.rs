//! Descriptors: how one piece of content refers to another.

use std::collections::BTreeMap;

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize};

use crate::digest::Digest;
use crate::limits::SIZE_MAX;
use crate::media_type::MediaType;

/// A reference to content: what it is, its digest, its size.
///
/// `size` read from JSON is at most [`SIZE_MAX`]. Other fields (`urls`, `platform`, `data`, unknown ones) are not kept:
/// they stay in the bytes of the manifest. Written without the fields that are absent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Descriptor {
    /// What the content is.
    pub media_type: MediaType,
    /// Its digest.
    pub digest: Digest,
    /// Its size, in bytes.
    #[serde(deserialize_with = "size")]
    pub size: u64,
    /// The kind of artifact, when the content is a manifest of one.
    #[serde(default, deserialize_with = "absent_when_empty", skip_serializing_if = "Option::is_none")]
    pub artifact_type: Option<MediaType>,
    /// Free text beside it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub annotations: Option<BTreeMap<String, String>>,
}

impl Descriptor {
    /// A descriptor of the three fields that every one has.
    pub const fn new(media_type: MediaType, digest: Digest, size: u64) -> Self {
        Self { media_type, digest, size, artifact_type: None, annotations: None }
    }
}

fn size<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    let size = u64::deserialize(deserializer)?;
    if size > SIZE_MAX {
        return Err(D::Error::custom("a size has at most 63 bits"));
    }
    Ok(size)
}

/// Several clients write `""` where they mean nothing.
pub(crate) fn absent_when_empty<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<MediaType>, D::Error> {
    match Option::<String>::deserialize(deserializer)? {
        Some(text) if !text.is_empty() => text.parse().map(Some).map_err(D::Error::custom),
        _ => Ok(None),
    }
}
