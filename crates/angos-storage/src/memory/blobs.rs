//! Blobs as byte strings.

use std::{
    collections::BTreeMap,
    ops::{Bound, Range},
    sync::{Arc, Mutex},
    task::{Context, Poll},
    time::SystemTime,
};

use angos_oci::{Algorithm, Digest};
use bytes::{Bytes, BytesMut};

use super::lock;
use crate::{BlobReader, BlobStore, BoxFuture, Chunks, Error, Progress, SessionId, Sink, Writer};

/// Blobs in memory.
#[derive(Debug, Default)]
pub struct MemoryBlobs {
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    blobs: BTreeMap<Digest, Bytes>,
    sessions: BTreeMap<SessionId, Session>,
}

#[derive(Debug)]
struct Session {
    algorithm: Algorithm,
    content: BytesMut,
    modified: SystemTime,
    busy: bool,
}

impl State {
    fn idle(&mut self, id: SessionId) -> Result<&mut Session, Error> {
        let session = self.sessions.get_mut(&id).ok_or(Error::SessionUnknown)?;
        if session.busy { Err(Error::SessionBusy) } else { Ok(session) }
    }

    fn publish(&mut self, digest: &Digest, content: Bytes) -> Result<u64, Error> {
        let actual = Digest::of(digest.algorithm(), &content);
        if actual != *digest {
            return Err(Error::DigestMismatch { actual });
        }
        let size = content.len() as u64;
        self.blobs.insert(*digest, content);
        Ok(size)
    }

    fn commit(&mut self, id: SessionId, digest: &Digest) -> Result<u64, Error> {
        let content = self.idle(id)?.content.clone().freeze();
        self.publish(digest, content)
    }
}

impl BlobStore for MemoryBlobs {
    fn stat<'a>(&'a self, digest: &'a Digest) -> BoxFuture<'a, Result<Option<u64>, Error>> {
        Box::pin(async move { Ok(lock(&self.state).blobs.get(digest).map(|content| content.len() as u64)) })
    }

    fn read<'a>(
        &'a self,
        digest: &'a Digest,
        range: Option<Range<u64>>,
    ) -> BoxFuture<'a, Result<Option<BlobReader>, Error>> {
        Box::pin(async move {
            let Some(content) = lock(&self.state).blobs.get(digest).cloned() else { return Ok(None) };
            let size = content.len() as u64;
            let range = range.unwrap_or(0..size);
            let part = part(&content, &range).ok_or(Error::OutOfRange { size })?;
            Ok(Some(BlobReader::new(size, range, Once(Some(part)))))
        })
    }

    fn begin(&self, algorithm: Algorithm) -> BoxFuture<'_, Result<SessionId, Error>> {
        Box::pin(async move {
            let id = SessionId::random()?;
            let session =
                Session { algorithm, content: BytesMut::new(), modified: SystemTime::now(), busy: false };
            lock(&self.state).sessions.insert(id, session);
            Ok(id)
        })
    }

    fn stage(&self, algorithm: Algorithm) -> BoxFuture<'_, Result<Writer, Error>> {
        Box::pin(async move { Ok(Writer::new(Append::new(&self.state, None, algorithm))) })
    }

    fn progress<'a>(&'a self, session: &'a SessionId) -> BoxFuture<'a, Result<Option<Progress>, Error>> {
        Box::pin(async move {
            Ok(lock(&self.state).sessions.get(session).map(|session| Progress {
                offset: session.content.len() as u64,
                algorithm: session.algorithm,
            }))
        })
    }

    fn append<'a>(&'a self, session: &'a SessionId, offset: u64) -> BoxFuture<'a, Result<Writer, Error>> {
        Box::pin(async move {
            let mut state = lock(&self.state);
            let found = state.idle(*session)?;
            let expected = found.content.len() as u64;
            if offset != expected {
                return Err(Error::OffsetMismatch { expected });
            }
            found.busy = true;
            Ok(Writer::new(Append::new(&self.state, Some(*session), found.algorithm)))
        })
    }

    fn commit<'a>(&'a self, session: &'a SessionId, digest: &'a Digest) -> BoxFuture<'a, Result<u64, Error>> {
        Box::pin(async move { lock(&self.state).commit(*session, digest) })
    }

    fn abort<'a>(&'a self, session: &'a SessionId) -> BoxFuture<'a, Result<bool, Error>> {
        Box::pin(async move {
            let mut state = lock(&self.state);
            match state.idle(*session) {
                Err(Error::SessionUnknown) => Ok(false),
                Err(error) => Err(error),
                Ok(_) => Ok(state.sessions.remove(session).is_some()),
            }
        })
    }

    fn sessions<'a>(
        &'a self,
        after: Option<&'a SessionId>,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<(SessionId, SystemTime)>, Error>> {
        Box::pin(async move {
            let state = lock(&self.state);
            let page = state.sessions.range((beyond(after), Bound::Unbounded)).take(limit);
            Ok(page.map(|(id, session)| (*id, session.modified)).collect())
        })
    }

    fn delete<'a>(&'a self, digest: &'a Digest) -> BoxFuture<'a, Result<bool, Error>> {
        Box::pin(async move { Ok(lock(&self.state).blobs.remove(digest).is_some()) })
    }

    fn scan<'a>(
        &'a self,
        after: Option<&'a Digest>,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<(Digest, u64)>, Error>> {
        Box::pin(async move {
            let state = lock(&self.state);
            let page = state.blobs.range((beyond(after), Bound::Unbounded)).take(limit);
            Ok(page.map(|(digest, content)| (*digest, content.len() as u64)).collect())
        })
    }
}

fn beyond<T: Copy>(after: Option<&T>) -> Bound<T> {
    after.map_or(Bound::Unbounded, |after| Bound::Excluded(*after))
}

/// The part of `content`, or nothing when the range does not lie within it.
fn part(content: &Bytes, range: &Range<u64>) -> Option<Bytes> {
    let (start, end) = (usize::try_from(range.start).ok()?, usize::try_from(range.end).ok()?);
    (start <= end && end <= content.len()).then(|| content.slice(start..end))
}

/// At most one chunk, shared with the store.
struct Once(Option<Bytes>);

impl Chunks for Once {
    fn poll_next(&mut self, _: &mut Context<'_>, _: usize) -> Poll<Option<Result<Bytes, Error>>> {
        Poll::Ready(self.0.take().filter(|chunk| !chunk.is_empty()).map(Ok))
    }
}

/// What is written stays here until it is acknowledged.
struct Append {
    state: Arc<Mutex<State>>,
    session: Option<SessionId>,
    algorithm: Algorithm,
    content: BytesMut,
}

impl Append {
    fn new(state: &Arc<Mutex<State>>, session: Option<SessionId>, algorithm: Algorithm) -> Append {
        Append { state: Arc::clone(state), session, algorithm, content: BytesMut::new() }
    }

    /// Acknowledges everything written and frees the session.
    fn append_to_session(&mut self) -> Result<Progress, Error> {
        let written = std::mem::take(&mut self.content);
        let Some(id) = self.session.take() else {
            return Ok(Progress { offset: written.len() as u64, algorithm: self.algorithm });
        };
        let mut state = lock(&self.state);
        let session = state.sessions.get_mut(&id).ok_or(Error::SessionUnknown)?;
        session.content.extend_from_slice(&written);
        session.modified = SystemTime::now();
        session.busy = false;
        Ok(Progress { offset: session.content.len() as u64, algorithm: session.algorithm })
    }
}

impl Sink for Append {
    fn write(&mut self, bytes: Bytes) -> BoxFuture<'_, Result<(), Error>> {
        self.content.extend_from_slice(&bytes);
        Box::pin(std::future::ready(Ok(())))
    }

    fn finish(mut self: Box<Self>) -> BoxFuture<'static, Result<Progress, Error>> {
        Box::pin(async move { self.append_to_session() })
    }

    fn commit(mut self: Box<Self>, digest: Digest) -> BoxFuture<'static, Result<u64, Error>> {
        Box::pin(async move {
            let mut state = lock(&self.state);
            let before = match self.session {
                Some(id) => state.sessions.get(&id).ok_or(Error::SessionUnknown)?.content.clone(),
                None => BytesMut::new(),
            };
            let content = [before, std::mem::take(&mut self.content)].concat();
            state.publish(&digest, content.into())
        })
    }
}

impl Drop for Append {
    fn drop(&mut self) {
        if let Some(id) = self.session
            && let Some(session) = lock(&self.state).sessions.get_mut(&id)
        {
            session.busy = false;
        }
    }
}
