//! What is written under the keys of [`crate::key`].

#[cfg(test)]
mod tests;

use angos_oci::{Digest, MediaType};
use angos_storage::SessionId;
use bytes::Bytes;

use crate::codec::{Decoder, Encoder, Malformed};

/// Every record written today; a reader of this version refuses any other.
const VERSION: u8 = 1;

/// A record that can be written and read back.
pub(crate) trait Record: Sized {
    /// The word for it in errors.
    const WHAT: &'static str;
    fn encode(&self) -> Bytes;
    fn decode(bytes: Bytes) -> Result<Self, Malformed>;
}

/// `None` stands where a tag or revision was removed in the same batch.
///
/// Removal is a compare-and-swap to this value followed by a delete, because that is how a batch removes a key only if
/// it still holds what was read. An engine that stops between the two leaves the value, which reads as absent.
pub(crate) const REMOVED: &[u8] = &[0];

/// Reads a record that may have been [`REMOVED`].
pub(crate) fn present<R: Record>(bytes: Bytes) -> crate::Result<Option<R>> {
    if bytes == REMOVED {
        return Ok(None);
    }
    decode(bytes).map(Some)
}

/// Reads a record, or says which kind of it is damaged.
pub(crate) fn decode<R: Record>(bytes: Bytes) -> crate::Result<R> {
    R::decode(bytes).map_err(|Malformed| crate::Error::Corrupt { what: R::WHAT })
}

/// What a tag names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TagEntry {
    /// The revision it names.
    pub digest: Digest,
    /// The media type the revision was pushed with.
    pub media_type: MediaType,
    /// Size of the manifest in bytes.
    pub size: u64,
    /// When it was last pushed, in nanoseconds since the Unix epoch.
    pub time: u64,
    /// Who pushed it, as the server named them; at most 256 bytes.
    pub pushed_by: String,
}

impl Record for TagEntry {
    const WHAT: &'static str = "tag";

    fn encode(&self) -> Bytes {
        Encoder::new(VERSION)
            .digest(&self.digest)
            .text(self.media_type.as_str())
            .number(self.size)
            .number(self.time)
            .text(&self.pushed_by)
            .done()
    }

    fn decode(bytes: Bytes) -> Result<Self, Malformed> {
        let mut from = Decoder::new(bytes, VERSION)?;
        let entry = Self {
            digest: from.digest()?,
            media_type: from.text()?,
            size: from.number()?,
            time: from.number()?,
            pushed_by: from.text()?,
        };
        from.end()?;
        Ok(entry)
    }
}

/// One manifest of a namespace. Annotations are in its bytes and nowhere else, so the two cannot disagree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Revision {
    pub(crate) media_type: MediaType,
    pub(crate) artifact_type: Option<MediaType>,
    pub(crate) subject: Option<Digest>,
    pub(crate) size: u64,
    pub(crate) time: u64,
    pub(crate) content: Content,
}

/// Where the bytes of a manifest are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Content {
    /// Here, so that a pull is one read.
    Inline(Bytes),
    /// In the blob store, under the digest of the revision.
    Blob,
}

impl Record for Revision {
    const WHAT: &'static str = "revision";

    fn encode(&self) -> Bytes {
        let head = Encoder::new(VERSION)
            .text(self.media_type.as_str())
            .optional(self.artifact_type.as_ref(), |to, artifact_type| to.text(artifact_type.as_str()))
            .optional(self.subject.as_ref(), Encoder::digest)
            .number(self.size)
            .number(self.time);
        match &self.content {
            Content::Inline(bytes) => head.byte(1).rest(bytes),
            Content::Blob => head.byte(0),
        }
        .done()
    }

    fn decode(bytes: Bytes) -> Result<Self, Malformed> {
        let mut from = Decoder::new(bytes, VERSION)?;
        let media_type = from.text()?;
        let artifact_type = from.optional(Decoder::text)?;
        let subject = from.optional(Decoder::digest)?;
        let size = from.number()?;
        let time = from.number()?;
        let content = match from.byte()? {
            0 => {
                from.end()?;
                Content::Blob
            }
            1 => {
                let bytes = from.rest();
                if u64::try_from(bytes.len()) != Ok(size) {
                    return Err(Malformed);
                }
                Content::Inline(bytes)
            }
            _ => return Err(Malformed),
        };
        Ok(Self { media_type, artifact_type, subject, size, time, content })
    }
}

/// One entry of a list of referrers: its artifact type for filters, and the descriptor as it goes to clients, or nothing
/// where that is too large to stand in a list and is made from the manifest when asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Referrer {
    pub(crate) artifact_type: Option<MediaType>,
    pub(crate) descriptor: Bytes,
}

impl Record for Referrer {
    const WHAT: &'static str = "referrer";

    fn encode(&self) -> Bytes {
        Encoder::new(VERSION)
            .optional(self.artifact_type.as_ref(), |to, artifact_type| to.text(artifact_type.as_str()))
            .rest(&self.descriptor)
            .done()
    }

    fn decode(bytes: Bytes) -> Result<Self, Malformed> {
        let mut from = Decoder::new(bytes, VERSION)?;
        Ok(Self { artifact_type: from.optional(Decoder::text)?, descriptor: from.rest() })
    }
}

/// Size of a blob and since when a namespace owns it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ownership {
    pub(crate) size: u64,
    pub(crate) time: u64,
}

impl Record for Ownership {
    const WHAT: &'static str = "ownership";

    fn encode(&self) -> Bytes {
        Encoder::new(VERSION).number(self.size).number(self.time).done()
    }

    fn decode(bytes: Bytes) -> Result<Self, Malformed> {
        let mut from = Decoder::new(bytes, VERSION)?;
        let ownership = Self { size: from.number()?, time: from.number()? };
        from.end()?;
        Ok(ownership)
    }
}

/// When something happened: a repository was created, a blob may have lost an owner.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Timestamp(pub(crate) u64);

impl Record for Timestamp {
    const WHAT: &'static str = "timestamp";

    fn encode(&self) -> Bytes {
        Encoder::new(VERSION).number(self.0).done()
    }

    fn decode(bytes: Bytes) -> Result<Self, Malformed> {
        let mut from = Decoder::new(bytes, VERSION)?;
        let moment = Self(from.number()?);
        from.end()?;
        Ok(moment)
    }
}

/// The format of the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Number(pub(crate) u64);

impl Record for Number {
    const WHAT: &'static str = "format";

    fn encode(&self) -> Bytes {
        Encoder::new(VERSION).number(self.0).done()
    }

    fn decode(bytes: Bytes) -> Result<Self, Malformed> {
        let mut from = Decoder::new(bytes, VERSION)?;
        let number = Self(from.number()?);
        from.end()?;
        Ok(number)
    }
}

/// The last blob that a sweep looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SweepPosition(pub(crate) Digest);

impl Record for SweepPosition {
    const WHAT: &'static str = "position of a sweep";

    fn encode(&self) -> Bytes {
        Encoder::new(VERSION).digest(&self.0).done()
    }

    fn decode(bytes: Bytes) -> Result<Self, Malformed> {
        let mut from = Decoder::new(bytes, VERSION)?;
        let position = Self(from.digest()?);
        from.end()?;
        Ok(position)
    }
}

/// The blob store's session behind an upload that holds bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Upload {
    pub(crate) session: SessionId,
}

impl Record for Upload {
    const WHAT: &'static str = "upload";

    fn encode(&self) -> Bytes {
        Encoder::new(VERSION).text(&self.session.to_string()).done()
    }

    fn decode(bytes: Bytes) -> Result<Self, Malformed> {
        let mut from = Decoder::new(bytes, VERSION)?;
        let upload = Self { session: from.text()? };
        from.end()?;
        Ok(upload)
    }
}
