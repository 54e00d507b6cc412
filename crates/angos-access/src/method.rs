//! The HTTP method of a request as policies see it, without an HTTP library.

use std::str::FromStr;

/// The methods of the distribution specification.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RequestMethod {
    /// `GET`
    Get,
    /// `HEAD`
    Head,
    /// `PUT`
    Put,
    /// `POST`
    Post,
    /// `PATCH`
    Patch,
    /// `DELETE`
    Delete,
}

impl RequestMethod {
    const ALL: [Self; 6] = [Self::Get, Self::Head, Self::Put, Self::Post, Self::Patch, Self::Delete];

    /// Every method as HTTP spells it.
    pub(crate) const WORDS: &'static [&'static str] = &[
        Self::Get.as_str(),
        Self::Head.as_str(),
        Self::Put.as_str(),
        Self::Post.as_str(),
        Self::Patch.as_str(),
        Self::Delete.as_str(),
    ];

    /// The method as HTTP spells it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Head => "HEAD",
            Self::Put => "PUT",
            Self::Post => "POST",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
        }
    }
}

/// No operation has this method.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not GET, HEAD, PUT, POST, PATCH or DELETE")]
pub struct UnknownMethod;

impl FromStr for RequestMethod {
    type Err = UnknownMethod;

    fn from_str(text: &str) -> Result<Self, UnknownMethod> {
        Self::ALL.into_iter().find(|method| method.as_str() == text).ok_or(UnknownMethod)
    }
}
