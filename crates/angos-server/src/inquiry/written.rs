//! An inquiry from text: what a person writes in a test case or on a command line, or a log says.

use std::str::FromStr;
use std::time::SystemTime;

use angos_policy::nearest;
use hyper::Method;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::Inquiry;
use crate::route::Action;

/// Why a text is no part of an inquiry; whoever wrote it is at fault.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InquiryError {
    /// A request has no such field.
    #[error("a request has no such field{}", nearest.map_or_else(String::new, |name| format!("; did you mean `{name}`?")))]
    UnknownField {
        /// The field that was probably meant.
        nearest: Option<&'static str>,
    },
    /// The text is not what the field holds.
    #[error("{0}")]
    Invalid(String),
    /// A request of this kind has no such field, or not in this company.
    #[error("{}", foreign(*action, field))]
    Foreign {
        /// What is asked for.
        action: Action,
        /// What it does not have.
        field: &'static str,
    },
    /// A request of this kind is none without it.
    #[error("{} needs a `{field}`", action.as_str())]
    Missing {
        /// What is asked for.
        action: Action,
        /// What it lacks.
        field: &'static str,
    },
    /// A reference that is a digest, and another digest.
    #[error("the reference is another digest than the digest")]
    Contradiction,
}

fn foreign(action: Action, field: &str) -> String {
    let word = action.as_str();
    match (field, action.fields()) {
        ("method", _) => format!("{word} is not asked with this method"),
        (field, fields) if fields.contains(&field) => {
            format!("{word} has no `{field}` unless it names a digest")
        }
        (field, []) => format!("{word} has no `{field}`"),
        (field, fields) => format!("{word} has no `{field}`; it may have {}", fields.join(", ")),
    }
}

impl Inquiry {
    /// The fields [`set`](Self::set) knows: those under `request` that rules can name, but for the action.
    pub const FIELDS: &'static [&'static str] = &[
        "namespace",
        "repository",
        "reference",
        "tag",
        "digest",
        "tags",
        "session_id",
        "from",
        "n",
        "last",
        "artifact_type",
        "digest_algorithm",
        "method",
        "time",
    ];

    /// Sets a field by the name rules use for it (without `request.`), from the text a client would send.
    ///
    /// `tags` adds one; every other field is replaced. `time` is RFC 3339 (`2026-01-31T08:00:00Z`). A manifest's
    /// `reference` may be left out where `tag` or `digest` says the same.
    ///
    /// ```
    /// use angos_server::{Action, Inquiry};
    /// use std::time::SystemTime;
    ///
    /// let mut inquiry = Inquiry::new(Action::PutManifest, SystemTime::now());
    /// inquiry.set("namespace", "prod/app")?;
    /// inquiry.set("tag", "v1")?;
    /// assert!(inquiry.set("tag", "no tag").is_err());
    /// assert_eq!(inquiry.set("tagg", "v1").unwrap_err().to_string(), "a request has no such field; did you mean `tag`?");
    /// # Ok::<(), angos_server::InquiryError>(())
    /// ```
    pub fn set(&mut self, field: &str, text: &str) -> Result<(), InquiryError> {
        let mut changed = self.clone();
        match field {
            "namespace" | "repository" => changed.namespace = Some(parsed(text)?),
            "reference" => changed.reference = Some(parsed(text)?),
            "tag" => changed.tag = Some(parsed(text)?),
            "digest" => changed.digest = Some(parsed(text)?),
            "tags" => changed.tags.push(parsed(text)?),
            "session_id" => changed.session = Some(parsed(text)?),
            "from" => changed.from = Some(parsed(text)?),
            "n" => changed.n = Some(count(text)?),
            "last" => changed.last = Some(plain(text)?),
            "artifact_type" => changed.artifact_type = Some(plain(text)?),
            "digest_algorithm" => changed.algorithm = Some(parsed(text)?),
            "method" => changed.method = method(text)?,
            "time" => changed.time = moment(text)?,
            _ => {
                return Err(InquiryError::UnknownField {
                    nearest: nearest(field, Self::FIELDS.iter().copied()),
                });
            }
        }
        let referred = changed.reference.as_ref().and_then(|reference| reference.digest());
        if referred.zip(changed.digest.as_ref()).is_some_and(|(referred, digest)| referred != digest) {
            return Err(InquiryError::Contradiction);
        }
        // What was written out before may have been about something else.
        changed.digest_text.take();
        changed.session_text.take();
        changed.tag_texts.take();
        *self = changed;
        Ok(())
    }
}

fn parsed<T: FromStr<Err: ToString>>(text: &str) -> Result<T, InquiryError> {
    text.parse().map_err(|error: T::Err| InquiryError::Invalid(error.to_string()))
}

/// A page size; one too large to count is as good as the largest one.
fn count(text: &str) -> Result<usize, InquiryError> {
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(InquiryError::Invalid("not a number of entries".to_owned()));
    }
    Ok(text.parse().unwrap_or(usize::MAX))
}

/// What a query may say.
fn plain(text: &str) -> Result<String, InquiryError> {
    if text.is_empty() || text.contains(char::is_control) {
        return Err(InquiryError::Invalid("empty, or with control characters".to_owned()));
    }
    Ok(text.to_owned())
}

fn method(text: &str) -> Result<Method, InquiryError> {
    const KNOWN: [Method; 6] =
        [Method::GET, Method::HEAD, Method::PUT, Method::POST, Method::PATCH, Method::DELETE];
    let known = KNOWN.into_iter().find(|method| method.as_str() == text);
    known.ok_or_else(|| InquiryError::Invalid("not GET, HEAD, PUT, POST, PATCH or DELETE".to_owned()))
}

/// A moment since 1970 in RFC 3339, as `time` of an [`Inquiry`] is written.
pub fn moment(text: &str) -> Result<SystemTime, InquiryError> {
    let moment = OffsetDateTime::parse(text, &Rfc3339);
    let moment = moment.ok().filter(|moment| *moment >= OffsetDateTime::UNIX_EPOCH).map(SystemTime::from);
    moment
        .ok_or_else(|| InquiryError::Invalid("not a moment since 1970 like 2026-01-31T08:00:00Z".to_owned()))
}
