//! Whatever parses as a digest, name, tag, reference or media type prints as it was written and parses again to the same.
#![no_main]

use std::fmt::{Debug, Display};
use std::str::FromStr;

use angos_oci::{Digest, MediaType, Name, Reference, Tag, limits};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    round_trip::<Reference>(text);
    if let Some(digest) = round_trip::<Digest>(text) {
        assert_eq!(Digest::from_bytes(digest.algorithm(), digest.bytes()), Some(digest));
        assert!(text.parse::<Tag>().is_err(), "no text is both a tag and a digest");
    }
    if let Some(name) = round_trip::<Name>(text) {
        assert!(name.len() <= limits::NAME_MAX_BYTES && name.is_within(&name));
        for component in name.split('/') {
            assert!(
                !component.is_empty()
                    && component.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'%')
            );
            assert!(!component.starts_with('.') && !component.ends_with('.'));
        }
    }
    if let Some(tag) = round_trip::<Tag>(text) {
        assert!(tag.len() <= limits::TAG_MAX_BYTES && !tag.contains(['/', ':', '%']));
    }
    if let Some(media_type) = round_trip::<MediaType>(text) {
        assert_eq!(MediaType::from_content_type(text), Ok(media_type));
    }
    if let Ok(media_type) = MediaType::from_content_type(text) {
        assert!(text.contains(media_type.as_str()) && !media_type.contains([' ', ';', ',']));
    }
});

fn round_trip<T>(text: &str) -> Option<T>
where
    T: FromStr<Err: Debug + Display> + Display + Debug + PartialEq,
{
    match text.parse::<T>() {
        Ok(value) => {
            assert_eq!(value.to_string(), text);
            Some(value)
        }
        Err(error) => {
            assert!(error.to_string().chars().count() < 250);
            None
        }
    }
}
