//! What the connections of one listener share.

use std::sync::Arc;

use angos_tls::{Acceptor, ClientAuth};
use prometheus_client::metrics::gauge::Gauge;

use crate::listener::connection_limit::ConnectionLimit;
use crate::server::state::{Phase, ServerState};
use crate::settings::{Listener, Surfaces};

/// One listener, as its connections see it.
#[derive(Debug)]
pub(crate) struct ListenerContext {
    pub(crate) surfaces: Surfaces,
    /// From this phase on it accepts no connection, and each connection closes after its requests in flight.
    pub(crate) ends: Phase,
    /// The metric of its open connections.
    pub(crate) connections: Gauge,
    pub(crate) limit: Arc<ConnectionLimit>,
}

impl ListenerContext {
    pub(crate) fn new(listener: &Listener, acceptor: Option<&Acceptor>, server: &ServerState) -> Self {
        let connections = server.metrics.connections(&listener.name);
        let certificates = acceptor.is_some_and(|acceptor| acceptor.client_auth() != ClientAuth::None);
        let limit = Arc::new(ConnectionLimit::new(listener.max_connections, certificates));
        Self { surfaces: listener.surfaces, ends: ends(listener), connections, limit }
    }
}

/// The phase in which a listener stops accepting. Probes are answered until the last connection has ended, so that
/// readiness can be observed during the drain.
pub(crate) fn ends(listener: &Listener) -> Phase {
    if listener.surfaces.registry { Phase::Draining } else { Phase::Closed }
}
