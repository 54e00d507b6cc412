//! A request as the decision log holds it: its fields, from which the same request is made again.

use std::borrow::Cow;
use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use super::{AccessRequest, AccessRequestError};
use crate::action::{Action, UnknownAction};

/// The fields of a request but its time, under the names rules use; `tags` are those besides the reference.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct RecordedRequest<'a> {
    action: Cow<'a, str>,
    method: Cow<'a, str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    namespace: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reference: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    tag: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    digest: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    tags: Vec<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    session_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    from: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    n: Option<usize>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    last: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    artifact_type: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    digest_algorithm: Option<Cow<'a, str>>,
}

impl AccessRequest {
    /// The time of the request.
    pub fn time(&self) -> SystemTime {
        self.time
    }

    /// What [`from_record`](Self::from_record) needs. The secret code of a session id is left out.
    pub(crate) fn to_record(&self) -> RecordedRequest<'_> {
        RecordedRequest {
            action: self.action.as_str().into(),
            method: self.method.as_str().into(),
            namespace: self.namespace.as_ref().map(|name| name.as_ref().into()),
            reference: self.reference.as_ref().map(ToString::to_string),
            tag: self.tag.as_ref().map(|tag| tag.as_ref().into()),
            digest: self.digest.as_ref().map(ToString::to_string),
            tags: self.tags.iter().map(|tag| tag.as_ref().into()).collect(),
            session_id: self.session.as_ref().map(|id| id.without_code().to_string()),
            from: self.from.as_ref().map(|name| name.as_ref().into()),
            n: self.n,
            last: self.last.as_deref().map(Cow::from),
            artifact_type: self.artifact_type.as_deref().map(Cow::from),
            digest_algorithm: self.algorithm.map(|algorithm| algorithm.as_str().into()),
        }
    }

    /// The request with these recorded fields, or the name of the field that cannot be parsed.
    pub(crate) fn from_record(
        facts: &RecordedRequest<'_>,
        time: &str,
    ) -> Result<Self, (&'static str, AccessRequestError)> {
        let action: Action = facts
            .action
            .parse()
            .map_err(|error: UnknownAction| ("action", AccessRequestError::Invalid(error.to_string())))?;
        let mut request = Self::new(action, SystemTime::UNIX_EPOCH);
        let n = facts.n.map(|n| n.to_string());
        let single = [
            ("time", Some(time)),
            ("method", Some(&*facts.method)),
            ("namespace", facts.namespace.as_deref()),
            ("reference", facts.reference.as_deref()),
            ("tag", facts.tag.as_deref()),
            ("digest", facts.digest.as_deref()),
            ("session_id", facts.session_id.as_deref()),
            ("from", facts.from.as_deref()),
            ("n", n.as_deref()),
            ("last", facts.last.as_deref()),
            ("artifact_type", facts.artifact_type.as_deref()),
            ("digest_algorithm", facts.digest_algorithm.as_deref()),
        ];
        let tags = facts.tags.iter().map(|tag| ("tags", Some(&**tag)));
        for (field, text) in single.into_iter().chain(tags) {
            if let Some(text) = text {
                request.set(field, text).map_err(|error| (field, error))?;
            }
        }
        Ok(request)
    }
}
