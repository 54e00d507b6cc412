//! From a request's body into a blob writer, within what was announced and what is allowed.

use angos_oci::ContentRange;
use angos_storage::Writer;

use crate::{Body, Error, Result};

/// What the headers of a request and the settings say about its body.
#[derive(Debug, Clone, Copy)]
pub(crate) struct BodyLimits {
    /// The length announced, if one was.
    length: Option<u64>,
    /// Where the session stands, and the largest blob it may become.
    offset: u64,
    limit: Option<u64>,
}

impl BodyLimits {
    /// Refuses what cannot come out right before any byte of it is read.
    pub(crate) fn new(
        range: Option<ContentRange>,
        content_length: Option<u64>,
        offset: u64,
        limit: Option<u64>,
    ) -> Result<Self> {
        if range.is_some_and(|range| range.start() != offset) {
            return Err(Error::RangeInvalid { offset });
        }
        let length = match (range.map(ContentRange::length), content_length) {
            (Some(range), Some(length)) if range != length => return Err(Error::SizeMismatch),
            (range, length) => range.or(length),
        };
        let limits = Self { length, offset, limit };
        limits.allow(length.unwrap_or(0))?;
        Ok(limits)
    }

    fn allow(self, received: u64) -> Result<()> {
        match self.limit {
            Some(limit) if self.offset.saturating_add(received) > limit => Err(Error::BlobTooLarge { limit }),
            _ => Ok(()),
        }
    }

    /// Passes the body on, chunk by chunk, as fast as the writer takes it.
    pub(crate) async fn receive<B: Body>(self, body: &mut B, writer: &mut Writer) -> Result<()> {
        let mut received: u64 = 0;
        while let Some(chunk) = body.next().await {
            let chunk = chunk?;
            received = received.saturating_add(chunk.len() as u64);
            if self.length.is_some_and(|length| received > length) {
                return Err(Error::SizeMismatch);
            }
            self.allow(received)?;
            if !chunk.is_empty() {
                writer.write(chunk).await?;
            }
        }
        match self.length {
            Some(length) if length != received => Err(Error::SizeMismatch),
            _ => Ok(()),
        }
    }
}
