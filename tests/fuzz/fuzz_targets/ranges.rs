//! No range reaches beyond the content, no chunk is empty, and no saved hash state does harm.
#![no_main]

use angos_oci::{ByteRange, ContentRange, Hasher};
use libfuzzer_sys::fuzz_target;

// Eight bytes for a size, then the text of a header or a saved state.
fuzz_target!(|input: (u64, &[u8])| {
    let (size, bytes) = input;
    if let Ok(mut hasher) = Hasher::restore(bytes) {
        assert_eq!(hasher.save(), bytes);
        hasher.update(&size.to_le_bytes());
        // The pieces may have reached the most content a state may have seen.
        if let Ok(copy) = Hasher::restore(&hasher.save()) {
            assert_eq!(copy.finish(), hasher.finish());
        }
    }
    let Ok(text) = str::from_utf8(bytes) else { return };
    if let Ok(Some(range)) = ByteRange::parse(text) {
        for size in [size, size >> 32, size & 0xff, 0, u64::MAX] {
            if let Some(range) = range.resolve(size) {
                assert!(range.start < range.end && range.end <= size);
            }
        }
    }
    if let Ok(range) = text.parse::<ContentRange>() {
        assert!(range.length() > 0 && range.start() + range.length() == range.end() + 1);
        assert_eq!(range.to_string().parse(), Ok(range));
    }
});
