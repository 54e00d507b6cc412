//! The words for what a request does.

use angos_oci::Name;

use super::Operation;

/// One list for the type, its words and their order.
macro_rules! actions {
    ($($variant:ident = $word:literal,)*) => {
        /// What a request does. The same closed set of words is used by policies, metrics and the decision log.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub(crate) enum Action {
            $($variant,)*
        }

        impl Action {
            /// The word of each of [`Action::ALL`].
            pub(crate) const WORDS: &'static [&'static str] = &[$($word,)*];

            /// Every action.
            pub(crate) const ALL: [Self; Self::WORDS.len()] = [$(Self::$variant,)*];

            /// The word.
            pub(crate) const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)*
                }
            }
        }
    };
}

actions! {
    GetApiVersion = "get-api-version",
    GetManifest = "get-manifest",
    PutManifest = "put-manifest",
    DeleteManifest = "delete-manifest",
    GetBlob = "get-blob",
    DeleteBlob = "delete-blob",
    StartUpload = "start-upload",
    UpdateUpload = "update-upload",
    GetUpload = "get-upload",
    CompleteUpload = "complete-upload",
    CancelUpload = "cancel-upload",
    MountBlob = "mount-blob",
    GetReferrers = "get-referrers",
    ListTags = "list-tags",
    ListCatalog = "list-catalog",
    Healthz = "healthz",
    Readyz = "readyz",
    Metrics = "metrics",
}

impl Operation {
    /// The action that has to be permitted; a [`PushBlob`](Operation::PushBlob) needs `complete-upload` as well.
    pub(crate) const fn action(&self) -> Action {
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
    pub(crate) const fn namespace(&self) -> Option<&Name> {
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
