//! How everything is spelled in the metadata store: one letter per family, then parts that sort as they should.
//!
//! | family | key | value ([`crate::record`]) | read in order for |
//! |---|---|---|---|
//! | `c` | name | catalog entry | the catalog |
//! | `t` | name 0 tag | what the tag names | tag lists |
//! | `r` | name 0 digest | the revision, with its bytes | |
//! | `g` | name 0 digest tag | nothing: the tag may name this digest | deleting a digest |
//! | `f` | name 0 subject digest | descriptor of a referrer | referrers |
//! | `b` | name 0 digest | ownership of a blob | |
//! | `o` | digest name | nothing: the name owns this blob | anonymous mounts, collection |
//! | `m` | digest name | nothing: a revision of the name keeps its bytes as this blob | collection |
//! | `l` | name 0 digest digest | nothing: the second, a manifest, references the first, a blob | collection, deleting a blob |
//! | `q` | digest | when owners or references of this blob last changed | collection |
//! | `x` | digest | since when a collector removes this blob | collection |
//! | `z` | name | when something was last removed from the repository | collection |
//! | `u` | name 0 session | upload session that holds bytes | |
//! | `e` | start session name | nothing: the same session by age | expiry |
//! | `k` | word | secrets, format and progress of this registry | |
//!
//! Names and tags hold no zero byte, digests and sessions have a length of their own, so no key is a prefix of
//! another's parts, and byte order is the order the specification asks for.

use angos_oci::{Algorithm, Digest, Name, Tag};

pub(crate) const UPLOAD_SECRET: &[u8] = b"kupload";
pub(crate) const FORMAT: &[u8] = b"kformat";
pub(crate) const MIGRATION: &[u8] = b"kmigration";
pub(crate) const SWEEP: &[u8] = b"ksweep";
pub(crate) const SWEPT: &[u8] = b"kswept";
pub(crate) const CATALOG: &[u8] = b"c";
pub(crate) const REVISIONS: &[u8] = b"r";
pub(crate) const GC_CANDIDATES: &[u8] = b"q";
pub(crate) const CONDEMNED: &[u8] = b"x";
pub(crate) const EMPTIED: &[u8] = b"z";
pub(crate) const EXPIRY: &[u8] = b"e";

pub(crate) fn catalog(name: &Name) -> Vec<u8> {
    Key::new(b'c', name.len()).text(name).done()
}

pub(crate) fn tags(name: &Name) -> Vec<u8> {
    Key::within(b't', name, 0).done()
}

/// The key of a tag, or of any text a client named as the last tag it saw.
pub(crate) fn tag(name: &Name, tag: &str) -> Vec<u8> {
    Key::within(b't', name, tag.len()).text(tag).done()
}

pub(crate) fn revision(name: &Name, digest: &Digest) -> Vec<u8> {
    Key::within(b'r', name, DIGEST).digest(digest).done()
}

pub(crate) fn tag_index_prefix(name: &Name, digest: &Digest) -> Vec<u8> {
    Key::within(b'g', name, DIGEST).digest(digest).done()
}

pub(crate) fn tag_index(name: &Name, digest: &Digest, tag: &Tag) -> Vec<u8> {
    Key::within(b'g', name, DIGEST + tag.len()).digest(digest).text(tag).done()
}

pub(crate) fn referrers(name: &Name, subject: &Digest) -> Vec<u8> {
    Key::within(b'f', name, DIGEST).digest(subject).done()
}

pub(crate) fn referrer(name: &Name, subject: &Digest, digest: &Digest) -> Vec<u8> {
    Key::within(b'f', name, 2 * DIGEST).digest(subject).digest(digest).done()
}

pub(crate) fn ownership(name: &Name, digest: &Digest) -> Vec<u8> {
    Key::within(b'b', name, DIGEST).digest(digest).done()
}

pub(crate) fn owners(digest: &Digest) -> Vec<u8> {
    Key::new(b'o', DIGEST).digest(digest).done()
}

pub(crate) fn owner(digest: &Digest, name: &Name) -> Vec<u8> {
    Key::new(b'o', DIGEST + name.len()).digest(digest).text(name).done()
}

pub(crate) fn manifest_bytes(digest: &Digest, name: &Name) -> Vec<u8> {
    Key::new(b'm', DIGEST + name.len()).digest(digest).text(name).done()
}

/// The manifests of a repository that reference a blob.
pub(crate) fn references(name: &Name, blob: &Digest) -> Vec<u8> {
    Key::within(b'l', name, DIGEST).digest(blob).done()
}

pub(crate) fn reference(name: &Name, blob: &Digest, manifest: &Digest) -> Vec<u8> {
    Key::within(b'l', name, 2 * DIGEST).digest(blob).digest(manifest).done()
}

pub(crate) fn manifest_keepers(digest: &Digest) -> Vec<u8> {
    Key::new(b'm', DIGEST).digest(digest).done()
}

pub(crate) fn condemned(digest: &Digest) -> Vec<u8> {
    Key::new(b'x', DIGEST).digest(digest).done()
}

pub(crate) fn emptied(name: &Name) -> Vec<u8> {
    Key::new(b'z', name.len()).text(name).done()
}

/// Everything of one family in a repository.
pub(crate) fn in_repository(family: u8, name: &Name) -> Vec<u8> {
    Key::within(family, name, 0).done()
}

pub(crate) fn gc_candidate(digest: &Digest) -> Vec<u8> {
    Key::new(b'q', DIGEST).digest(digest).done()
}

pub(crate) fn upload(name: &Name, session: &[u8; 16]) -> Vec<u8> {
    Key::within(b'u', name, session.len()).bytes(session).done()
}

pub(crate) fn expiry(start: u64, session: &[u8; 16], name: &Name) -> Vec<u8> {
    Key::new(b'e', 24 + name.len()).bytes(&start.to_be_bytes()).bytes(session).text(name).done()
}

/// What an expiry key says: when the session started, which one, and whose.
pub(crate) fn parse_expiry(key: &[u8]) -> Option<(u64, [u8; 16], Name)> {
    let rest = key.strip_prefix(EXPIRY)?;
    let (start, rest) = rest.split_first_chunk::<8>()?;
    let (session, name) = rest.split_first_chunk::<16>()?;
    Some((u64::from_be_bytes(*start), *session, parse_text(name)?))
}

/// What follows `prefix` in a scanned key, as a name or a tag.
pub(crate) fn text_after<T: std::str::FromStr>(key: &[u8], prefix: &[u8]) -> Option<T> {
    parse_text(key.strip_prefix(prefix)?)
}

/// The digest that follows `prefix` in a scanned key.
pub(crate) fn digest_after(key: &[u8], prefix: &[u8]) -> Option<Digest> {
    let (code, bytes) = key.strip_prefix(prefix)?.split_first()?;
    Digest::from_bytes(algorithm(*code)?, bytes)
}

/// The repository and the digest in the key of a revision.
pub(crate) fn parse_revision(key: &[u8]) -> Option<(Name, Digest)> {
    let rest = key.strip_prefix(REVISIONS)?;
    let end = rest.iter().position(|byte| *byte == 0)?;
    let (name, digest) = rest.split_at_checked(end)?;
    Some((parse_text(name)?, digest_after(digest, &[0])?))
}

fn parse_text<T: std::str::FromStr>(bytes: &[u8]) -> Option<T> {
    std::str::from_utf8(bytes).ok()?.parse().ok()
}

/// One byte for an algorithm, at rest and in session ids. 0 is free for "none".
pub(crate) fn algorithm_code(algorithm: Algorithm) -> u8 {
    match algorithm {
        Algorithm::Sha256 => 1,
        Algorithm::Sha512 => 2,
        // An algorithm added to the vocabulary gets a code here before it is stored.
        _ => u8::MAX,
    }
}

pub(crate) fn algorithm(code: u8) -> Option<Algorithm> {
    [Algorithm::Sha256, Algorithm::Sha512].into_iter().find(|known| algorithm_code(*known) == code)
}

/// Room for the longest digest: the code of the algorithm and 64 bytes.
const DIGEST: usize = 65;

struct Key(Vec<u8>);

impl Key {
    fn new(family: u8, room: usize) -> Self {
        let mut key = Vec::with_capacity(1 + room);
        key.push(family);
        Self(key)
    }

    fn within(family: u8, name: &Name, room: usize) -> Self {
        Self::new(family, name.len() + 1 + room).text(name).bytes(&[0])
    }

    fn text(self, text: &str) -> Self {
        self.bytes(text.as_bytes())
    }

    fn digest(mut self, digest: &Digest) -> Self {
        self.0.push(algorithm_code(digest.algorithm()));
        self.bytes(digest.bytes())
    }

    fn bytes(mut self, bytes: &[u8]) -> Self {
        self.0.extend_from_slice(bytes);
        self
    }

    fn done(self) -> Vec<u8> {
        self.0
    }
}
