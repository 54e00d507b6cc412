//! The stream into an upload: what the runtime receives, a blocking thread hashes and writes.
//!
//! Bytes wait here until there is enough for a trip to a blocking thread. Once there, the thread takes
//! whatever has come meanwhile, until nothing is left: a fast sender keeps it busy with large writes, and
//! behind one that stalls there is neither a thread nor more than [`UPLOAD_BUFFER_WRITE_BYTES`] bytes.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicUsize, Ordering},
};

use angos_oci::Digest;
use bytes::{Bytes, BytesMut};
use tokio::{runtime::Handle, sync::Notify, task::spawn_blocking};

use super::{Store, blocking, content::Content, lease::ReleaseSignal};
use crate::limits::{
    FRAME_SMALL_BYTES, UPLOAD_BUFFER_MAX_BYTES, UPLOAD_BUFFER_WRITE_BYTES, UPLOAD_BUFFERS_BYTES,
};
use crate::{BoxFuture, Error, Progress, Sink, memory::lock};

/// One append. Dropping it gives everything back that was not acknowledged.
pub(super) struct Append {
    flow: Arc<Flow>,
    release: ReleaseSignal,
}

struct Flow {
    state: Mutex<State>,
    /// Signalled when the thread has taken what waited, or is done.
    moved: Notify,
    buffered: Arc<AtomicUsize>,
}

struct State {
    pending: Pending,
    /// Away while a thread works on it.
    content: Option<Content>,
    failed: Option<Error>,
    abandoned: bool,
}

/// Frames that wait, in order.
struct Pending {
    frames: Vec<Bytes>,
    tail: BytesMut,
    length: usize,
    buffered: Arc<AtomicUsize>,
}

impl Pending {
    fn new(buffered: &Arc<AtomicUsize>) -> Pending {
        Pending { frames: Vec::new(), tail: BytesMut::new(), length: 0, buffered: Arc::clone(buffered) }
    }

    fn push(&mut self, frame: Bytes) {
        self.length += frame.len();
        self.buffered.fetch_add(frame.len(), Ordering::Relaxed);
        if frame.len() < FRAME_SMALL_BYTES {
            self.tail.extend_from_slice(&frame);
        } else {
            self.close_tail();
            self.frames.push(frame);
        }
    }

    fn close_tail(&mut self) {
        if !self.tail.is_empty() {
            self.frames.push(std::mem::take(&mut self.tail).freeze());
        }
    }

    /// Everything that waits; the place is empty afterwards.
    fn take(&mut self) -> Pending {
        self.close_tail();
        let empty = Pending::new(&self.buffered);
        std::mem::replace(self, empty)
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        self.buffered.fetch_sub(self.length, Ordering::Relaxed);
    }
}

impl Append {
    pub(super) fn new(store: &Arc<Store>, content: Content) -> Append {
        let release = content.release();
        let state = State {
            pending: Pending::new(&store.buffered),
            content: Some(content),
            failed: None,
            abandoned: false,
        };
        let flow =
            Flow { state: Mutex::new(state), moved: Notify::new(), buffered: Arc::clone(&store.buffered) };
        Append { flow: Arc::new(flow), release }
    }

    async fn push(&self, mut bytes: Bytes) -> Result<(), Error> {
        while !bytes.is_empty() {
            let frame = bytes.split_to(bytes.len().min(UPLOAD_BUFFER_MAX_BYTES));
            while !self.flow.accept(&frame)? {
                self.flow.moved.notified().await;
            }
        }
        Ok(())
    }

    /// Waits for the thread and runs the last action on one, with everything written.
    async fn finish_with<T: Send + 'static>(
        self,
        last: impl FnOnce(Content) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let (mut content, pending) = loop {
            {
                let mut state = lock(&self.flow.state);
                if let Some(error) = &state.failed {
                    return Err(error.clone());
                }
                if let Some(content) = state.content.take() {
                    break (content, state.pending.take());
                }
            }
            self.flow.moved.notified().await;
        };
        blocking(move || {
            content.write(&pending.frames)?;
            drop(pending);
            last(content)
        })
        .await
    }
}

impl Flow {
    /// Takes a frame if there is room, and starts a thread when it is worth one.
    fn accept(self: &Arc<Flow>, frame: &Bytes) -> Result<bool, Error> {
        let mut state = lock(&self.state);
        if let Some(error) = &state.failed {
            return Err(error.clone());
        }
        let room = if self.buffered.load(Ordering::Relaxed) < UPLOAD_BUFFERS_BYTES {
            UPLOAD_BUFFER_MAX_BYTES
        } else {
            UPLOAD_BUFFER_WRITE_BYTES
        };
        let fits = state.pending.length == 0 || state.pending.length + frame.len() <= room;
        if fits {
            state.pending.push(frame.clone());
        }
        if (!fits || state.pending.length >= UPLOAD_BUFFER_WRITE_BYTES)
            && let Some(content) = state.content.take()
        {
            let flow = Arc::clone(self);
            spawn_blocking(move || flow.drain(content));
        }
        Ok(fits)
    }

    /// Writes what waits until nothing does.
    fn drain(&self, mut content: Content) {
        let _failed = FailedByPanic(self);
        loop {
            let pending = {
                let mut state = lock(&self.state);
                if state.abandoned {
                    drop(state);
                    return;
                }
                if state.pending.length == 0 || state.failed.is_some() {
                    state.content = Some(content);
                    drop(state);
                    self.moved.notify_one();
                    return;
                }
                state.pending.take()
            };
            self.moved.notify_one();
            if let Err(error) = content.write(&pending.frames) {
                lock(&self.state).failed = Some(error);
            }
        }
    }
}

/// A panic of the thread that writes is a failure of the upload: nobody waits for content that is gone.
struct FailedByPanic<'a>(&'a Flow);

impl Drop for FailedByPanic<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            lock(&self.0.state).failed = Some(Error::Closed);
            self.0.moved.notify_one();
        }
    }
}

impl Sink for Append {
    fn write(&mut self, bytes: Bytes) -> BoxFuture<'_, Result<(), Error>> {
        Box::pin(self.push(bytes))
    }

    fn finish(self: Box<Self>) -> BoxFuture<'static, Result<Progress, Error>> {
        Box::pin(self.finish_with(|mut content| content.acknowledge()))
    }

    fn commit(self: Box<Self>, digest: Digest) -> BoxFuture<'static, Result<u64, Error>> {
        Box::pin(self.finish_with(move |content| content.publish(&digest)))
    }
}

impl Drop for Append {
    fn drop(&mut self) {
        self.release.set();
        let mut state = lock(&self.flow.state);
        state.abandoned = true;
        let content = state.content.take();
        drop(state);
        // Giving space back can take a while, so not here if there is another place.
        if let (Some(content), Ok(runtime)) = (content, Handle::try_current()) {
            runtime.spawn_blocking(move || drop(content));
        }
    }
}
