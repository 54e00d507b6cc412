//! Manifests: the documents a registry is pushed, summarised.
//!
//! A body goes through `manifest/guard.rs` (is it one unambiguous JSON document of bounded shape), then
//! `manifest/document.rs` (do the fields have their types), then [`Manifest::parse`] (is it one kind of manifest).

mod document;
mod guard;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use self::document::{Document, Field};
use crate::descriptor::Descriptor;
use crate::excerpt::Excerpt;
use crate::limits::{DESCRIPTORS_MAX, JSON_DEPTH_MAX, JSON_MEMBERS_MAX, JSON_VALUES_MAX, SIZE_MAX};
use crate::media_type::MediaType;

/// The two kinds of manifest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ManifestKind {
    /// One image or artifact: a configuration and layers.
    Image,
    /// A list of manifests.
    Index,
}

/// What a pushed manifest says, read once from untrusted bytes. The bytes stay the truth and are stored unchanged.
///
/// Exactly one reading is possible: no key occurs twice or in two spellings that some JSON readers take for the same,
/// nothing is both an image and an index, and the media type is the one the client sent beside it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manifest {
    kind: ManifestKind,
    media_type: MediaType,
    artifact_type: Option<MediaType>,
    config: Option<Descriptor>,
    layers: Vec<Descriptor>,
    manifests: Vec<Descriptor>,
    subject: Option<Descriptor>,
    annotations: BTreeMap<String, String>,
}

/// Why bytes are not a [`Manifest`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ManifestError {
    /// Not JSON, or something after it.
    #[error("the manifest is not valid JSON at line {line} column {column}")]
    Syntax {
        /// Line, from 1.
        line: usize,
        /// Column in bytes, from 1; 0 at the start of a line.
        column: usize,
    },
    /// A field is missing or not of its type.
    #[error("{problem} at line {line} column {column} of the manifest")]
    Field {
        /// What is wrong.
        problem: Excerpt,
        /// Line, from 1.
        line: usize,
        /// Column in bytes, from 1.
        column: usize,
    },
    /// More than [`JSON_DEPTH_MAX`] levels.
    #[error("the manifest nests deeper than {JSON_DEPTH_MAX} levels")]
    TooDeep,
    /// More than [`JSON_VALUES_MAX`] values.
    #[error("the manifest has more than {JSON_VALUES_MAX} JSON values")]
    TooManyValues,
    /// More than [`JSON_MEMBERS_MAX`] members in one object.
    #[error("an object of the manifest has more than {JSON_MEMBERS_MAX} members")]
    TooManyMembers,
    /// More than [`DESCRIPTORS_MAX`] entries in one list.
    #[error("a list of the manifest has more than {DESCRIPTORS_MAX} descriptors")]
    TooManyDescriptors,
    /// A key occurs twice in one object.
    #[error("the key \"{0}\" occurs twice in one object of the manifest")]
    DuplicateKey(Excerpt),
    /// A key differs only in case from one with a meaning, so that readers disagree about it.
    #[error("the key \"{0}\" differs only in case from a key of the specification")]
    AmbiguousKey(Excerpt),
    /// `schemaVersion` is not 2.
    #[error("the schemaVersion of a manifest must be 2")]
    SchemaVersion,
    /// `Content-Type` and `mediaType` differ.
    #[error("the Content-Type \"{content_type}\" is not the mediaType \"{media_type}\" of the manifest")]
    MediaTypeMismatch {
        /// What the header said.
        content_type: Excerpt,
        /// What the body says.
        media_type: Excerpt,
    },
    /// Fields of an image and of an index in one body, or those of the other kind than the media type says.
    #[error("the manifest has fields of both an image and an index, or of the wrong one")]
    Confused,
    /// Neither media type nor fields tell what it is.
    #[error("the manifest is neither an image nor an index")]
    Undecidable,
    /// A field every manifest of its kind has is not there.
    #[error("the manifest has no \"{0}\"")]
    Missing(&'static str),
    /// `artifactType` is absent although the configuration is the empty one.
    #[error("a manifest with the empty configuration must state an artifactType")]
    ArtifactTypeMissing,
    /// The sizes add up to more than [`SIZE_MAX`].
    #[error("the sizes in the manifest add up to more than {SIZE_MAX} bytes")]
    SizeOverflow,
}

impl Manifest {
    /// Reads a pushed body; `content_type` is what the request said beside it.
    ///
    /// Time and memory follow the length of `bytes` and the bounds in [`limits`](crate::limits); the length itself is the
    /// caller's to bound. Content that the manifest refers to is not looked at. Unknown fields and media types of content
    /// are fine; a missing media type is decided by the fields.
    pub fn parse(content_type: Option<&MediaType>, bytes: &[u8]) -> Result<Self, ManifestError> {
        guard::check(bytes)?;
        let document = Document::parse(bytes)?;
        if document.schema_version != 2 {
            return Err(ManifestError::SchemaVersion);
        }
        let declared = declared_type(content_type, document.media_type.as_ref())?;
        let kind = kind(declared, &document)?;
        let media_type = declared.cloned().unwrap_or_else(|| default_type(kind));
        let manifest = Self {
            kind,
            media_type,
            artifact_type: document.artifact_type,
            config: document.config.value(),
            layers: document.layers.value().unwrap_or_default(),
            manifests: document.manifests.value().unwrap_or_default(),
            subject: document.subject,
            annotations: document.annotations.unwrap_or_default(),
        };
        manifest.check_artifact_type()?;
        manifest.check_sizes()?;
        Ok(manifest)
    }

    /// Image or index.
    pub const fn kind(&self) -> ManifestKind {
        self.kind
    }

    /// The media type to store and serve it under.
    pub const fn media_type(&self) -> &MediaType {
        &self.media_type
    }

    /// The configuration; there is one exactly when this is an image.
    pub const fn config(&self) -> Option<&Descriptor> {
        self.config.as_ref()
    }

    /// The layers of an image, in order.
    pub fn layers(&self) -> &[Descriptor] {
        &self.layers
    }

    /// The entries of an index, in order.
    pub fn manifests(&self) -> &[Descriptor] {
        &self.manifests
    }

    /// The manifest that this one says something about.
    pub const fn subject(&self) -> Option<&Descriptor> {
        self.subject.as_ref()
    }

    /// The artifact type by which referrers are listed: the `artifactType`, else for an image the configuration's media type.
    pub fn artifact_type(&self) -> Option<MediaType> {
        self.artifact_type.clone().or_else(|| self.config.as_ref().map(|config| config.media_type.clone()))
    }

    /// Free text.
    pub const fn annotations(&self) -> &BTreeMap<String, String> {
        &self.annotations
    }

    fn check_artifact_type(&self) -> Result<(), ManifestError> {
        let has_empty_config =
            self.config.as_ref().is_some_and(|config| config.media_type == MediaType::EMPTY);
        if has_empty_config && self.artifact_type.is_none() {
            return Err(ManifestError::ArtifactTypeMissing);
        }
        Ok(())
    }

    fn check_sizes(&self) -> Result<(), ManifestError> {
        let mut all = self.config.iter().chain(&self.layers).chain(&self.manifests).map(|entry| entry.size);
        let sum = all.try_fold(0_u64, u64::checked_add);
        sum.filter(|sum| *sum <= SIZE_MAX).map(drop).ok_or(ManifestError::SizeOverflow)
    }
}

/// The one media type the client declared, in the header, in the body, or alike in both.
fn declared_type<'a>(
    header: Option<&'a MediaType>,
    body: Option<&'a MediaType>,
) -> Result<Option<&'a MediaType>, ManifestError> {
    match (header, body) {
        (Some(header), Some(body)) if header != body => Err(ManifestError::MediaTypeMismatch {
            content_type: Excerpt::of(header),
            media_type: Excerpt::of(body),
        }),
        (header, body) => Ok(header.or(body)),
    }
}

/// The one kind that the media type and the fields agree on.
fn kind(declared: Option<&MediaType>, document: &Document) -> Result<ManifestKind, ManifestError> {
    let has_image = document.config.is_present() || document.layers.is_present();
    let has_index = document.manifests.is_present();
    let kind = match declared.map(MediaType::as_str) {
        Some(MediaType::OCI_MANIFEST | MediaType::DOCKER_MANIFEST) => ManifestKind::Image,
        Some(MediaType::OCI_INDEX | MediaType::DOCKER_LIST) => ManifestKind::Index,
        _ if has_image => ManifestKind::Image,
        _ if has_index => ManifestKind::Index,
        _ => return Err(ManifestError::Undecidable),
    };
    match kind {
        ManifestKind::Image if has_index => Err(ManifestError::Confused),
        ManifestKind::Index if has_image => Err(ManifestError::Confused),
        _ if document.fs_layers.is_present() => Err(ManifestError::Confused),
        ManifestKind::Image if !matches!(document.config, Field::Value(_)) => {
            Err(ManifestError::Missing("config"))
        }
        ManifestKind::Image if !document.layers.is_present() => Err(ManifestError::Missing("layers")),
        ManifestKind::Index if !has_index => Err(ManifestError::Missing("manifests")),
        kind => Ok(kind),
    }
}

fn default_type(kind: ManifestKind) -> MediaType {
    MediaType::known(match kind {
        ManifestKind::Image => MediaType::OCI_MANIFEST,
        ManifestKind::Index => MediaType::OCI_INDEX,
    })
}
