//! What every connection of one server sees.

use std::sync::{Arc, Mutex};

use angos_registry::Registry;
use angos_tls::{Acceptor, ClientAuth};
use arc_swap::ArcSwap;
use tokio::sync::{Semaphore, watch};

use crate::authorize::access::CurrentAccess;
use crate::authorize::denial_log::DenialLog;
use crate::connection::body_memory::BodyMemory;
use crate::metrics::Metrics;
use crate::request::id::RequestIds;
use crate::request::request_limit::RequestLimit;
use crate::server::background::Background;
use crate::server::storage_health::LastProbe;
use crate::settings::Settings;

/// Where the server stands between start and end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Phase {
    /// Connections and requests are welcome.
    Serving,
    /// The same, but `/readyz` answers 503, so that load balancers send no more.
    Leaving,
    /// No new connection; each connection closes after the requests it has in flight.
    Draining,
    /// What is left is cut.
    Closed,
}

/// One server's state. Everything mutable is here, and passed in.
#[derive(Debug)]
pub(crate) struct ServerState {
    pub(crate) settings: Settings,
    pub(crate) registry: Registry,
    pub(crate) acceptor: Option<Acceptor>,
    pub(crate) access: ArcSwap<CurrentAccess>,
    pub(crate) metrics: Metrics,
    pub(crate) background: Background,
    pub(crate) request_ids: RequestIds,
    pub(crate) denial_log: DenialLog,
    /// The slots of requests in flight.
    pub(crate) requests: RequestLimit,
    /// What bodies may take.
    pub(crate) memory: Arc<BodyMemory>,
    /// The turns of pages of the catalog.
    pub(crate) catalog_turns: Semaphore,
    /// The turn of connections to be judged.
    pub(crate) recheck_queue: Semaphore,
    pub(crate) phase: watch::Sender<Phase>,
    /// What the last look at the storage found.
    pub(crate) storage_health: watch::Sender<LastProbe>,
    /// Held while the access set is replaced, so that generations count up.
    pub(crate) replacing: Mutex<()>,
}

impl ServerState {
    /// Resolves when the server has come to a phase.
    pub(crate) fn until(&self, wanted: Phase) -> impl Future<Output = ()> + Send + use<> {
        let mut phase = self.phase.subscribe();
        async move {
            // The sender lives as long as the server.
            let _ = phase.wait_for(|phase| *phase >= wanted).await;
        }
    }

    /// Whether clients may have certificates, so that a part of the requests in flight is kept for those who do.
    pub(crate) fn asks_for_certificates(&self) -> bool {
        self.acceptor.as_ref().is_some_and(|acceptor| acceptor.client_auth() != ClientAuth::None)
    }

    /// Every metric, as text.
    pub(crate) fn scrape(&self) -> String {
        self.metrics.body_memory.set(i64::try_from(self.memory.taken()).unwrap_or(i64::MAX));
        let material = self.acceptor.as_ref().map(Acceptor::material);
        let (damage, gc) = (self.registry.damage(), self.registry.gc_status());
        self.metrics.encode(self.access.load_full(), material, damage, gc)
    }
}
