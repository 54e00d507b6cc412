//! One request as policies see it.

mod expand;
mod parse;
mod record;

use std::cell::OnceCell;
use std::fmt::{self, Write as _};
use std::time::{SystemTime, UNIX_EPOCH};

use angos_oci::{Algorithm, Digest, Name, Reference, Tag, UploadId};
use angos_policy::{Facts, Value};

pub use self::expand::AccessRequests;
pub use self::parse::{AccessRequestError, parse_time};
pub(crate) use self::record::RecordedRequest;
use crate::action::Action;
use crate::method::RequestMethod;
use crate::operation::Operation;

/// One request that policies allow or deny.
///
/// The server makes one or several of each operation ([`AccessRequest::for_operation`]); tools set the fields by name
/// ([`AccessRequest::set`]). Both call [`AccessPolicies::decide`](crate::AccessPolicies::decide).
///
/// Making one costs reference counts only. Lists of tags and the text of a digest are formatted when a rule reads
/// them.
#[derive(Debug, Clone)]
pub struct AccessRequest {
    action: Action,
    namespace: Option<Name>,
    reference: Option<Reference>,
    tag: Option<Tag>,
    digest: Option<Digest>,
    /// Tags to set or remove besides the one a manifest is pushed or deleted by.
    tags: Vec<Tag>,
    session: Option<UploadId>,
    from: Option<Name>,
    n: Option<usize>,
    last: Option<String>,
    artifact_type: Option<String>,
    algorithm: Option<Algorithm>,
    method: RequestMethod,
    time: SystemTime,
    digest_text: OnceCell<Text>,
    session_text: OnceCell<Text>,
    tag_texts: OnceCell<Vec<String>>,
}

impl AccessRequest {
    /// A request for `action` at `time` without any other field. The method is the one clients use for the action.
    pub fn new(action: Action, time: SystemTime) -> Self {
        Self {
            action,
            namespace: None,
            reference: None,
            tag: None,
            digest: None,
            tags: Vec::new(),
            session: None,
            from: None,
            n: None,
            last: None,
            artifact_type: None,
            algorithm: None,
            method: action.method(),
            time,
            digest_text: OnceCell::new(),
            session_text: OnceCell::new(),
            tag_texts: OnceCell::new(),
        }
    }

    /// Every request that must be allowed before an operation runs.
    ///
    /// An operation on several tags or artifact types gives a request for each of them as well, so that a client cannot
    /// evade a rule about `request.tag` by sending the tag where only `request.tags` shows it.
    pub fn for_operation(
        operation: &Operation,
        method: RequestMethod,
        time: SystemTime,
    ) -> impl Iterator<Item = Self> + '_ {
        let first = move || Self::from_operation(operation, method, time);
        let (tags, types): (&[Tag], &[String]) = match operation {
            Operation::PutManifest { tags, .. } | Operation::DeleteManifest { tags, .. } => (tags, &[]),
            Operation::GetReferrers { artifact_types, .. } => (&[], artifact_types),
            _ => (&[], &[]),
        };
        // One request that starts an upload and completes it needs both.
        let completion = matches!(operation, Operation::PushBlob { .. })
            .then(|| Self { action: Action::CompleteUpload, ..first() });
        let each_tag = tags.iter().map(move |tag| Self { tag: Some(tag.clone()), ..first() });
        let each_type =
            types.iter().skip(1).map(move |wanted| Self { artifact_type: Some(wanted.clone()), ..first() });
        std::iter::once(first()).chain(completion).chain(each_tag).chain(each_type)
    }

    /// The first request of an operation, and for most operations the only one.
    pub fn from_operation(operation: &Operation, method: RequestMethod, time: SystemTime) -> Self {
        let mut request = Self::new(operation.action(), time);
        request.namespace = operation.namespace().cloned();
        request.method = method;
        match operation {
            Operation::GetManifest { reference, .. } => request.reference = Some(reference.clone()),
            Operation::PutManifest { reference, tags, .. }
            | Operation::DeleteManifest { reference, tags, .. } => {
                request.reference = Some(reference.clone());
                request.tags.clone_from(tags);
            }
            Operation::GetBlob { digest, .. }
            | Operation::DeleteBlob { digest, .. }
            | Operation::PushBlob { digest, .. } => request.digest = Some(*digest),
            Operation::MountBlob { digest, from, .. } => {
                request.digest = Some(*digest);
                request.from.clone_from(from);
            }
            Operation::StartUpload { algorithm, .. } => request.algorithm = *algorithm,
            Operation::GetUpload { id, .. }
            | Operation::UpdateUpload { id, .. }
            | Operation::CancelUpload { id, .. } => request.session = Some(*id),
            Operation::CompleteUpload { id, digest, .. } => {
                request.session = Some(*id);
                request.digest = Some(*digest);
            }
            Operation::GetReferrers { digest, artifact_types, n, .. } => {
                request.digest = Some(*digest);
                request.artifact_type = artifact_types.first().cloned();
                request.n = *n;
            }
            Operation::ListTags { n, last, .. } | Operation::ListCatalog { n, last } => {
                request.n = *n;
                request.last.clone_from(last);
            }
            _ => {}
        }
        request
    }

    /// The request that must be allowed for a repository to appear in a listing.
    pub fn list(name: &Name, method: RequestMethod, time: SystemTime) -> Self {
        Self { namespace: Some(name.clone()), method, ..Self::new(Action::ListTags, time) }
    }

    /// The request that must be allowed to read a blob which the client did not ask for by name.
    pub fn read(name: &Name, digest: &Digest, method: RequestMethod, time: SystemTime) -> Self {
        let (namespace, digest) = (Some(name.clone()), Some(*digest));
        Self { namespace, digest, method, ..Self::new(Action::GetBlob, time) }
    }

    /// What the caller asks for.
    pub fn action(&self) -> Action {
        self.action
    }

    /// The repository it is about.
    pub fn namespace(&self) -> Option<&Name> {
        self.namespace.as_ref()
    }

    /// Manifests have references: a tag or a digest, and of both it is the tag that a rule has to know.
    fn has_reference(&self) -> bool {
        self.reference.is_some() || self.action.is_about_manifest()
    }

    fn tag(&self) -> Option<&Tag> {
        self.tag.as_ref().or_else(|| self.reference.as_ref()?.tag())
    }

    fn digest(&self) -> Option<&Digest> {
        self.digest.as_ref().or_else(|| self.reference.as_ref()?.digest())
    }

    fn digest_text(&self) -> Value<'_> {
        lazy_text(self.digest(), &self.digest_text)
    }

    fn algorithm(&self) -> Option<Algorithm> {
        self.algorithm.or_else(|| self.digest().map(Digest::algorithm))
    }

    /// Every tag a push would set, or a delete remove.
    fn tag_list(&self) -> Vec<String> {
        if !matches!(self.action, Action::PutManifest | Action::DeleteManifest) {
            return Vec::new();
        }
        let first = self.tag().filter(|tag| !self.tags.contains(tag));
        first.into_iter().chain(&self.tags).map(ToString::to_string).collect()
    }
}

/// The variables of [`environment`](crate::environment()) in their order. Whether a repository policy applies is not
/// known to a request alone.
impl Facts for AccessRequest {
    fn fact(&self, index: usize) -> Value<'_> {
        match index {
            0 => Value::String(self.action.as_str()),
            1 => text(self.namespace.as_ref()),
            2 => match self.tag() {
                Some(tag) if self.has_reference() => Value::String(tag.as_ref()),
                None if self.has_reference() => self.digest_text(),
                _ => Value::Absent,
            },
            3 => text(self.tag()),
            4 => self.digest_text(),
            5 => Value::Strings(self.tag_texts.get_or_init(|| self.tag_list())),
            6 => lazy_text(self.session.as_ref(), &self.session_text),
            7 => text(self.from.as_ref()),
            8 => self.n.map_or(Value::Absent, |n| Value::Int(i64::try_from(n).unwrap_or(i64::MAX))),
            9 => text(self.last.as_ref()),
            10 => text(self.artifact_type.as_ref()),
            11 => self.algorithm().map_or(Value::Absent, |algorithm| Value::String(algorithm.as_str())),
            12 => Value::String(self.method.as_str()),
            13 => timestamp(self.time),
            _ => Value::Absent,
        }
    }
}

impl fmt::Display for AccessRequest {
    /// The action, the repository and what else is said, for people.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.action.as_str())?;
        if let Some(namespace) = &self.namespace {
            write!(f, " {namespace}")?;
        }
        let tags = self.tags.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
        let algorithm = self.algorithm.map(Algorithm::as_str);
        let method = (self.method != self.action.method()).then_some(self.method.as_str());
        let fields: [(&str, Option<&dyn fmt::Display>); 10] = [
            ("tag", self.tag().map(|tag| tag as _)),
            ("digest", self.digest().map(|digest| digest as _)),
            ("tags", (!tags.is_empty()).then_some(&tags as _)),
            ("session_id", self.session.as_ref().map(|session| session as _)),
            ("from", self.from.as_ref().map(|from| from as _)),
            ("n", self.n.as_ref().map(|n| n as _)),
            ("last", self.last.as_ref().map(|last| last as _)),
            ("artifact_type", self.artifact_type.as_ref().map(|wanted| wanted as _)),
            ("digest_algorithm", algorithm.as_ref().map(|algorithm| algorithm as _)),
            ("method", method.as_ref().map(|method| method as _)),
        ];
        fields.into_iter().try_for_each(|(name, value)| match value {
            Some(value) => write!(f, ", {name} {value}"),
            None => Ok(()),
        })
    }
}

fn text<T: AsRef<str>>(text: Option<&T>) -> Value<'_> {
    text.map_or(Value::Absent, |text| Value::String(text.as_ref()))
}

fn timestamp(time: SystemTime) -> Value<'static> {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    Value::Timestamp(i64::try_from(since.as_secs()).unwrap_or(i64::MAX), since.subsec_nanos())
}

/// The text of a value that is only spelled out when a rule asks for it.
fn lazy_text<'a>(value: Option<&impl fmt::Display>, cell: &'a OnceCell<Text>) -> Value<'a> {
    value.map_or(Value::Absent, |value| Value::String(cell.get_or_init(|| Text::of(value)).as_str()))
}

/// `sha512:` and 128 hexadecimal digits, the longest such text.
const TEXT_BYTES: usize = 7 + 128;

/// A short text without the heap.
#[derive(Debug, Clone)]
struct Text {
    bytes: [u8; TEXT_BYTES],
    length: usize,
}

impl Text {
    fn of(value: &impl fmt::Display) -> Self {
        let mut text = Self { bytes: [0; TEXT_BYTES], length: 0 };
        // Digests and upload ids fit. What did not would be cut, and equal nothing.
        let _ = write!(text, "{value}");
        text
    }

    fn as_str(&self) -> &str {
        self.bytes
            .get(..self.length)
            .and_then(|written| std::str::from_utf8(written).ok())
            .unwrap_or_default()
    }
}

impl fmt::Write for Text {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let end = self.length + text.len();
        let room = self.bytes.get_mut(self.length..end).ok_or(fmt::Error)?;
        room.copy_from_slice(text.as_bytes());
        self.length = end;
        Ok(())
    }
}
