//! Stage 6, the words: what a policy may say about a request, and the values of one request.
//!
//! The order of [`declare`] and of [`Question::fact`] is one list, kept side by side and held together by a test.

use std::cell::OnceCell;
use std::fmt::{self, Write as _};
use std::time::{SystemTime, UNIX_EPOCH};

use angos_oci::{Algorithm, Digest, Name, Reference, Tag};
use angos_policy::{Environment, EnvironmentError, Facts, Type, Value};
use angos_registry::UploadId;

use crate::route::{Action, Operation};

/// The environment every access policy of the registry is compiled in: `request.*` and `has_repository_policy()`
/// besides the `identity.*` that `angos-policy` always declares.
///
/// Building it costs some allocations: build it once and compile every policy in it.
///
/// # Panics
/// Never: the declarations are constants, and a test builds them.
#[allow(clippy::expect_used, reason = "the declarations are constants, and a test builds them")]
pub fn environment() -> Environment {
    declare().expect("constant declarations")
}

fn declare() -> Result<Environment, EnvironmentError> {
    Environment::builder()
        .variable("request.action", Type::Word(Action::WORDS))
        .variable("request.namespace", Type::String)
        .variable("request.reference", Type::String)
        .variable("request.tag", Type::String)
        .variable("request.digest", Type::String)
        .variable("request.tags", Type::StringList)
        .variable("request.session_id", Type::String)
        .variable("request.from", Type::String)
        .variable("request.n", Type::Int)
        .variable("request.last", Type::String)
        .variable("request.artifact_type", Type::String)
        .variable("request.digest_algorithm", Type::String)
        .variable("request.method", Type::String)
        .variable("request.time", Type::Timestamp)
        .nullary("has_repository_policy", Type::Bool)
        .alias("request.repository", "request.namespace")
        .build()
}

/// One thing a caller wants, as the rules see it. Borrows from the operation; building it does not allocate, unless
/// tags are pushed.
#[derive(Debug)]
pub(crate) struct Question<'a> {
    pub(crate) action: Action,
    pub(crate) namespace: Option<&'a Name>,
    pub(crate) method: &'a str,
    pub(crate) time: SystemTime,
    pub(crate) has_repository_policy: bool,
    reference: Option<&'a Reference>,
    tag: Option<&'a Tag>,
    digest: Option<&'a Digest>,
    tags: Vec<String>,
    session: Option<&'a UploadId>,
    from: Option<&'a Name>,
    n: Option<usize>,
    last: Option<&'a str>,
    artifact_type: Option<&'a str>,
    algorithm: Option<&'static str>,
    digest_text: OnceCell<Text>,
    session_text: OnceCell<Text>,
}

impl<'a> Question<'a> {
    /// A question about an action and a namespace, and nothing more particular.
    pub(crate) fn new(
        action: Action,
        namespace: Option<&'a Name>,
        method: &'a str,
        time: SystemTime,
    ) -> Self {
        Self {
            action,
            namespace,
            method,
            time,
            has_repository_policy: false,
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
            digest_text: OnceCell::new(),
            session_text: OnceCell::new(),
        }
    }

    /// Every question an operation asks; all of them have to be allowed.
    ///
    /// What a request names several of, tags to set or artifact types to list, is asked about one by one too, so that
    /// a rule about `request.tag` cannot be passed by naming the tag where only `request.tags` tells.
    pub(crate) fn all(
        operation: &'a Operation,
        method: &'a str,
        time: SystemTime,
    ) -> impl Iterator<Item = Self> {
        let about = move || Self::about(operation, method, time);
        let (tags, types): (&[Tag], &[String]) = match operation {
            Operation::PutManifest { tags, .. } => (tags, &[]),
            Operation::GetReferrers { artifact_types, .. } => (&[], artifact_types),
            _ => (&[], &[]),
        };
        // One request that starts an upload and completes it needs both.
        let completion = matches!(operation, Operation::PushBlob { .. })
            .then(|| about().with_action(Action::CompleteUpload));
        std::iter::once(about())
            .chain(completion)
            .chain(tags.iter().map(move |tag| Self { tag: Some(tag), ..about() }))
            .chain(types.iter().skip(1).map(move |wanted| Self { artifact_type: Some(wanted), ..about() }))
    }

    /// The question an operation asks first, and mostly the only one.
    pub(crate) fn about(operation: &'a Operation, method: &'a str, time: SystemTime) -> Self {
        let mut question = Self::new(operation.action(), operation.namespace(), method, time);
        match operation {
            Operation::GetManifest { reference, .. } | Operation::DeleteManifest { reference, .. } => {
                question.refers_to(reference);
            }
            Operation::PutManifest { reference, tags, .. } => {
                question.refers_to(reference);
                question.tags =
                    reference.tag().into_iter().chain(tags).map(|tag| tag.as_ref().to_owned()).collect();
            }
            Operation::GetBlob { digest, .. }
            | Operation::DeleteBlob { digest, .. }
            | Operation::PushBlob { digest, .. } => question.digest = Some(digest),
            Operation::MountBlob { digest, from, .. } => {
                question.digest = Some(digest);
                question.from = from.as_ref();
            }
            Operation::StartUpload { algorithm, .. } => {
                question.algorithm = algorithm.map(Algorithm::as_str);
            }
            Operation::GetUpload { id, .. }
            | Operation::UpdateUpload { id, .. }
            | Operation::CancelUpload { id, .. } => question.session = Some(id),
            Operation::CompleteUpload { id, digest, .. } => {
                question.session = Some(id);
                question.digest = Some(digest);
            }
            Operation::GetReferrers { digest, artifact_types, n, .. } => {
                question.digest = Some(digest);
                question.artifact_type = artifact_types.first().map(AsRef::as_ref);
                question.n = *n;
            }
            Operation::ListTags { n, last, .. } | Operation::ListCatalog { n, last } => {
                question.n = *n;
                question.last = last.as_deref();
            }
            _ => {}
        }
        if let Some(digest) = question.digest {
            question.algorithm = Some(digest.algorithm().as_str());
        }
        question
    }

    /// The same question about another action, for an operation that is two at once.
    pub(crate) fn with_action(mut self, action: Action) -> Self {
        self.action = action;
        self
    }

    /// The same question about one blob.
    pub(crate) fn with_digest(mut self, digest: &'a Digest) -> Self {
        self.digest = Some(digest);
        self.algorithm = Some(digest.algorithm().as_str());
        self
    }

    fn refers_to(&mut self, reference: &'a Reference) {
        self.reference = Some(reference);
        self.tag = reference.tag();
        self.digest = reference.digest();
    }

    fn digest_text(&self) -> Value<'_> {
        written(self.digest, &self.digest_text)
    }

    fn tag_text(&self) -> Option<&str> {
        self.tag.map(Tag::as_ref)
    }
}

impl Facts for Question<'_> {
    fn fact(&self, index: usize) -> Value<'_> {
        match index {
            0 => Value::String(self.action.as_str()),
            1 => text(self.namespace.map(AsRef::as_ref)),
            2 => self.tag_text().map_or_else(
                || if self.reference.is_some() { self.digest_text() } else { Value::Absent },
                Value::String,
            ),
            3 => text(self.tag_text()),
            4 => self.digest_text(),
            5 => Value::Strings(&self.tags),
            6 => written(self.session, &self.session_text),
            7 => text(self.from.map(AsRef::as_ref)),
            8 => self.n.map_or(Value::Absent, |n| Value::Int(i64::try_from(n).unwrap_or(i64::MAX))),
            9 => text(self.last),
            10 => text(self.artifact_type),
            11 => text(self.algorithm),
            12 => Value::String(self.method),
            13 => timestamp(self.time),
            14 => Value::Bool(self.has_repository_policy),
            _ => Value::Absent,
        }
    }
}

fn text(text: Option<&str>) -> Value<'_> {
    text.map_or(Value::Absent, Value::String)
}

fn timestamp(time: SystemTime) -> Value<'static> {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    Value::Timestamp(i64::try_from(since.as_secs()).unwrap_or(i64::MAX), since.subsec_nanos())
}

/// The text of a value that is only spelled out when a rule asks for it.
fn written<'a>(value: Option<&impl fmt::Display>, cell: &'a OnceCell<Text>) -> Value<'a> {
    value.map_or(Value::Absent, |value| Value::String(cell.get_or_init(|| Text::of(value)).as_str()))
}

/// `sha512:` and 128 hexadecimal digits, the longest such text.
const TEXT_BYTES: usize = 7 + 128;

/// A short text without the heap.
#[derive(Debug)]
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

#[cfg(test)]
mod tests;
