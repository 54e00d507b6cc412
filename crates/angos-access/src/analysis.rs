//! Classes of requests: what is known of every request of a kind, for tools that analyze policies.

use angos_policy::{Caller, Known, PartialFacts, Value, Variable};

use crate::action::Action;
use crate::environment::VARIABLES;

/// What is known of every request of one kind: the kind of caller, the action and the repository.
///
/// Every [`AccessRequest`](crate::AccessRequest) of the server belongs to one of [`RequestClass::all`].
#[derive(Debug, Clone)]
pub struct RequestClass {
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

impl RequestClass {
    /// Every class of a caller; those below the configured repository of that name, or else those that
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

impl PartialFacts for RequestClass {
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
