//! Second step of reading a manifest: the fields and their types, still without their meaning.

use std::collections::BTreeMap;

use serde::de::IgnoredAny;
use serde::{Deserialize, Deserializer};
use serde_json::error::Category;

use super::ManifestError;
use crate::descriptor::{Descriptor, absent_when_empty};
use crate::excerpt::Excerpt;
use crate::media_type::MediaType;

/// The fields of both kinds of manifest.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Document {
    pub(super) schema_version: u64,
    #[serde(default, deserialize_with = "absent_when_empty")]
    pub(super) media_type: Option<MediaType>,
    #[serde(default, deserialize_with = "absent_when_empty")]
    pub(super) artifact_type: Option<MediaType>,
    #[serde(default)]
    pub(super) config: Field<Descriptor>,
    #[serde(default)]
    pub(super) layers: Field<Vec<Descriptor>>,
    #[serde(default)]
    pub(super) manifests: Field<Vec<Descriptor>>,
    /// What a Docker schema 1 manifest has in place of `layers`.
    #[serde(default)]
    pub(super) fs_layers: Field<IgnoredAny>,
    pub(super) subject: Option<Descriptor>,
    pub(super) annotations: Option<BTreeMap<String, String>>,
}

/// A field whose mere presence says something, even as `null`.
#[derive(Default)]
pub(super) enum Field<T> {
    #[default]
    Absent,
    Null,
    Value(T),
}

impl<T> Field<T> {
    pub(super) fn is_present(&self) -> bool {
        !matches!(self, Self::Absent)
    }

    pub(super) fn value(self) -> Option<T> {
        match self {
            Self::Absent | Self::Null => None,
            Self::Value(value) => Some(value),
        }
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Field<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Option::deserialize(deserializer)?.map_or(Self::Null, Self::Value))
    }
}

impl Document {
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, ManifestError> {
        serde_json::from_slice(bytes).map_err(|error| explain(&error))
    }
}

/// Turns the JSON reader's error into ours, with at most an excerpt of what it quotes.
pub(super) fn explain(error: &serde_json::Error) -> ManifestError {
    let (line, column) = (error.line(), error.column());
    match error.classify() {
        Category::Data => {
            let text = error.to_string();
            let problem = text.rsplit_once(" at line ").map_or(text.as_str(), |(problem, _)| problem);
            ManifestError::Field { problem: Excerpt::of(problem), line, column }
        }
        Category::Syntax | Category::Eof | Category::Io => ManifestError::Syntax { line, column },
    }
}
