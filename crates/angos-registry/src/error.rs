//! Why an operation did not happen, in the words of the specification; statuses are chosen by the server.

use angos_oci::{Digest, ErrorCode, ManifestError, Tag};

use crate::BodyError;

/// The outcome of an operation of this crate.
pub type Result<T> = std::result::Result<T, Error>;

/// Why an operation was refused or failed.
///
/// Everything but [`Error::Storage`], [`Error::Corrupt`], [`Error::FormatTooNew`] and [`Error::Randomness`] is the caller's doing or a race
/// between callers, and its text may be shown to a client. Those four carry their source for the operator and must
/// reach a client as nothing but a request id; [`Error::code`] is `None` for them. [`Error::OutOfSpace`] is not the
/// caller's doing either, and its text may be shown, but not its source.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No such namespace.
    #[error("the repository is not known")]
    NameUnknown,
    /// No such tag or revision in this namespace.
    #[error("the manifest is not known")]
    ManifestUnknown,
    /// This namespace does not own such a blob.
    #[error("the blob is not known")]
    BlobUnknown,
    /// No such session under this name: never started here, expired, cancelled, finished, or another name's.
    #[error("the upload is not known")]
    UploadUnknown,
    /// Another request is using this session.
    #[error("another request is using this upload")]
    UploadBusy,
    /// The chunk does not start where the session stands.
    #[error("the chunk does not continue the upload, which stands at byte {offset}")]
    RangeInvalid {
        /// How many bytes the session holds.
        offset: u64,
    },
    /// No byte of the requested range exists.
    #[error("the range lies outside the {size} bytes of the blob")]
    RangeNotSatisfiable {
        /// Size of the whole blob.
        size: u64,
    },
    /// The body is longer or shorter than its headers said.
    #[error("the body has another length than announced")]
    SizeMismatch,
    /// The blob is larger than this registry accepts.
    #[error("the blob is larger than the accepted {limit} bytes")]
    BlobTooLarge {
        /// Largest size accepted.
        limit: u64,
    },
    /// The manifest is larger than this registry accepts.
    #[error("the manifest is larger than the accepted {limit} bytes")]
    ManifestTooLarge {
        /// Largest size accepted.
        limit: usize,
    },
    /// The content does not have the digest it was pushed under.
    #[error("the content does not have the digest {expected}")]
    DigestMismatch {
        /// The digest the client named.
        expected: Digest,
    },
    /// The manifest is not one, or not what its media type says.
    #[error("{0}")]
    ManifestInvalid(#[source] ManifestError),
    /// A manifest of the repository references the blob, so it cannot be deleted.
    #[error("a manifest of this repository references the blob: delete the manifest first")]
    BlobReferenced,
    /// The manifest references content that this namespace does not own.
    #[error("the manifest references {digest}, which is not in this repository")]
    ReferenceUnknown {
        /// The first missing reference.
        digest: Digest,
    },
    /// More tags in one push than accepted.
    #[error("more than {limit} tags in one push")]
    TooManyTags {
        /// Most tags accepted.
        limit: usize,
    },
    /// The tag exists, is immutable, and names other content.
    #[error("the tag {tag} is immutable")]
    TagImmutable {
        /// The first such tag.
        tag: Tag,
    },
    /// The tag is immutable, and tags like it are not to be deleted.
    #[error("the tag {tag} is immutable and cannot be deleted")]
    TagUndeletable {
        /// The first such tag.
        tag: Tag,
    },
    /// The [`Approval`](crate::Approval) said no before the change was committed.
    #[error("the change is no longer allowed")]
    NotApproved,
    /// Other requests changed the same entry again and again; trying later helps.
    #[error("other requests keep changing the same entry")]
    Contended,
    /// The body ended before its sender finished it.
    #[error(transparent)]
    Body(#[from] BodyError),
    /// The disk, a quota or a limit on the size of files leaves no room for what the request writes.
    #[error("the registry has no space left for this")]
    OutOfSpace(#[source] angos_storage::Error),
    /// The storage failed.
    #[error("storage failed")]
    Storage(#[source] angos_storage::Error),
    /// A stored record cannot be read, or bytes that a record promises are not there.
    #[error("stored {what} cannot be read")]
    Corrupt {
        /// Which kind of record.
        what: &'static str,
    },
    /// A newer version wrote the store.
    #[error(
        "the store has format {found}, and this version reads up to {supported}: use a newer version of angos"
    )]
    FormatTooNew {
        /// The format of the store.
        found: u64,
        /// The newest format that is read.
        supported: u64,
    },
    /// The system has no randomness for a new session.
    #[error("no randomness")]
    Randomness,
    /// The work was cut off because the program is stopping.
    #[error("the registry is stopping")]
    Stopping,
}

impl Error {
    /// The specification's code, or `None` where a client is told nothing but a request id.
    pub fn code(&self) -> Option<ErrorCode> {
        Some(match self {
            Self::NameUnknown => ErrorCode::NameUnknown,
            Self::ManifestUnknown => ErrorCode::ManifestUnknown,
            Self::BlobUnknown => ErrorCode::BlobUnknown,
            Self::UploadUnknown => ErrorCode::BlobUploadUnknown,
            Self::TagImmutable { .. }
            | Self::TagUndeletable { .. }
            | Self::NotApproved
            | Self::BlobReferenced
            | Self::OutOfSpace(_)
            | Self::Body(BodyError::NotApproved) => ErrorCode::Denied,
            Self::UploadBusy | Self::RangeInvalid { .. } | Self::Body(_) => ErrorCode::BlobUploadInvalid,
            Self::RangeNotSatisfiable { .. }
            | Self::SizeMismatch
            | Self::BlobTooLarge { .. }
            | Self::ManifestTooLarge { .. } => ErrorCode::SizeInvalid,
            Self::DigestMismatch { .. } => ErrorCode::DigestInvalid,
            Self::ManifestInvalid(_) | Self::TooManyTags { .. } => ErrorCode::ManifestInvalid,
            Self::ReferenceUnknown { .. } => ErrorCode::ManifestBlobUnknown,
            Self::Contended => ErrorCode::TooManyRequests,
            Self::Storage(_)
            | Self::Corrupt { .. }
            | Self::FormatTooNew { .. }
            | Self::Randomness
            | Self::Stopping => return None,
        })
    }
}

/// What the storage says about a session is about the caller's session; all else is a failure of ours.
impl From<angos_storage::Error> for Error {
    fn from(error: angos_storage::Error) -> Self {
        match error {
            angos_storage::Error::SessionBusy => Self::UploadBusy,
            angos_storage::Error::SessionUnknown => Self::UploadUnknown,
            angos_storage::Error::OffsetMismatch { expected } => Self::RangeInvalid { offset: expected },
            full @ angos_storage::Error::OutOfSpace(_) => Self::OutOfSpace(full),
            other => Self::Storage(other),
        }
    }
}
