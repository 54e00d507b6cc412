//! The whole server: bind, run, drain.

pub(crate) mod background;
pub(crate) mod expiry;
pub(crate) mod garbage_collection;
pub(crate) mod handle;
pub(crate) mod open_files;
pub(crate) mod state;
pub(crate) mod storage_health;

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use angos_registry::{Registry, Storage};
use angos_tls::Acceptor;
use arc_swap::ArcSwap;
use tokio::sync::{Semaphore, watch};
use tokio::time::timeout;

use crate::authorize::access::{Access, CurrentAccess};
use crate::authorize::denial_log::DenialLog;
use crate::connection::body_memory::BodyMemory;
use crate::limits::{ABORT_GRACE, RECHECK_CONCURRENCY, UPLOAD_SWEEP_INTERVAL};
use crate::listener::BoundListener;
use crate::listener::connection_limit::ConnectionLimit;
use crate::listener::context::ends;
use crate::metrics::{self, Metrics};
use crate::request::id::RequestIds;
use crate::request::request_limit::RequestLimit;
use crate::server::background::{Background, Job, JobEnded};
use crate::server::expiry::ExpiryWarnings;
use crate::server::garbage_collection::GarbageCollection;
use crate::server::handle::Handle;
use crate::server::state::{Phase, ServerState};
use crate::server::storage_health::{StorageMetrics, StorageProbe};
use crate::settings::{Listener, Settings};

/// A registry that has its ports and serves once [`run`](Self::run) is awaited.
#[derive(Debug)]
pub struct Server {
    state: Arc<ServerState>,
    listeners: Vec<BoundListener>,
    storage: Storage,
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
        let background = Background::default();
        let metrics = Metrics::new()
            .beside(&settings, &background)
            .with_storage(StorageMetrics(storage_health.subscribe()));
        metrics.generation.set(1);
        metrics.loaded_now();
        metrics
            .tls_generation
            .set(acceptor.as_ref().map_or(0, |acceptor| metrics::generation(acceptor.generation())));
        let probed = storage.clone();
        let state = ServerState {
            registry: Registry::new(storage, settings.registry.clone()),
            access: ArcSwap::from_pointee(CurrentAccess::new(access, 1)),
            metrics,
            background,
            request_ids: RequestIds::new(),
            denial_log: DenialLog::default(),
            requests: RequestLimit::new(settings.limits.max_requests),
            memory: Arc::new(BodyMemory::new(settings.limits.body_memory)),
            catalog_turns: Semaphore::new(catalog_turns()),
            recheck_queue: Semaphore::new(RECHECK_CONCURRENCY),
            phase: watch::Sender::new(Phase::Serving),
            storage_health,
            replacing: Mutex::new(()),
            acceptor,
            settings,
        };
        Ok(Self { state: Arc::new(state), listeners, storage: probed })
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
        Handle { server: Arc::clone(&self.state) }
    }

    /// Serves until [`Handle::shutdown`], then lets what is in flight finish within `timeouts.drain`, then cuts the rest.
    ///
    /// The same happens when a [background job](Background) that has to run all the time ends; that is the error.
    /// Dropping the future stops accepting and every job; connections live on until they end.
    pub async fn run(self) -> Result<(), JobEnded> {
        let Self { state: server, listeners, storage } = self;
        let _jobs = StopOnDrop(server.background.clone());
        let (mut draining, mut probes, mut limits) = (Vec::new(), Vec::new(), Vec::new());
        for listener in listeners {
            let until_drained = ends(&listener.settings) == Phase::Draining;
            let name = format!("accept-{}", listener.settings.name);
            let context = listener.context(&server);
            let limit = Arc::clone(&context.limit);
            let serving = Arc::clone(&server);
            let accept = async move {
                listener.serve(serving, context).await;
                Ok(())
            };
            let running = server.background.start(name, accept);
            if until_drained {
                draining.push(running);
                limits.push(limit);
            } else {
                probes.push(running);
            }
        }
        start_jobs(&server, storage);

        let outcome = tokio::select! {
            biased;
            () = server.until(Phase::Draining) => Ok(()),
            ended = server.background.ended() => Err(ended),
        };
        Handle { server: Arc::clone(&server) }.shutdown();
        for accept in draining {
            accept.ended().await;
        }
        // The ports of the registry are closed. Every slot is free when the last connection has ended.
        let drained = timeout(server.settings.timeouts.drain, empty(&limits)).await.is_ok();
        server.phase.send_replace(Phase::Closed);
        if !drained {
            tracing::warn!(target: "angos::server", "drain timeout reached: requests in flight were aborted");
            let _ = timeout(ABORT_GRACE, empty(&limits)).await;
        }
        for accept in probes {
            accept.ended().await;
        }
        outcome
    }
}

/// Stops every job when the server has ended, or nobody waits for it any more.
struct StopOnDrop(Background);

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.0.stop();
    }
}

/// Everything the server runs beside the requests, but its accept loops.
fn start_jobs(server: &Arc<ServerState>, storage: Storage) {
    let (background, settings) = (&server.background, &server.settings);
    background.service("metadata-writer", async move {
        storage.metadata.ended().await;
        Err("its thread ended, so nothing can be pushed or deleted".to_owned())
    });
    for (name, log) in [
        ("decision-log-writer", settings.decision_log.as_ref().map(|log| log.lines().clone())),
        ("log-writer", settings.log.clone()),
    ] {
        let Some(log) = log else { continue };
        background.service(name, async move {
            log.ended().await;
            Err("its thread ended, so nothing is written any more".to_owned())
        });
    }
    background.periodic("upload-expiry", UploadExpiry(Arc::clone(server)));
    background.periodic("garbage-collection", GarbageCollection(server.registry.clone()));
    background.periodic(
        "storage-health",
        StorageProbe { registry: server.registry.clone(), result: server.storage_health.clone() },
    );
    if let Some(acceptor) = server.acceptor.clone() {
        background.periodic("certificate-expiry", ExpiryWarnings::new(acceptor, settings.expiry_warning));
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

fn open(listeners: Vec<Listener>, acceptor: Option<&Acceptor>) -> Result<Vec<BoundListener>, StartError> {
    let open = |listener: Listener| {
        let address = listener.address;
        let acceptor = match acceptor {
            Some(acceptor) => listener.acceptor(acceptor),
            None if listener.tls => return Err(StartError::NoAcceptor(listener.name)),
            None => None,
        };
        BoundListener::open(listener, acceptor).map_err(|source| StartError::Listen { address, source })
    };
    listeners.into_iter().map(open).collect()
}

/// Resolves when no listener has a connection.
async fn empty(limits: &[Arc<ConnectionLimit>]) {
    for limit in limits {
        limit.empty().await;
    }
}

/// Ends uploads that nobody finished. As long as there are some, a round goes on: each call ends a page of them, and
/// clients may leave them behind faster than a page a minute.
#[derive(Debug)]
struct UploadExpiry(Arc<ServerState>);

impl Job for UploadExpiry {
    async fn round(&mut self) -> Result<(), String> {
        loop {
            match self.0.registry.expire_uploads().await {
                Ok(0) => return Ok(()),
                Ok(ended) => tracing::info!(target: "angos::registry", ended, "expired uploads were removed"),
                Err(error) => return Err(format!("cannot remove expired uploads: {error}")),
            }
        }
    }

    async fn due(&mut self) {
        tokio::time::sleep(UPLOAD_SWEEP_INTERVAL).await;
    }
}
