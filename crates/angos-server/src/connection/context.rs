//! One open connection, as its requests see it: who is at the other end, and what it holds of the server's limits.

use std::net::IpAddr;
use std::sync::Arc;

use angos_identity::CallerKey;
use angos_tls::TrustError;
use hyper::HeaderMap;

use crate::authenticate::{Peer, forwarded_caller};
use crate::connection::activity::Activity;
use crate::connection::body_memory::ConnectionMemory;
use crate::connection::peer_trust::PeerTrust;
use crate::listener::connection_limit::ConnectionEntry;
use crate::listener::context::ListenerContext;
use crate::request::request_limit::CallerShare;
use crate::server::state::ServerState;

/// One connection. Shared by its requests, their bodies and the supervisor.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) server: Arc<ServerState>,
    pub(crate) listener: Arc<ListenerContext>,
    address: IpAddr,
    /// The peer of the TLS session, which holds its certificate. `None` over plain HTTP.
    pub(crate) trust: Option<PeerTrust>,
    pub(crate) activity: Arc<Activity>,
    /// The memory that its bodies hold.
    pub(crate) memory: Arc<ConnectionMemory>,
    /// Its entry among the connections of its listener.
    entry: Arc<ConnectionEntry>,
    caller: CallerKey,
    /// The requests in flight of its caller.
    pub(crate) share: Arc<CallerShare>,
    /// Whether its peer is a trusted proxy, so that each request may come from another client.
    is_proxy: bool,
}

impl Connection {
    /// A connection whose handshake is done; `address` is canonical.
    pub(crate) fn new(
        server: Arc<ServerState>,
        listener: Arc<ListenerContext>,
        address: IpAddr,
        trust: Option<PeerTrust>,
        entry: Arc<ConnectionEntry>,
    ) -> Self {
        listener.connections.inc();
        let certificate = trust.as_ref().and_then(PeerTrust::certificate);
        let caller = CallerKey::new(address, certificate.map(AsRef::as_ref));
        let share = server.requests.of(caller, server.asks_for_certificates());
        let is_proxy = server.settings.trusted_proxies.iter().any(|network| network.contains(&address));
        let activity = Arc::new(Activity::new());
        let memory = ConnectionMemory::new(&server.memory);
        Self { server, listener, address, trust, activity, memory, entry, caller, share, is_proxy }
    }

    /// The other end: its address, and its certificate if it proved to hold the key of one.
    pub(crate) fn peer(&self) -> Peer<'_> {
        Peer { address: self.address, certificate: self.trust.as_ref().and_then(PeerTrust::certificate) }
    }

    /// Counts the connection for its caller, from its first request on. Returns false when the caller has its share of
    /// connections.
    pub(crate) fn establish(&self) -> bool {
        self.listener.limit.establish(&self.entry, self.caller, &self.activity)
    }

    /// The share of the client that a trusted proxy forwards this request for; `None` when the request is the peer's own.
    pub(crate) fn forwarded(&self, headers: &HeaderMap) -> Option<Arc<CallerShare>> {
        if !self.is_proxy {
            return None;
        }
        let client = forwarded_caller(self.peer(), headers, &self.server.settings.trusted_proxies)?;
        Some(self.server.requests.of(client, self.server.asks_for_certificates()))
    }

    /// Whether the peer would still pass the handshake. Cheap while the TLS material has not changed.
    pub(crate) fn check_trust(&self) -> Result<(), TrustError> {
        self.trust.as_ref().map_or(Ok(()), PeerTrust::check)
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.listener.connections.dec();
    }
}
