//! The OCI vocabulary: what a registry talks about, as types that cannot be wrong.
//!
//! Level 0 of the house: no I/O, no async, no HTTP. Everything here is read from untrusted bytes; a value that
//! exists satisfies its grammar and its limit, so no other crate checks again.
//!
//! | what | file | from |
//! |---|---|---|
//! | [`Digest`], [`Algorithm`] | `digest.rs` | path, query, JSON |
//! | [`Hasher`] | `hasher.rs` | a stream of bytes, or a saved state |
//! | [`Name`] | `name.rs` | path, query |
//! | [`Tag`], [`Reference`] | `tag.rs`, `reference.rs` | path, query |
//! | [`UploadId`] | `upload_id.rs` | path |
//! | [`RepositoryMap`] | `repository_map.rs` | – |
//! | [`MediaType`] | `media_type.rs` | `Content-Type`, JSON |
//! | [`Descriptor`] | `descriptor.rs` | JSON |
//! | [`Manifest`] | `manifest.rs`, `manifest/{guard,document}.rs` | a pushed body |
//! | [`ByteRange`], [`ContentRange`] | `byte_range.rs`, `content_range.rs` | `Range`, `Content-Range` |
//! | [`ErrorCode`] | `error_code.rs` | – |
//! | [`limits`] | `limits.rs` | – |
//!
//! Errors are small, typed, and quote at most [`limits::EXCERPT_MAX_CHARACTERS`] escaped characters of their input.

mod byte_range;
mod content_range;
mod decimal;
mod descriptor;
mod digest;
mod error_code;
mod excerpt;
mod hasher;
pub mod limits;
mod manifest;
mod media_type;
mod name;
mod reference;
mod repository_map;
mod tag;
mod text;
mod upload_id;

pub use byte_range::{ByteRange, RangeError};
pub use content_range::{ContentRange, ContentRangeError};
pub use descriptor::Descriptor;
pub use digest::{Algorithm, Digest, DigestError};
pub use error_code::ErrorCode;
pub use excerpt::Excerpt;
pub use hasher::{Hasher, RestoreError};
pub use manifest::{Manifest, ManifestError, ManifestKind};
pub use media_type::{MediaType, MediaTypeError};
pub use name::{Name, NameError};
pub use reference::{Reference, ReferenceError};
pub use repository_map::RepositoryMap;
pub use tag::{Tag, TagError};
pub use upload_id::{UploadId, UploadIdError};

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
