//! First step of reading a manifest: one JSON document, of bounded shape, that every reader reads alike.
//!
//! Readers differ in two ways that matter. Of two equal keys some take the first and some the last; and Go's, which most
//! clients use, takes a key for another that differs from it only in case. A body that makes use of either is refused.

use std::collections::HashSet;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use super::ManifestError;
use super::document::explain;
use crate::excerpt::Excerpt;
use crate::limits::{DESCRIPTORS_MAX, JSON_DEPTH_MAX, JSON_MEMBERS_MAX, JSON_VALUES_MAX};

/// Walks the whole document without keeping any of it.
pub(super) fn check(bytes: &[u8]) -> Result<(), ManifestError> {
    let mut count = Count { values_left: JSON_VALUES_MAX, refusal: None };
    let mut json = serde_json::Deserializer::from_slice(bytes);
    let walked = Walk { place: Place::Manifest, depth: 0, count: &mut count }.deserialize(&mut json);
    let walked = walked.and_then(|()| json.end());
    match (count.refusal, walked) {
        (Some(refusal), _) => Err(refusal),
        (None, Err(error)) => Err(explain(&error)),
        (None, Ok(())) => Ok(()),
    }
}

/// What is known of the whole walk.
struct Count {
    values_left: usize,
    /// Why the walk was stopped, when it was not the JSON itself.
    refusal: Option<ManifestError>,
}

/// What the specification says lies here; it decides which keys have a meaning.
#[derive(Clone, Copy, PartialEq)]
enum Place {
    Manifest,
    Descriptor,
    Other,
}

const MANIFEST_KEYS: [&str; 9] = [
    "schemaVersion",
    "mediaType",
    "artifactType",
    "config",
    "layers",
    "manifests",
    "subject",
    "annotations",
    "fsLayers",
];

const DESCRIPTOR_KEYS: [&str; 8] =
    ["mediaType", "digest", "size", "urls", "annotations", "data", "platform", "artifactType"];

impl Place {
    fn keys(self) -> &'static [&'static str] {
        match self {
            Self::Manifest => &MANIFEST_KEYS,
            Self::Descriptor => &DESCRIPTOR_KEYS,
            Self::Other => &[],
        }
    }

    /// The place of the value of `key`.
    fn below(self, key: &str) -> Self {
        match (self, key) {
            (Self::Manifest, "config" | "layers" | "manifests" | "subject") => Self::Descriptor,
            _ => Self::Other,
        }
    }
}

/// One value to walk over.
struct Walk<'a> {
    place: Place,
    depth: usize,
    count: &'a mut Count,
}

impl Walk<'_> {
    fn refuse<E: Error>(&mut self, refusal: ManifestError) -> E {
        self.count.refusal = Some(refusal);
        E::custom("refused")
    }

    fn child(&mut self, place: Place) -> Walk<'_> {
        Walk { place, depth: self.depth + 1, count: self.count }
    }

    fn enter<E: Error>(&mut self) -> Result<(), E> {
        if self.depth >= JSON_DEPTH_MAX { Err(self.refuse(ManifestError::TooDeep)) } else { Ok(()) }
    }
}

impl<'de> DeserializeSeed<'de> for Walk<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(mut self, deserializer: D) -> Result<(), D::Error> {
        match self.count.values_left.checked_sub(1) {
            Some(left) => self.count.values_left = left,
            None => return Err(self.refuse(ManifestError::TooManyValues)),
        }
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Walk<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut list: A) -> Result<(), A::Error> {
        self.enter()?;
        let mut entries = 0;
        while list.next_element_seed(self.child(self.place))?.is_some() {
            entries += 1;
            if self.place == Place::Descriptor && entries > DESCRIPTORS_MAX {
                return Err(self.refuse(ManifestError::TooManyDescriptors));
            }
        }
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut object: A) -> Result<(), A::Error> {
        self.enter()?;
        let mut seen: HashSet<String> = HashSet::new();
        while let Some(key) = object.next_key::<String>()? {
            if seen.len() == JSON_MEMBERS_MAX {
                return Err(self.refuse(ManifestError::TooManyMembers));
            }
            if is_ambiguous(&key, self.place.keys()) {
                return Err(self.refuse(ManifestError::AmbiguousKey(Excerpt::of(&key))));
            }
            let below = self.place.below(&key);
            if let Some(duplicate) = seen.replace(key) {
                return Err(self.refuse(ManifestError::DuplicateKey(Excerpt::of(&duplicate))));
            }
            object.next_value_seed(self.child(below))?;
        }
        Ok(())
    }
}

/// Whether `key` is not one of `known`, but would be if case did not matter.
fn is_ambiguous(key: &str, known: &[&str]) -> bool {
    !known.contains(&key) && known.iter().any(|known| key.chars().map(fold).eq(known.chars().map(fold)))
}

/// Simple case folding as far as it leads into ASCII: two letters outside it fold to `k` and `s`.
fn fold(character: char) -> char {
    match character {
        '\u{212a}' => 'k',
        '\u{17f}' => 's',
        other => other.to_ascii_lowercase(),
    }
}
