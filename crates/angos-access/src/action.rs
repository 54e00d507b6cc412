//! The action of a request: one closed set of words for policies, metrics and the decision log.

use std::str::FromStr;

use angos_policy::nearest;

use crate::method::RequestMethod;

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
    /// The HTTP method clients use for it, GET rather than HEAD.
    pub const fn method(self) -> RequestMethod {
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
            | Self::Metrics => RequestMethod::Get,
            Self::PutManifest | Self::CompleteUpload => RequestMethod::Put,
            Self::StartUpload | Self::MountBlob => RequestMethod::Post,
            Self::UpdateUpload => RequestMethod::Patch,
            Self::DeleteManifest | Self::DeleteBlob | Self::CancelUpload => RequestMethod::Delete,
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

    /// Whether it reads or changes a manifest, and so has a reference.
    pub const fn is_about_manifest(self) -> bool {
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
