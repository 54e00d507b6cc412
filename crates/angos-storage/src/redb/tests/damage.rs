//! A torn or damaged file: an error at the start or at the read that meets it, and never a panic, a hang or the end of the
//! store.

use std::{fs, sync::OnceLock};

use super::*;

const ENTRIES_WRITTEN: usize = 300;

/// The bytes of a file that has seen some commits and was closed well, and of one whose process was killed.
fn files() -> &'static [(&'static str, Vec<u8>); 2] {
    static FILES: OnceLock<[(&str, Vec<u8>); 2]> = OnceLock::new();
    FILES.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("metadata.redb");
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let store = open(folder.path()).unwrap();
        for round in 0..10 {
            let batch = (0..ENTRIES_WRITTEN / 10).fold(Batch::new(), |batch, index| {
                batch.put(format!("{round}/{index:03}"), vec![b'v'; 40 + index * 30])
            });
            runtime.block_on(store.apply(batch)).unwrap();
        }
        let killed = fs::read(&path).unwrap();
        drop(store);
        [("closed", fs::read(&path).unwrap()), ("killed", killed)]
    })
}

/// Opens a store over these bytes and uses it in every way. The error of opening it, if there is one.
fn use_all(bytes: &[u8]) -> Option<Error> {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("metadata.redb"), bytes).unwrap();
    // Without syncs: what is on the disk after a power failure is none of this.
    let store = match RedbMetadata::open(folder.path(), METADATA_CACHE_BYTES, false) {
        Ok(store) => store,
        Err(error) => return Some(error),
    };
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let _ = store.scan(b"", None, INLINE_SCAN_MAX).await;
        let _ = store.scan(b"", None, ENTRIES_WRITTEN * 2).await;
        for round in 0..10 {
            let _ = store.read(format!("{round}/007").as_bytes()).await;
        }
        let written = store.apply(Batch::new().put("0/007", "new").delete("9/001")).await;
        let read = store.read(b"0/007").await;
        // It may also fail; but what was acknowledged is there.
        assert!(written.is_err() || read.is_err() || read.unwrap().unwrap().value == "new".as_bytes());
    });
    None
}

/// Says what to do, and names the file.
fn is_useful(error: &Error) -> bool {
    let text = error.to_string();
    let is_known = matches!(error, Error::Damaged { .. } | Error::NotAnAngosStore { .. });
    is_known
        && text.contains("metadata.redb")
        && (text.contains("restore it") || text.contains("move it away"))
}

#[test]
fn a_file_that_was_cut_is_refused() {
    for (what, whole) in files() {
        let places = [0, 1, 8, 9, 63, 64, 100, 319, 320, 321, 4095, 4096, 4097, 8192, 12_288, 65_536];
        let sixteenths = (1..16).map(|part| whole.len() / 16 * part);
        for length in places.into_iter().chain(sixteenths).chain([whole.len() - 4096, whole.len() - 1]) {
            let error = use_all(&whole[..length]);
            let error = error.unwrap_or_else(|| panic!("{what}, cut to {length} of {}: opened", whole.len()));
            assert!(is_useful(&error), "{what}, cut to {length}: {error}");
        }
    }
}

#[test]
fn a_file_that_is_none_is_refused() {
    let (_, whole) = &files()[0];
    let overwritten = |range: std::ops::Range<usize>, byte: u8| {
        let mut bytes = whole.clone();
        bytes[range].fill(byte);
        bytes
    };
    for (what, bytes) in [
        ("zeros", vec![0; whole.len()]),
        ("text", b"not a database\n".repeat(10_000)),
        ("a page of zeros at the start", overwritten(0..4096, 0)),
        ("ones behind the magic", overwritten(9..4096, 255)),
        ("zeros behind the magic", overwritten(9..4096, 0)),
        ("nothing behind the header", overwritten(4096..whole.len(), 0)),
        ("garbage behind the header", overwritten(4096..whole.len(), 0xA5)),
    ] {
        let error = use_all(&bytes).unwrap_or_else(|| panic!("{what}: opened"));
        assert!(is_useful(&error), "{what}: {error}");
    }
}

/// One flipped bit at a time, everywhere in the head of the file and at many places behind it.
#[test]
fn a_flipped_bit_is_an_error_or_nothing() {
    let (_, whole) = &files()[1];
    let used = whole.iter().rposition(|byte| *byte != 0).unwrap();
    let everywhere = (0..used).step_by(used / 36).map(|place| place + place / 36 % 16);
    for place in (0..320).step_by(13).chain(everywhere).filter(|place| *place < whole.len()) {
        let mut bytes = whole.clone();
        bytes[place] ^= 1 << (place % 8);
        if let Some(error) = use_all(&bytes) {
            assert!(is_useful(&error), "byte {place}: {error}");
        }
    }
}

/// Whole pages of garbage behind the head: what is lost is lost, and the rest goes on.
#[test]
fn a_page_of_garbage_is_an_error_or_nothing() {
    let (_, whole) = &files()[1];
    let used = whole.iter().rposition(|byte| *byte != 0).unwrap() / 4096;
    for page in (1..=used).step_by((used / 24).max(1)) {
        for byte in [0, 0x02] {
            let mut bytes = whole.clone();
            bytes[page * 4096..][..4096].fill(byte);
            if let Some(error) = use_all(&bytes) {
                assert!(is_useful(&error), "page {page} of {byte:#x}: {error}");
            }
        }
    }
}
