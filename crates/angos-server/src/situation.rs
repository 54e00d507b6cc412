//! Stage 6, before there is a request: what is known of every inquiry of a kind, for tools that judge policies.

use angos_policy::{Caller, Known, PartialFacts, Value, Variable};

use crate::environment::VARIABLES;
use crate::route::Action;

/// What is known of an inquiry before it is made: who asks, what for, and in which policy's reach.
///
/// Every [`Inquiry`](crate::Inquiry) the server makes of a caller's request is one of those that
/// [`Situation::all`] describes.
#[derive(Debug, Clone)]
pub struct Situation {
    caller: Caller,
    action: Action,
    reference: Reference,
    repository: Option<String>,
}

/// How a manifest is referred to; of no meaning to other actions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reference {
    Tag,
    Digest,
    /// A push or delete by digest, asked about one of the tags it sets or removes.
    DigestAndTag,
}

const ABSENT: Known<'static> = Known::Exactly(Value::Absent);

impl Situation {
    /// Every situation of a caller; those below the configured repository of that name, or else those that
    /// no repository's policy is about.
    pub fn all(caller: &Caller, repository: Option<&str>) -> Vec<Self> {
        let of = |action: Action| {
            let references: &[Reference] = match action {
                Action::PutManifest | Action::DeleteManifest => {
                    &[Reference::Tag, Reference::Digest, Reference::DigestAndTag]
                }
                Action::GetManifest => &[Reference::Tag, Reference::Digest],
                _ => &[Reference::Tag],
            };
            references.iter().map(move |reference| Self {
                caller: caller.clone(),
                action,
                reference: *reference,
                repository: repository.map(str::to_owned),
            })
        };
        let in_reach = |action: &Action| repository.is_none() || action.is_in_repository();
        Action::ALL.into_iter().filter(in_reach).flat_map(of).collect()
    }

    /// What is asked for.
    pub fn action(&self) -> Action {
        self.action
    }

    /// Whether it is about pushing or deleting a manifest by its digest alone: of the tags that it changes, each is asked
    /// about by itself.
    pub fn is_change_by_digest(&self) -> bool {
        self.is_tag_change() && self.reference == Reference::Digest
    }

    /// What rules call a variable.
    pub fn path(variable: Variable) -> &'static str {
        match variable {
            Variable::Identity(path) => path,
            Variable::Fact(index) => VARIABLES.get(index).map_or("has_repository_policy()", |(path, _)| path),
            _ => "a variable",
        }
    }

    fn is_tag_change(&self) -> bool {
        matches!(self.action, Action::PutManifest | Action::DeleteManifest)
    }

    fn digest(&self) -> Known<'_> {
        match self.action {
            Action::GetManifest | Action::PutManifest | Action::DeleteManifest => match self.reference {
                Reference::Tag => ABSENT,
                Reference::Digest | Reference::DigestAndTag => Known::Present,
            },
            Action::GetBlob
            | Action::DeleteBlob
            | Action::CompleteUpload
            | Action::MountBlob
            | Action::GetReferrers => Known::Present,
            // An upload may be started and completed by one request.
            Action::StartUpload => Known::Nothing,
            _ => ABSENT,
        }
    }

    fn tag(&self) -> Known<'_> {
        match self.reference {
            Reference::Tag | Reference::DigestAndTag if self.action.is_about_manifest() => Known::Present,
            _ => ABSENT,
        }
    }

    fn tags(&self) -> Known<'_> {
        match self.reference {
            _ if !self.is_tag_change() => ABSENT,
            Reference::Digest => Known::Nothing,
            _ => Known::Present,
        }
    }
}

impl PartialFacts for Situation {
    fn caller(&self) -> &Caller {
        &self.caller
    }

    fn fact(&self, index: usize) -> Known<'_> {
        let of = |actions: &[Action], known| if actions.contains(&self.action) { known } else { ABSENT };
        match index {
            0 => Known::Exactly(Value::String(self.action.as_str())),
            1 => match &self.repository {
                _ if !self.action.is_in_repository() => ABSENT,
                Some(name) => Known::StartsWith(name),
                None => Known::Present,
            },
            2 => {
                if self.action.is_about_manifest() {
                    Known::Present
                } else {
                    ABSENT
                }
            }
            3 => self.tag(),
            4 | 11 => self.digest(),
            5 => self.tags(),
            6 => match self.action {
                Action::CompleteUpload => Known::Nothing,
                _ => of(&[Action::GetUpload, Action::UpdateUpload, Action::CancelUpload], Known::Present),
            },
            7 => of(&[Action::MountBlob], Known::Nothing),
            8 => of(&[Action::ListTags, Action::ListCatalog, Action::GetReferrers], Known::Nothing),
            9 => of(&[Action::ListTags, Action::ListCatalog], Known::Nothing),
            10 => of(&[Action::GetReferrers], Known::Nothing),
            12 | 13 => Known::Present,
            14 => Known::Exactly(Value::Bool(self.repository.is_some())),
            _ => Known::Nothing,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use hyper::Method;

    use super::*;
    use crate::inquiry::Inquiry;
    use crate::route::route;

    fn is_true_of(known: Known<'_>, value: Value<'_>) -> bool {
        match (known, value) {
            (Known::Exactly(Value::Absent), Value::Absent | Value::Strings([]))
            | (Known::Nothing, _)
            | (Known::Present, Value::Strings(_)) => true,
            (Known::Exactly(known), value) => known == value,
            (Known::StartsWith(start), Value::String(text)) => text.starts_with(start),
            (Known::Present, value) => value != Value::Absent,
            _ => false,
        }
    }

    /// Every inquiry of a request is one of the situations, by every variable; and the other actions are none.
    #[test]
    fn every_inquiry_is_one_of_the_situations() {
        let digest = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        let id = "0".repeat(82);
        let mut seen = Vec::new();
        for (method, target) in [
            (Method::GET, "/v2/".to_owned()),
            (Method::GET, "/v2/_catalog?n=3&last=x".to_owned()),
            (Method::GET, "/v2/a/b/manifests/v1".to_owned()),
            (Method::HEAD, format!("/v2/a/b/manifests/{digest}")),
            (Method::PUT, "/v2/a/b/manifests/v1".to_owned()),
            (Method::PUT, format!("/v2/a/b/manifests/{digest}")),
            (Method::PUT, format!("/v2/a/b/manifests/{digest}?tag=one&tag=two")),
            (Method::DELETE, "/v2/a/b/manifests/v1".to_owned()),
            (Method::DELETE, format!("/v2/a/b/manifests/{digest}")),
            (Method::GET, format!("/v2/a/b/blobs/{digest}")),
            (Method::DELETE, format!("/v2/a/b/blobs/{digest}")),
            (Method::POST, "/v2/a/b/blobs/uploads/".to_owned()),
            (Method::POST, "/v2/a/b/blobs/uploads/?digest-algorithm=sha512".to_owned()),
            (Method::POST, format!("/v2/a/b/blobs/uploads/?digest={digest}")),
            (Method::POST, format!("/v2/a/b/blobs/uploads/?mount={digest}&from=b")),
            (Method::POST, format!("/v2/a/b/blobs/uploads/?mount={digest}")),
            (Method::GET, format!("/v2/a/b/blobs/uploads/{id}")),
            (Method::PATCH, format!("/v2/a/b/blobs/uploads/{id}")),
            (Method::PUT, format!("/v2/a/b/blobs/uploads/{id}?digest={digest}")),
            (Method::DELETE, format!("/v2/a/b/blobs/uploads/{id}")),
            (Method::GET, "/v2/a/b/tags/list?n=3&last=x".to_owned()),
            (Method::GET, "/v2/a/b/tags/list".to_owned()),
            (Method::GET, format!("/v2/a/b/referrers/{digest}?artifactType=a/b&artifactType=c/d&n=1")),
            (Method::GET, "/healthz".to_owned()),
            (Method::GET, "/readyz".to_owned()),
            (Method::GET, "/metrics".to_owned()),
        ] {
            let (path, query) =
                target.split_once('?').map_or((&*target, None), |(path, query)| (path, Some(query)));
            let operation = route(&method, path, query).unwrap_or_else(|error| panic!("{target}: {error:?}"));
            for inquiry in Inquiry::all(&operation, &method, UNIX_EPOCH) {
                seen.push(inquiry.action());
                let scopes: &[Option<&str>] =
                    if inquiry.namespace().is_some() { &[None, Some("a")] } else { &[None] };
                for scope in scopes {
                    let all = Situation::all(&Caller::ANONYMOUS, *scope);
                    let fits = |situation: &Situation| {
                        (0..14).all(|index| is_true_of(situation.fact(index), inquiry.fact(index)))
                    };
                    let fitting = all.iter().filter(|situation| fits(situation)).count();
                    assert!(fitting > 0, "{method} {target} {scope:?}: {inquiry:?}");
                    assert!(all.iter().all(|it| !fits(it) || it.action() == inquiry.action()), "{target}");
                }
            }
        }
        assert!(Action::ALL.iter().all(|action| seen.contains(action)), "{seen:?}");
    }
}
