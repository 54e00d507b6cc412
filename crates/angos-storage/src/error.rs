//! Everything storage can answer but the thing asked for.

use std::{fmt, io, path::PathBuf, sync::Arc};

use angos_oci::Digest;
use bytes::Bytes;

/// Why storage could not do what was asked.
///
/// The first group is about the request and leaves everything as it was; the second is about the machine
/// below. After either, an upload session can be continued unless the variant says otherwise.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A create-only or compare-and-swap operation did not find what it expected. Nothing of the batch was
    /// applied.
    #[error("the value of a key changed in the meantime")]
    Conflict {
        /// The key of the first operation that did not hold.
        key: Bytes,
    },
    /// No such upload session: never begun, committed, aborted or expired.
    #[error("upload session unknown")]
    SessionUnknown,
    /// Another writer holds the session.
    #[error("upload session busy")]
    SessionBusy,
    /// The append does not start where the session ends.
    #[error("upload continues at byte {expected}")]
    OffsetMismatch {
        /// Where the session ends.
        expected: u64,
    },
    /// The content is not what the digest says. The session stays.
    #[error("content has digest {actual}")]
    DigestMismatch {
        /// The digest of the content.
        actual: Digest,
    },
    /// The range does not lie within the blob.
    #[error("range outside of a blob of {size} bytes")]
    OutOfRange {
        /// The size of the blob.
        size: u64,
    },
    /// A single value, key or batch is larger than the engine stores.
    #[error("{what} is larger than {limit} bytes")]
    TooLarge {
        /// What is too large.
        what: &'static str,
        /// The bound, in bytes.
        limit: usize,
    },

    /// The disk or a quota is full.
    #[error("no space left: {0}")]
    OutOfSpace(Failure),
    /// The process may not touch a file it needs.
    #[error("access denied: {0}")]
    AccessDenied(Failure),
    /// Any other failure of the system below.
    #[error("{0}")]
    Io(Failure),
    /// Another process has the store open.
    #[error("{} is in use by another process; stop it, or configure another folder", path.display())]
    Locked {
        /// The locked file.
        path: PathBuf,
    },
    /// The file exists and was not written by this engine.
    #[error("{} is not an Angos store: {reason}; move it away, or configure another folder", path.display())]
    NotAnAngosStore {
        /// The file.
        path: PathBuf,
        /// What is unexpected in it.
        reason: String,
    },
    /// The metadata file was written by this engine and is torn or damaged.
    #[error("the metadata file {} is damaged ({reason}); restore it from a backup", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// Metadata without its blobs, or blobs without their metadata. Nothing was created.
    #[error(
        "{} is missing, but {} has content: mount or restore what is missing, or name the folder it is in; \
         to start with an empty registry, move {} away first",
        missing.display(), beside.display(), beside.display()
    )]
    Unpaired {
        /// What is missing.
        missing: PathBuf,
        /// What has content.
        beside: PathBuf,
    },
    /// Blobs and metadata carry the ids of different stores.
    #[error(
        "{} and {} belong to different stores: name the folders of one store",
        blobs.display(), metadata.display()
    )]
    Mismatched {
        /// The folder of the blobs.
        blobs: PathBuf,
        /// The metadata file.
        metadata: PathBuf,
    },
    /// The folder that was opened is no longer at its path: moved, removed, replaced or unmounted. Nothing is
    /// written until it is back.
    #[error("{} is not the file that was opened: put its folder back, or restart", path.display())]
    Moved {
        /// A file that is in the folder for as long as the store is open.
        path: PathBuf,
    },
    /// What is stored contradicts itself.
    #[error("stored data is damaged: {0}")]
    Corrupt(String),
    /// The folder for a backup holds something.
    #[error("{} is not empty; name a folder that does not exist yet", path.display())]
    NotEmpty {
        /// The folder.
        path: PathBuf,
    },
    /// The folder holds a backup that did not come to its end.
    #[error("{} holds a backup that did not come to its end; make another one, and remove this one", path.display())]
    Incomplete {
        /// The folder.
        path: PathBuf,
    },
    /// The engine cannot do this.
    #[error("this engine does not have {0}")]
    Unsupported(&'static str),
    /// The store has been closed, or its worker is gone.
    #[error("the store is closed")]
    Closed,
}

/// A failed call of the operating system: what was tried, on which file, and its answer.
#[derive(Clone)]
pub struct Failure {
    action: &'static str,
    path: PathBuf,
    source: Arc<io::Error>,
}

impl Failure {
    /// What was tried, as a verb: `write`, `sync`, `open`.
    pub fn action(&self) -> &'static str {
        self.action
    }

    /// The file or folder it was tried on.
    pub fn path(&self) -> &std::path::Path {
        &self.path
    }

    /// The answer of the operating system.
    pub fn source(&self) -> &io::Error {
        &self.source
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot {} {}: {}", self.action, self.path.display(), self.source)
    }
}

impl fmt::Debug for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Error {
    /// Classifies an answer of the operating system.
    pub fn from_io(action: &'static str, path: impl Into<PathBuf>, source: impl Into<io::Error>) -> Error {
        let failure = Failure { action, path: path.into(), source: Arc::new(source.into()) };
        match failure.source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
                Error::OutOfSpace(failure)
            }
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
                Error::AccessDenied(failure)
            }
            _ => Error::Io(failure),
        }
    }

    /// Whether the machine is at fault, rather than the request.
    pub fn is_failure(&self) -> bool {
        !matches!(
            self,
            Error::Conflict { .. }
                | Error::SessionUnknown
                | Error::SessionBusy
                | Error::OffsetMismatch { .. }
                | Error::DigestMismatch { .. }
                | Error::OutOfRange { .. }
                | Error::TooLarge { .. }
        )
    }
}
