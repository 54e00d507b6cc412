//! One thing a client asks the registry to do, parsed and typed, without HTTP.

use angos_oci::{Algorithm, Digest, Name, Reference, Tag, UploadId};

use crate::action::Action;

/// What a request asks for. Every name, digest and id in it has been parsed.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are named after the variables of `request`")]
pub enum Operation {
    /// `GET /v2/`
    Version,
    /// Whether the process lives.
    Healthz,
    /// Whether requests can be served.
    Readyz,
    /// The metrics as text.
    Metrics,
    /// A page of the repositories.
    ListCatalog { n: Option<usize>, last: Option<String> },
    /// A page of a repository's tags.
    ListTags { name: Name, n: Option<usize>, last: Option<String> },
    /// A manifest or its head.
    GetManifest { name: Name, reference: Reference },
    /// A push. `tags` are those of the query; they come with a digest only.
    PutManifest { name: Name, reference: Reference, tags: Vec<Tag> },
    /// A delete. `tags` are those that point to the digest: no client sends them, the registry looks them up.
    DeleteManifest { name: Name, reference: Reference, tags: Vec<Tag> },
    /// A blob or its head.
    GetBlob { name: Name, digest: Digest },
    /// Removes a blob from a repository.
    DeleteBlob { name: Name, digest: Digest },
    /// Starts an upload session.
    StartUpload { name: Name, algorithm: Option<Algorithm> },
    /// A whole blob in one request: start and completion of an upload at once.
    PushBlob { name: Name, digest: Digest },
    /// A blob of another repository (`from`), or of any when there is no `from`, shown in this one too.
    MountBlob { name: Name, digest: Digest, from: Option<Name> },
    /// The next chunk of an upload.
    UpdateUpload { name: Name, id: UploadId },
    /// The progress of an upload.
    GetUpload { name: Name, id: UploadId },
    /// The end of an upload: the blob is verified and published.
    CompleteUpload { name: Name, id: UploadId, digest: Digest },
    /// Ends an upload and drops its bytes.
    CancelUpload { name: Name, id: UploadId },
    /// A page of the manifests that refer to a digest.
    GetReferrers {
        name: Name,
        digest: Digest,
        artifact_types: Vec<String>,
        after: Option<String>,
        n: Option<usize>,
    },
}

impl Operation {
    /// The action that has to be permitted; a [`PushBlob`](Operation::PushBlob) needs `complete-upload` as well.
    pub const fn action(&self) -> Action {
        match self {
            Self::Version => Action::GetApiVersion,
            Self::Healthz => Action::Healthz,
            Self::Readyz => Action::Readyz,
            Self::Metrics => Action::Metrics,
            Self::ListCatalog { .. } => Action::ListCatalog,
            Self::ListTags { .. } => Action::ListTags,
            Self::GetManifest { .. } => Action::GetManifest,
            Self::PutManifest { .. } => Action::PutManifest,
            Self::DeleteManifest { .. } => Action::DeleteManifest,
            Self::GetBlob { .. } => Action::GetBlob,
            Self::DeleteBlob { .. } => Action::DeleteBlob,
            Self::StartUpload { .. } | Self::PushBlob { .. } => Action::StartUpload,
            Self::MountBlob { .. } => Action::MountBlob,
            Self::UpdateUpload { .. } => Action::UpdateUpload,
            Self::GetUpload { .. } => Action::GetUpload,
            Self::CompleteUpload { .. } => Action::CompleteUpload,
            Self::CancelUpload { .. } => Action::CancelUpload,
            Self::GetReferrers { .. } => Action::GetReferrers,
        }
    }

    /// The repository it happens in.
    pub const fn namespace(&self) -> Option<&Name> {
        match self {
            Self::Version | Self::Healthz | Self::Readyz | Self::Metrics | Self::ListCatalog { .. } => None,
            Self::ListTags { name, .. }
            | Self::GetManifest { name, .. }
            | Self::PutManifest { name, .. }
            | Self::DeleteManifest { name, .. }
            | Self::GetBlob { name, .. }
            | Self::DeleteBlob { name, .. }
            | Self::StartUpload { name, .. }
            | Self::PushBlob { name, .. }
            | Self::MountBlob { name, .. }
            | Self::UpdateUpload { name, .. }
            | Self::GetUpload { name, .. }
            | Self::CompleteUpload { name, .. }
            | Self::CancelUpload { name, .. }
            | Self::GetReferrers { name, .. } => Some(name),
        }
    }
}
