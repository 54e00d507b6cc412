//! One request in flight: counted from its head to the last byte of its response.

use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use hyper::HeaderMap;

use crate::connection::body_memory::ConnectionMemory;
use crate::connection::context::Connection;
use crate::limits::SLOW_CHUNK_FACTOR;
use crate::request::id::RequestId;
use crate::request::request_limit::{CallerShare, RequestLimit};

/// A request's slot among those in flight. Dropping it gives the slot back.
#[derive(Debug)]
pub(crate) struct InFlight {
    connection: Arc<Connection>,
    request: RequestId,
    /// The place of its response among those the client has to take.
    response: Option<usize>,
    slot: Slot,
    /// Set when the request was moved from its slot to the share of a user.
    user: OnceLock<Arc<CallerShare>>,
}

/// The share that a request takes its slot from.
#[derive(Debug)]
enum Slot {
    /// Not counted: probes of the management surface are answered however many requests there are.
    Uncounted,
    /// The share of the connection's caller.
    Own,
    /// The share of a client behind a trusted proxy.
    Forwarded(Arc<CallerShare>),
}

impl InFlight {
    /// Takes a slot. `None` when the caller has its share of them, or the server has as many requests as it takes.
    pub(crate) fn acquire(
        connection: &Arc<Connection>,
        request: RequestId,
        headers: &HeaderMap,
    ) -> Option<Self> {
        let slot = connection.forwarded(headers).map_or(Slot::Own, Slot::Forwarded);
        if !connection.server.requests.take(slot.share(connection)?) {
            return None;
        }
        connection.server.metrics.in_flight.inc();
        Some(Self::new(connection, request, slot))
    }

    /// A request of the management surface, which takes no slot.
    pub(crate) fn uncounted(connection: &Arc<Connection>, request: RequestId) -> Self {
        Self::new(connection, request, Slot::Uncounted)
    }

    fn new(connection: &Arc<Connection>, request: RequestId, slot: Slot) -> Self {
        connection.activity.request_started();
        Self { connection: Arc::clone(connection), request, response: None, slot, user: OnceLock::new() }
    }

    /// Counts the request for a user from now on: users come from many addresses, and many users from one address. A
    /// caller with a certificate stays counted by that. Returns false when the user has its share.
    pub(crate) fn count_for_user(&self, user: &Arc<CallerShare>) -> bool {
        if self.connection.peer().certificate.is_some() || self.user.get().is_some() {
            return true;
        }
        let Some(from) = self.slot.share(&self.connection) else { return true };
        let moved = self.requests().transfer(from, user);
        if moved {
            let _first = self.user.set(Arc::clone(user));
        }
        moved
    }

    /// The id of the request.
    pub(crate) fn request(&self) -> RequestId {
        self.request
    }

    fn requests(&self) -> &RequestLimit {
        &self.connection.server.requests
    }

    /// From now on the client has to take the response.
    pub(crate) fn response_started(&mut self) {
        if self.response.is_none() {
            let activity = &self.connection.activity;
            activity.moved();
            self.response = Some(activity.streaming_started(self.timeout()));
        }
    }

    /// Counts response bytes that were handed to the connection; `is_chunk`: more chunks may follow.
    pub(crate) fn sent(&self, bytes: usize, is_chunk: bool) {
        if let Some(response) = self.response {
            // A chunk leaves after the chunk before it, which takes a slow client of many blobs long.
            let timeout = self.timeout();
            let timeout = if is_chunk { timeout.saturating_mul(SLOW_CHUNK_FACTOR) } else { timeout };
            self.connection.activity.streaming_moved(response, timeout);
        }
        self.connection.server.metrics.sent_bytes.inc_by(bytes as u64);
    }

    /// The memory that the connection's bodies hold.
    pub(crate) fn memory(&self) -> &Arc<ConnectionMemory> {
        &self.connection.memory
    }

    fn timeout(&self) -> Duration {
        self.connection.server.settings.timeouts.body_progress
    }

    /// Counts and logs a response whose content could not be read to its end.
    pub(crate) fn failed(&self, error: &dyn fmt::Debug) {
        let request_id = self.request;
        self.connection.server.metrics.cut.inc();
        tracing::error!(target: "angos::server", %request_id, ?error, "a response was cut short");
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        let server = &self.connection.server;
        if let Some(response) = self.response {
            self.connection.activity.streaming_finished(response);
        }
        self.connection.activity.request_finished();
        let share = self.user.get().map(AsRef::as_ref).or_else(|| self.slot.share(&self.connection));
        if let Some(share) = share {
            server.requests.give_back(share);
            server.metrics.in_flight.dec();
        }
        if std::thread::panicking() {
            server.metrics.panics.inc();
        }
    }
}

impl Slot {
    fn share<'a>(&'a self, connection: &'a Connection) -> Option<&'a CallerShare> {
        match self {
            Self::Uncounted => None,
            Self::Own => Some(&connection.share),
            Self::Forwarded(share) => Some(share),
        }
    }
}
