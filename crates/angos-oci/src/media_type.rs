//! Media types, by which a manifest says what it is.

use std::str::FromStr;
use std::sync::Arc;

use crate::limits::MEDIA_TYPE_PART_MAX_BYTES;
use crate::text::text_type;

/// A media type: `type/subtype`, both as RFC 6838 allows them, without parameters.
///
/// Kept and compared as written, because it is part of bytes that have a digest. Cloning is cheap.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MediaType(Arc<str>);

text_type!(MediaType, MediaTypeError);

/// Why a text is not a [`MediaType`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MediaTypeError {
    /// Not exactly two parts around one slash.
    #[error("a media type is written type/subtype")]
    Parts,
    /// A part is empty or longer than [`MEDIA_TYPE_PART_MAX_BYTES`].
    #[error("the parts of a media type have between one and {MEDIA_TYPE_PART_MAX_BYTES} bytes")]
    Length,
    /// A part has a character RFC 6838 does not allow, or begins with one that is neither letter nor digit.
    #[error("a media type has a character that is not allowed")]
    Character,
}

impl MediaType {
    /// An OCI image manifest, also used for artifacts.
    pub const OCI_MANIFEST: &'static str = "application/vnd.oci.image.manifest.v1+json";
    /// An OCI image index.
    pub const OCI_INDEX: &'static str = "application/vnd.oci.image.index.v1+json";
    /// A Docker schema 2 image manifest.
    pub const DOCKER_MANIFEST: &'static str = "application/vnd.docker.distribution.manifest.v2+json";
    /// A Docker schema 2 manifest list.
    pub const DOCKER_LIST: &'static str = "application/vnd.docker.distribution.manifest.list.v2+json";
    /// The configuration of an OCI image.
    pub const OCI_CONFIG: &'static str = "application/vnd.oci.image.config.v1+json";
    /// The empty JSON object that stands where a manifest has nothing to say.
    pub const EMPTY: &'static str = "application/vnd.oci.empty.v1+json";

    /// From the value of a `Content-Type` header; its parameters are dropped.
    pub fn from_content_type(value: &str) -> Result<Self, MediaTypeError> {
        let (essence, _) = value.split_once(';').unwrap_or((value, ""));
        essence.trim_matches([' ', '\t']).parse()
    }

    /// One of the constants above.
    pub(crate) fn known(constant: &'static str) -> Self {
        Self(constant.into())
    }
}

impl FromStr for MediaType {
    type Err = MediaTypeError;

    fn from_str(text: &str) -> Result<Self, MediaTypeError> {
        let (main, sub) = text.split_once('/').ok_or(MediaTypeError::Parts)?;
        if sub.contains('/') {
            return Err(MediaTypeError::Parts);
        }
        check_part(main)?;
        check_part(sub)?;
        Ok(Self(text.into()))
    }
}

fn check_part(part: &str) -> Result<(), MediaTypeError> {
    let Some(first) = part.bytes().next() else {
        return Err(MediaTypeError::Length);
    };
    if part.len() > MEDIA_TYPE_PART_MAX_BYTES {
        return Err(MediaTypeError::Length);
    }
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&byte);
    if first.is_ascii_alphanumeric() && part.bytes().all(is_allowed) {
        Ok(())
    } else {
        Err(MediaTypeError::Character)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn accepts_rfc_6838_and_nothing_else() {
        let check = |text: &str, expected: Result<(), MediaTypeError>| {
            assert_eq!(
                text.parse::<MediaType>().map(|media_type| assert_eq!(media_type, text)),
                expected,
                "{text:?}"
            );
        };
        for text in [
            MediaType::OCI_MANIFEST,
            MediaType::OCI_INDEX,
            MediaType::DOCKER_MANIFEST,
            MediaType::DOCKER_LIST,
            MediaType::OCI_CONFIG,
            MediaType::EMPTY,
            "a/b",
            "Text/X-0",
            "application/x!#$&-^_.+",
        ] {
            check(text, Ok(()));
        }
        for text in ["", "application", "a/b/c", "//", "a/b,c/d"] {
            check(text, Err(MediaTypeError::Parts));
        }
        for text in ["/b", "a/", "/"] {
            check(text, Err(MediaTypeError::Length));
        }
        for text in ["a/ b", "a /b", "a/b;c", "+a/b", "a/.b", "a/b\n", "é/b", "a/*", "*/*"] {
            check(text, Err(MediaTypeError::Character));
        }
        check(&format!("a/{}", "b".repeat(127)), Ok(()));
        check(&format!("a/{}", "b".repeat(128)), Err(MediaTypeError::Length));
    }

    #[test]
    fn a_content_type_loses_its_parameters() {
        let check = |value: &str, expected: Option<&str>| {
            assert_eq!(MediaType::from_content_type(value).ok().as_deref(), expected, "{value:?}");
        };
        check("a/b", Some("a/b"));
        check(" a/b ; charset=utf-8", Some("a/b"));
        check("a/b;x=\"y;z\"", Some("a/b"));
        check(";a/b", None);
        check("", None);
        check("a/b, c/d", None);
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(text in "[a-zA-Z0-9][a-zA-Z0-9!#$&^_.+-]{0,126}/[a-zA-Z0-9][a-zA-Z0-9!#$&^_.+-]{0,126}") {
            let value: MediaType = text.parse().unwrap();
            prop_assert_eq!(value.as_str(), &text);
            let json = serde_json::to_string(&value).unwrap();
            prop_assert_eq!(serde_json::from_str::<MediaType>(&json).unwrap(), value);
        }

        #[test]
        fn anything_may_be_tried(text in ".*") {
            if let Ok(value) = text.parse::<MediaType>() {
                prop_assert!(value.as_str() == text && text.is_ascii() && !text.is_empty());
            }
        }
    }
}
