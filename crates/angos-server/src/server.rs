//! The whole server: bind, run, drain.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use angos_registry::{Registry, Storage};
use angos_tls::Acceptor;
use arc_swap::ArcSwap;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::access::{Access, AccessInForce};
use crate::expiry;
use crate::handle::Handle;
use crate::limits::{CUT_WITHIN, JUDGED_AT_ONCE, SWEEP_EVERY};
use crate::listener::{Bound, ends};
use crate::memory::Memory;
use crate::metrics::Metrics;
use crate::places::Places;
use crate::request_id::RequestIds;
use crate::settings::{Listener, Settings};
use crate::shared::{Phase, Shared};
use crate::shares::Shares;
use crate::storage_health::{self, StorageMetrics};

/// A registry that has its ports and serves once [`run`](Self::run) is awaited.
#[derive(Debug)]
pub struct Server {
    shared: Arc<Shared>,
    listeners: Vec<Bound>,
}

/// Why a server did not start. Nothing is left open.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// An address could not be listened on.
    #[error("cannot listen on {address}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// A limit of zero serves nobody.
    #[error("{0} must be at least 1")]
    Zero(&'static str),
    /// Two listeners have the same name.
    #[error("two listeners are named {0}")]
    SameName(String),
    /// A listener speaks TLS, and there is no acceptor for it.
    #[error("listener {0} speaks TLS, and there is no TLS material")]
    NoAcceptor(String),
    /// Ports are opened inside a tokio runtime.
    #[error("no tokio runtime is running here")]
    NoRuntime,
}

impl Server {
    /// Opens the ports. With an acceptor the registry speaks TLS and nothing else; without one, plaintext HTTP/1.1.
    ///
    /// Must be called inside a tokio runtime with I/O and time. Connections are queued by the system from here on, and
    /// served by [`run`](Self::run).
    pub fn bind(
        settings: Settings,
        acceptor: Option<Acceptor>,
        access: Access,
        storage: Storage,
    ) -> Result<Self, StartError> {
        if tokio::runtime::Handle::try_current().is_err() {
            return Err(StartError::NoRuntime);
        }
        let listeners = settings.all_listeners(acceptor.is_some());
        check(&settings, &listeners)?;
        let listeners = open(listeners, acceptor.as_ref())?;
        let storage_health = watch::Sender::new(None);
        let metrics = Metrics::new()
            .with_decision_log(settings.decision_log.as_ref())
            .with_storage(StorageMetrics(storage_health.subscribe()));
        metrics.generation.set(1);
        metrics.loaded_now();
        metrics.tls_generation.set(acceptor.as_ref().map_or(0, |acceptor| gauge(acceptor.generation())));
        let shared = Shared {
            registry: Registry::new(storage, settings.registry.clone()),
            access: ArcSwap::from_pointee(AccessInForce::new(access, 1)),
            metrics,
            request_ids: RequestIds::new(),
            requests: Shares::new(settings.limits.max_requests),
            memory: Arc::new(Memory::new(settings.limits.body_memory)),
            catalog_turns: Semaphore::new(catalog_turns()),
            judging: Semaphore::new(JUDGED_AT_ONCE),
            phase: watch::Sender::new(Phase::Serving),
            storage_health,
            replacing: Mutex::new(()),
            acceptor,
            settings,
        };
        Ok(Self { shared: Arc::new(shared), listeners })
    }

    /// The address of the registry, with the port the system chose if the settings left it open.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        // The first one is always there.
        self.listeners.first().ok_or(io::ErrorKind::NotFound)?.address()
    }

    /// The address of the management listener, if there is one.
    pub fn management_addr(&self) -> Option<SocketAddr> {
        self.listeners()
            .find(|(listener, _)| listener.name == Listener::MANAGEMENT)
            .map(|(_, address)| address)
    }

    /// Every listener, in the order registry, management, further ones; with the address it has, so with the port the
    /// system chose if its settings left it open.
    pub fn listeners(&self) -> impl Iterator<Item = (&Listener, SocketAddr)> {
        self.listeners.iter().filter_map(|bound| Some((&bound.settings, bound.address().ok()?)))
    }

    /// A handle that outlives [`run`](Self::run).
    pub fn handle(&self) -> Handle {
        Handle { shared: Arc::clone(&self.shared) }
    }

    /// Serves until [`Handle::shutdown`], then lets what is in flight finish within `timeouts.drain`, then cuts the rest.
    ///
    /// Dropping the future stops accepting; connections live on until they end.
    pub async fn run(self) {
        let Self { shared, listeners } = self;
        let (mut doors, mut beside) = (JoinSet::new(), JoinSet::new());
        for listener in listeners {
            let until_drained = ends(&listener.settings) == Phase::Draining;
            let set = if until_drained { &mut doors } else { &mut beside };
            set.spawn(listener.serve(Arc::clone(&shared)));
        }
        let sweeping = Arc::clone(&shared);
        let mut chores = JoinSet::new();
        chores.spawn(async move { sweep(&sweeping).await });
        chores.spawn(expiry::remind(Arc::clone(&shared)));
        chores.spawn(storage_health::watch(Arc::clone(&shared)));

        let mut places = Vec::new();
        while let Some(closed) = doors.join_next().await {
            places.extend(closed);
        }
        // These ports are closed. Every place is free again when the last connection has ended.
        let drained = timeout(shared.settings.timeouts.drain, empty(&places)).await.is_ok();
        shared.phase.send_replace(Phase::Closed);
        if !drained {
            tracing::warn!(target: "angos::server", "requests in flight were cut at the end of the drain time");
            let _ = timeout(CUT_WITHIN, empty(&places)).await;
        }
        while beside.join_next().await.is_some() {}
    }
}

/// Half of the processors, so that listings never keep other requests from being served.
fn catalog_turns() -> usize {
    std::thread::available_parallelism().map_or(1, |processors| (processors.get() / 2).max(1))
}

fn check(settings: &Settings, listeners: &[Listener]) -> Result<(), StartError> {
    for (name, value) in [
        ("limits.max_connections", settings.limits.max_connections),
        ("limits.max_requests", settings.limits.max_requests),
        ("limits.body_memory", settings.limits.body_memory),
        ("limits.max_http2_streams", settings.limits.max_http2_streams as usize),
    ] {
        if value == 0 {
            return Err(StartError::Zero(name));
        }
    }
    for (index, listener) in listeners.iter().enumerate() {
        if listener.max_connections == 0 {
            return Err(StartError::Zero("listener.max_connections"));
        }
        if listeners.iter().take(index).any(|other| other.name == listener.name) {
            return Err(StartError::SameName(listener.name.clone()));
        }
    }
    Ok(())
}

fn open(listeners: Vec<Listener>, acceptor: Option<&Acceptor>) -> Result<Vec<Bound>, StartError> {
    let open = |listener: Listener| {
        let address = listener.address;
        let acceptor = match acceptor {
            Some(acceptor) => listener.acceptor(acceptor),
            None if listener.tls => return Err(StartError::NoAcceptor(listener.name)),
            None => None,
        };
        Bound::open(listener, acceptor).map_err(|source| StartError::Listen { address, source })
    };
    listeners.into_iter().map(open).collect()
}

/// Resolves when no connection is left at any of the listeners.
async fn empty(places: &[Arc<Places>]) {
    for places in places {
        places.empty().await;
    }
}

/// Ends uploads that nobody finished. As long as there are some it goes on at once: each call ends a page of them, and
/// clients may leave them behind faster than a page a minute. A failure is tried again with the next round.
async fn sweep(shared: &Shared) {
    loop {
        match shared.registry.expire_uploads().await {
            Ok(0) => tokio::time::sleep(SWEEP_EVERY).await,
            Ok(ended) => tracing::info!(target: "angos::registry", ended, "expired uploads were removed"),
            Err(error) => {
                tracing::warn!(target: "angos::registry", %error, "cannot remove expired uploads");
                tokio::time::sleep(SWEEP_EVERY).await;
            }
        }
    }
}

/// A generation as a gauge has it.
pub(crate) fn gauge(generation: u64) -> i64 {
    i64::try_from(generation).unwrap_or(i64::MAX)
}
