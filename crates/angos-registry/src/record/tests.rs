//! What is written is read, and nothing else is.

use std::fmt::Debug;

use angos_oci::{Algorithm, Digest};
use proptest::prelude::*;

use super::*;

fn digest(algorithm: Algorithm) -> Digest {
    Digest::of(algorithm, b"x")
}

fn media_type(text: &str) -> MediaType {
    text.parse().unwrap()
}

fn check<R: Record + PartialEq + Debug>(record: &R) {
    let bytes = record.encode();
    assert_eq!(R::decode(bytes.clone()).as_ref(), Ok(record));
    // Another version is refused, and so is nothing at all.
    let mut other = bytes.to_vec();
    other[0] = 2;
    assert_eq!(R::decode(other.into()), Err(Malformed));
    assert_eq!(R::decode(Bytes::new()), Err(Malformed));
}

/// For records that end with what they say they end with.
fn check_exact<R: Record + PartialEq + Debug>(record: &R) {
    check(record);
    let bytes = record.encode();
    for length in 0..bytes.len() {
        assert_eq!(R::decode(bytes.slice(..length)), Err(Malformed), "cut to {length}");
    }
    let longer = [&bytes[..], &[0]].concat();
    assert_eq!(R::decode(longer.into()), Err(Malformed));
}

#[test]
fn what_is_written_is_read() {
    for algorithm in Algorithm::ALL {
        check_exact(&TagEntry {
            digest: digest(algorithm),
            media_type: media_type(MediaType::OCI_INDEX),
            size: u64::MAX,
            time: 1,
            pushed_by: "CN=é, O=x".to_owned(),
        });
        for (content, size) in [(Content::Blob, 9), (Content::Inline(Bytes::from_static(b"{}")), 2)] {
            check_exact(&Revision {
                media_type: media_type(MediaType::OCI_MANIFEST),
                artifact_type: Some(media_type("a/b")),
                subject: Some(digest(algorithm)),
                size,
                time: u64::MAX,
                content: content.clone(),
            });
            check_exact(&Revision {
                media_type: media_type("a/b"),
                artifact_type: None,
                subject: None,
                size,
                time: 0,
                content,
            });
        }
    }
    check_exact(&Ownership { size: 1, time: 2 });
    check_exact(&Timestamp(3));
    check_exact(&Upload { session: SessionId::random().unwrap() });
    check(&Referrer { artifact_type: None, descriptor: Bytes::from_static(b"{}") });
    check(&Referrer { artifact_type: Some(media_type("a/b")), descriptor: Bytes::from_static(b"{}") });
}

#[test]
fn inline_bytes_share_the_memory_of_their_record() {
    let content = Bytes::from(vec![b'x'; 1000]);
    let revision = Revision {
        media_type: media_type("a/b"),
        artifact_type: None,
        subject: None,
        size: 1000,
        time: 0,
        content: Content::Inline(content),
    };
    let record = revision.encode();
    let Content::Inline(read) = Revision::decode(record.clone()).unwrap().content else {
        panic!("not inline");
    };
    assert!(record.as_ptr_range().contains(&read.as_ptr()));
}

#[test]
fn what_was_removed_is_absent() {
    assert_eq!(present::<Timestamp>(Bytes::from_static(REMOVED)).unwrap(), None);
    assert_eq!(present::<Timestamp>(Timestamp(1).encode()).unwrap(), Some(Timestamp(1)));
    assert!(present::<Timestamp>(Bytes::new()).is_err());
}

proptest! {
    #[test]
    fn any_bytes_are_a_record_or_an_error(mut bytes in proptest::collection::vec(any::<u8>(), 0..400), is_ours: bool) {
        if is_ours && let Some(first) = bytes.first_mut() {
            *first = VERSION;
        }
        let bytes = Bytes::from(bytes);
        if let Ok(record) = TagEntry::decode(bytes.clone()) {
            prop_assert_eq!(record.encode(), &bytes);
        }
        if let Ok(record) = Revision::decode(bytes.clone()) {
            prop_assert_eq!(record.encode(), &bytes);
        }
        if let Ok(record) = Referrer::decode(bytes.clone()) {
            prop_assert_eq!(record.encode(), &bytes);
        }
        if let Ok(record) = Ownership::decode(bytes.clone()) {
            prop_assert_eq!(record.encode(), &bytes);
        }
        if let Ok(record) = Upload::decode(bytes.clone()) {
            prop_assert_eq!(record.encode(), &bytes);
        }
    }
}
