//! The words for what a request does.

use std::str::FromStr;

use angos_oci::Name;
use angos_policy::nearest;
use hyper::Method;

use super::Operation;

/// One list for the type, its words and their order.
macro_rules! actions {
    ($($variant:ident = $word:literal,)*) => {
        /// What a request does. The same closed set of words is used by policies, metrics and the decision log.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Action {
            $(#[doc = concat!("`", $word, "`")] $variant,)*
        }

        impl Action {
            /// The word of each of [`Action::ALL`].
            pub const WORDS: &'static [&'static str] = &[$($word,)*];

            /// Every action.
            pub const ALL: [Self; Self::WORDS.len()] = [$(Self::$variant,)*];

            /// The word.
            pub const fn as_str(self) -> &'static str {
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

impl Action {
    /// The method clients use for it, GET rather than HEAD.
    pub(crate) const fn method(self) -> Method {
        match self {
            Self::GetApiVersion
            | Self::GetManifest
            | Self::GetBlob
            | Self::GetUpload
            | Self::GetReferrers
            | Self::ListTags
            | Self::ListCatalog
            | Self::Healthz
            | Self::Readyz
            | Self::Metrics => Method::GET,
            Self::PutManifest | Self::CompleteUpload => Method::PUT,
            Self::StartUpload | Self::MountBlob => Method::POST,
            Self::UpdateUpload => Method::PATCH,
            Self::DeleteManifest | Self::DeleteBlob | Self::CancelUpload => Method::DELETE,
        }
    }

    /// Whether it happens in a repository.
    pub const fn is_in_repository(self) -> bool {
        !matches!(
            self,
            Self::GetApiVersion | Self::ListCatalog | Self::Healthz | Self::Readyz | Self::Metrics
        )
    }

    /// Whether it may change what the registry holds.
    pub const fn is_write(self) -> bool {
        matches!(
            self,
            Self::PutManifest
                | Self::DeleteManifest
                | Self::DeleteBlob
                | Self::StartUpload
                | Self::UpdateUpload
                | Self::CompleteUpload
                | Self::CancelUpload
                | Self::MountBlob
        )
    }

    pub(crate) const fn is_about_manifest(self) -> bool {
        matches!(self, Self::GetManifest | Self::PutManifest | Self::DeleteManifest)
    }
}

/// No action has this name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no such action{}", nearest.map_or_else(String::new, |action| format!("; did you mean `{}`?", action.as_str())))]
pub struct UnknownAction {
    /// The action that was probably meant.
    pub nearest: Option<Action>,
}

impl FromStr for Action {
    type Err = UnknownAction;

    fn from_str(word: &str) -> Result<Self, UnknownAction> {
        let named = |word: &str| Self::ALL.into_iter().find(|action| action.as_str() == word);
        named(word).ok_or_else(|| UnknownAction {
            nearest: nearest(word, Self::WORDS.iter().copied()).and_then(named),
        })
    }
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
