//! From one described request to all requests that the server decides for it.

use angos_oci::{Algorithm, Digest, Reference, UploadId};

use super::{AccessRequest, AccessRequestError};
use crate::action::Action;
use crate::method::RequestMethod;
use crate::operation::Operation;

/// All requests that the server decides before and while it runs one operation.
#[derive(Debug, Clone)]
pub struct AccessRequests {
    required: Vec<AccessRequest>,
    alternatives: Vec<AccessRequest>,
    has_unnamed_source: bool,
}

impl AccessRequests {
    /// The requests of the operation that `inquiry` describes.
    ///
    /// A push that names further tags, or a delete of a digest with tags, needs one decision per tag. A `start-upload` with
    /// a digest is a push in one request and needs `complete-upload` too. A `mount-blob` needs to read its source, or else
    /// to start an upload instead.
    ///
    /// What no such request says (a tag of a blob) is refused, and so is a request that names too little to be one. The
    /// digest and the session id, which rules hardly look at, may be left out: then they are that of no bytes, and zeros.
    pub fn of(inquiry: &AccessRequest) -> Result<Self, AccessRequestError> {
        inquiry.check_fields()?;
        let (method, time) = (inquiry.method, inquiry.time);
        let operation = operation(inquiry)?;
        let required = AccessRequest::for_operation(&operation, method, time).collect();
        let mut alternatives = Vec::new();
        let mut has_unnamed_source = false;
        if let Operation::MountBlob { name, digest, from } = operation {
            has_unnamed_source = from.is_none();
            if let Some(name) = from {
                let read = Operation::GetBlob { name, digest };
                alternatives.extend(AccessRequest::for_operation(&read, method, time));
            }
            let upload = Operation::StartUpload { name, algorithm: Some(digest.algorithm()) };
            alternatives.extend(AccessRequest::for_operation(&upload, method, time));
        }
        Ok(Self { required, alternatives, has_unnamed_source })
    }

    /// What has to be allowed, all of it.
    pub fn required(&self) -> &[AccessRequest] {
        &self.required
    }

    /// Of these one has to be allowed too, unless there are none. Whether the first one suffices depends on what is
    /// stored.
    pub fn alternatives(&self) -> &[AccessRequest] {
        &self.alternatives
    }

    /// Whether this is a mount without a source. Then reading the blob in any repository that owns it is an alternative too;
    /// which repositories own it, only the storage knows.
    pub fn has_unnamed_source(&self) -> bool {
        self.has_unnamed_source
    }
}

impl Action {
    /// The fields of [`AccessRequest::FIELDS`] that a request of this kind may say; every request has a `method` and a `time`.
    pub fn fields(self) -> &'static [&'static str] {
        match self {
            Self::GetManifest => &["namespace", "reference", "tag", "digest"],
            Self::PutManifest | Self::DeleteManifest => &["namespace", "reference", "tag", "digest", "tags"],
            Self::GetBlob | Self::DeleteBlob => &["namespace", "digest"],
            Self::StartUpload => &["namespace", "digest", "digest_algorithm"],
            Self::UpdateUpload | Self::GetUpload | Self::CancelUpload => &["namespace", "session_id"],
            Self::CompleteUpload => &["namespace", "session_id", "digest"],
            Self::MountBlob => &["namespace", "digest", "from"],
            Self::GetReferrers => &["namespace", "digest", "artifact_type", "n"],
            Self::ListTags => &["namespace", "n", "last"],
            Self::ListCatalog => &["n", "last"],
            Self::GetApiVersion | Self::Healthz | Self::Readyz | Self::Metrics => &[],
        }
    }
}

impl AccessRequest {
    /// Refuses what such a request does not say.
    fn check_fields(&self) -> Result<(), AccessRequestError> {
        let said = [
            ("namespace", self.namespace.is_some()),
            ("reference", self.reference.is_some()),
            ("tag", self.tag.is_some()),
            ("digest", self.digest.is_some()),
            ("tags", !self.tags.is_empty()),
            ("session_id", self.session.is_some()),
            ("from", self.from.is_some()),
            ("n", self.n.is_some()),
            ("last", self.last.is_some()),
            ("artifact_type", self.artifact_type.is_some()),
            ("digest_algorithm", self.algorithm.is_some()),
        ];
        let known = self.action.fields();
        if let Some((field, _)) = said.iter().find(|(field, is_said)| *is_said && !known.contains(field)) {
            return Err(AccessRequestError::Foreign { action: self.action, field });
        }
        let usual = self.action.method();
        let is_usual =
            self.method == usual || (self.method == RequestMethod::Head && usual == RequestMethod::Get);
        if is_usual {
            Ok(())
        } else {
            Err(AccessRequestError::Foreign { action: self.action, field: "method" })
        }
    }

    fn missing(&self, field: &'static str) -> AccessRequestError {
        AccessRequestError::Missing { action: self.action, field }
    }
}

fn operation(inquiry: &AccessRequest) -> Result<Operation, AccessRequestError> {
    let n = inquiry.n;
    let last = inquiry.last.clone();
    let name = || inquiry.namespace.clone().ok_or(inquiry.missing("namespace"));
    let digest = inquiry.digest.unwrap_or(Digest::of(Algorithm::Sha256, b""));
    let id = inquiry.session.unwrap_or(UploadId::ZERO);
    Ok(match inquiry.action {
        Action::GetApiVersion => Operation::Version,
        Action::Healthz => Operation::Healthz,
        Action::Readyz => Operation::Readyz,
        Action::Metrics => Operation::Metrics,
        Action::ListCatalog => Operation::ListCatalog { n, last },
        Action::GetManifest => Operation::GetManifest { name: name()?, reference: reference(inquiry)? },
        Action::PutManifest | Action::DeleteManifest => {
            let (name, reference) = (name()?, reference(inquiry)?);
            // Beside a digest, a tag is one of those to set or remove.
            let first = inquiry.tag.as_ref().filter(|_| reference.digest().is_some());
            let tags: Vec<_> = first.into_iter().chain(&inquiry.tags).cloned().collect();
            if !tags.is_empty() && reference.tag().is_some() {
                return Err(AccessRequestError::Foreign { action: inquiry.action, field: "tags" });
            }
            if inquiry.action == Action::PutManifest {
                Operation::PutManifest { name, reference, tags }
            } else {
                Operation::DeleteManifest { name, reference, tags }
            }
        }
        Action::GetBlob => Operation::GetBlob { name: name()?, digest },
        Action::DeleteBlob => Operation::DeleteBlob { name: name()?, digest },
        Action::StartUpload if inquiry.digest.is_some() => Operation::PushBlob { name: name()?, digest },
        Action::StartUpload => Operation::StartUpload { name: name()?, algorithm: inquiry.algorithm },
        Action::MountBlob => {
            let name = name()?;
            Operation::MountBlob { name, digest, from: inquiry.from.clone() }
        }
        Action::UpdateUpload => Operation::UpdateUpload { name: name()?, id },
        Action::GetUpload => Operation::GetUpload { name: name()?, id },
        Action::CancelUpload => Operation::CancelUpload { name: name()?, id },
        Action::CompleteUpload => Operation::CompleteUpload { name: name()?, id, digest },
        Action::GetReferrers => Operation::GetReferrers {
            name: name()?,
            digest,
            artifact_types: inquiry.artifact_type.iter().cloned().collect(),
            after: None,
            n,
        },
        Action::ListTags => Operation::ListTags { name: name()?, n, last },
    })
}

/// What a manifest is named by: its reference, its digest, or its tag.
fn reference(inquiry: &AccessRequest) -> Result<Reference, AccessRequestError> {
    let by_digest = inquiry.digest.map(Reference::Digest);
    let by_tag = || inquiry.tag.clone().map(Reference::Tag);
    let named = inquiry.reference.clone().or(by_digest).or_else(by_tag);
    named.ok_or(inquiry.missing("reference"))
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use super::*;

    const SHA256: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    fn request(action: Action, fields: &[(&str, &str)]) -> Result<AccessRequests, AccessRequestError> {
        let mut inquiry = AccessRequest::new(action, UNIX_EPOCH);
        for (field, text) in fields {
            inquiry.set(field, text).unwrap_or_else(|error| panic!("{field} = {text}: {error}"));
        }
        AccessRequests::of(&inquiry)
    }

    #[test]
    fn a_request_is_all_the_server_asks() {
        let check = |action, fields: &[(&str, &str)], required: &[&str], alternatives: &[&str]| {
            let request = request(action, fields).unwrap_or_else(|error| panic!("{fields:?}: {error}"));
            let texts =
                |requests: &[AccessRequest]| requests.iter().map(ToString::to_string).collect::<Vec<_>>();
            assert_eq!(texts(request.required()), required, "{fields:?}");
            assert_eq!(texts(request.alternatives()), alternatives, "{fields:?}");
        };
        check(Action::GetApiVersion, &[], &["get-api-version"], &[]);
        check(
            Action::GetManifest,
            &[("namespace", "a/b"), ("tag", "v1"), ("method", "HEAD")],
            &["get-manifest a/b, tag v1, method HEAD"],
            &[],
        );
        check(
            Action::PutManifest,
            &[("namespace", "a"), ("digest", SHA256), ("tag", "v1"), ("tags", "v2")],
            &[
                &format!("put-manifest a, digest {SHA256}, tags v1 v2"),
                &format!("put-manifest a, tag v1, digest {SHA256}, tags v1 v2"),
                &format!("put-manifest a, tag v2, digest {SHA256}, tags v1 v2"),
            ],
            &[],
        );
        check(
            Action::StartUpload,
            &[("namespace", "a"), ("digest", SHA256)],
            &[
                &format!("start-upload a, digest {SHA256}"),
                &format!("complete-upload a, digest {SHA256}, method POST"),
            ],
            &[],
        );
        check(
            Action::MountBlob,
            &[("namespace", "a"), ("from", "b")],
            &[&format!("mount-blob a, digest {SHA256}, from b")],
            &[
                &format!("get-blob b, digest {SHA256}, method POST"),
                "start-upload a, digest_algorithm sha256",
            ],
        );
        check(
            Action::MountBlob,
            &[("namespace", "a")],
            &[&format!("mount-blob a, digest {SHA256}")],
            &["start-upload a, digest_algorithm sha256"],
        );
        for action in Action::ALL {
            let all = [("namespace", "a"), ("from", "b"), ("tag", "v1")];
            let fields: Vec<_> =
                all.into_iter().filter(|(field, _)| action.fields().contains(field)).collect();
            let request = request(action, &fields).unwrap_or_else(|error| panic!("{action:?}: {error}"));
            assert_eq!(request.required().first().map(AccessRequest::action), Some(action));
        }
    }

    #[test]
    fn what_is_no_request_is_refused() {
        let check = |action, fields: &[(&str, &str)], expected: &str| {
            let error = request(action, fields).map(|request| request.required().len());
            assert_eq!(error.map_err(|error| error.to_string()), Err(expected.to_owned()), "{fields:?}");
        };
        check(Action::GetManifest, &[], "get-manifest needs a `namespace`");
        check(Action::GetManifest, &[("namespace", "a")], "get-manifest needs a `reference`");
        check(
            Action::GetBlob,
            &[("namespace", "a"), ("tag", "v1")],
            "get-blob has no `tag`; it may have namespace, digest",
        );
        check(
            Action::PutManifest,
            &[("namespace", "a"), ("tag", "v1"), ("tags", "v2")],
            "put-manifest has no `tags` unless it names a digest",
        );
        check(
            Action::GetBlob,
            &[("namespace", "a"), ("method", "PUT")],
            "get-blob is not asked with this method",
        );
    }
}
