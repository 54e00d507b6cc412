//! Every bound of this crate in one place: its value, where it comes from, why it is there.

/// Longest repository name, in bytes, slashes included.
///
/// Source: the distribution specification asks for less than 256 characters. Clients count the host name in the same 255,
/// so longer names could not be pulled anyway.
pub const NAME_MAX_BYTES: usize = 255;

/// Longest tag, in bytes.
///
/// Source: the tag grammar of the distribution specification, one character and up to 127 more.
pub const TAG_MAX_BYTES: usize = 128;

/// Most tags that one push of a manifest by digest may set.
///
/// Source: ours. The distribution specification lets a registry bound its `tag` parameters; all are written in one batch,
/// and an access policy is asked about all of them at once.
pub const PUSH_TAGS_MAX: usize = 100;

/// Longest half of a media type (`type` or `subtype`), in bytes.
///
/// Source: RFC 6838 section 4.2.
pub const MEDIA_TYPE_PART_MAX_BYTES: usize = 127;

/// Default size limit of a manifest body, in bytes.
///
/// Source: the distribution specification asks registries to take at least 4 MiB, and clients must not expect more.
/// [`Manifest::parse`](crate::Manifest::parse) does not look at it: whoever reads the body stops at the configured size.
pub const MANIFEST_MAX_BYTES: usize = 4 * 1024 * 1024;

/// Most descriptors in one `layers` or `manifests` list.
///
/// Source: ours. Image layers end at 127 in practice and the largest indexes have some hundreds of entries; every
/// descriptor costs a few hundred bytes of memory and one row of bookkeeping.
pub const DESCRIPTORS_MAX: usize = 10_000;

/// Most members in any one JSON object of a manifest, `annotations` included.
///
/// Source: ours. Duplicate keys are found by remembering the keys of an object; this bounds the memory that takes.
pub const JSON_MEMBERS_MAX: usize = 10_000;

/// Most JSON values (objects, lists, strings, numbers …) in one manifest.
///
/// Source: ours. A value costs up to a hundred bytes once parsed but only two in the body, so the size limit alone would
/// let 4 MiB become 200 MiB. Leaves room for [`DESCRIPTORS_MAX`] entries with a platform and some annotations each.
pub const JSON_VALUES_MAX: usize = 200_000;

/// Deepest nesting of objects and lists in a manifest.
///
/// Source: ours. The specification's own fields need five levels; the rest is left to extensions.
pub const JSON_DEPTH_MAX: usize = 32;

/// Largest size a descriptor may state, and largest sum of the sizes of one manifest, in bytes.
///
/// Source: the image specification gives `size` as a signed 64-bit number.
pub const SIZE_MAX: u64 = i64::MAX.cast_unsigned();

/// Most characters of input that an error message repeats; control characters are escaped first.
///
/// Source: ours. Enough to recognise a mistake, too little to flood a log.
pub const EXCERPT_MAX_CHARACTERS: usize = 64;

/// Most content that a restored hash state may have seen: 2^60 bytes, half of what SHA-256 is defined for.
///
/// Source: ours. `sha2` counts bits without looking, so a damaged count would overflow later.
pub(crate) const HASHED_MAX_BYTES: u128 = 1 << 60;
