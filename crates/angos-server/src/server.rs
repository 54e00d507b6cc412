//! The whole server: bind, run, drain; and the handle that changes it while it runs.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use angos_registry::{Registry, Storage};
use angos_tls::Acceptor;
use arc_swap::ArcSwap;
use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::{Semaphore, watch};
use tokio::time::timeout;

use crate::accept::accept;
use crate::access::{Access, AccessInForce};
use crate::handle::Handle;
use crate::handshake::shake;
use crate::limits::{BACKLOG, COLLECTED_BYTES, CUT_WITHIN, MANAGEMENT_CONNECTIONS, SWEEP_EVERY};
use crate::management;
use crate::metrics::Metrics;
use crate::request_id::RequestIds;
use crate::settings::Settings;
use crate::shared::{Phase, Shared};

/// A registry that has its ports and serves once [`run`](Self::run) is awaited.
#[derive(Debug)]
pub struct Server {
    shared: Arc<Shared>,
    acceptor: Option<Acceptor>,
    listener: TcpListener,
    management: Option<TcpListener>,
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
        for (name, value) in [
            ("limits.max_connections", settings.limits.max_connections),
            ("limits.max_requests", settings.limits.max_requests),
            ("limits.max_http2_streams", settings.limits.max_http2_streams as usize),
        ] {
            if value == 0 {
                return Err(StartError::Zero(name));
            }
        }
        let listener = listen(settings.listen)?;
        let management = settings.management.map(listen).transpose()?;
        let metrics = Metrics::new();
        metrics.generation.set(1);
        metrics.tls_generation.set(acceptor.as_ref().map_or(0, |acceptor| gauge(acceptor.generation())));
        let shared = Shared {
            registry: Registry::new(storage, settings.registry.clone()),
            access: ArcSwap::from_pointee(AccessInForce { access, generation: 1 }),
            metrics,
            request_ids: RequestIds::new(),
            request_places: Arc::new(Semaphore::new(
                settings.limits.max_requests.min(Semaphore::MAX_PERMITS),
            )),
            collected_bytes: Arc::new(Semaphore::new(COLLECTED_BYTES)),
            phase: watch::Sender::new(Phase::Serving),
            replacing: Mutex::new(()),
            settings,
        };
        Ok(Self { shared: Arc::new(shared), acceptor, listener, management })
    }

    /// The address of the registry, with the port the system chose if the settings left it open.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// The address of the management listener, if there is one.
    pub fn management_addr(&self) -> Option<SocketAddr> {
        self.management.as_ref().and_then(|listener| listener.local_addr().ok())
    }

    /// A handle that outlives [`run`](Self::run).
    pub fn handle(&self) -> Handle {
        Handle { shared: Arc::clone(&self.shared), acceptor: self.acceptor.clone() }
    }

    /// Serves until [`Handle::shutdown`], then lets what is in flight finish within `timeouts.drain`, then cuts the rest.
    ///
    /// Dropping the future stops accepting; connections live on until they end.
    pub async fn run(self) {
        let Self { shared, acceptor, listener, management } = self;
        let places =
            shared.settings.limits.max_connections.min(u32::MAX as usize).min(Semaphore::MAX_PERMITS);
        let connections = Arc::new(Semaphore::new(places));
        let beside = tokio::spawn(beside(Arc::clone(&shared), management));
        accept(listener, Arc::clone(&connections), until(&shared, Phase::Draining), |socket, address| {
            shake(Arc::clone(&shared), acceptor.clone(), socket, address)
        })
        .await;
        // The port is closed. Every place is free again when the last connection has ended.
        let all = u32::try_from(places).unwrap_or(u32::MAX);
        let drained = timeout(shared.settings.timeouts.drain, connections.acquire_many(all)).await.is_ok();
        shared.phase.send_replace(Phase::Closed);
        if !drained {
            tracing::warn!(target: "angos::server", "requests in flight were cut at the end of the drain time");
            let _ = timeout(CUT_WITHIN, connections.acquire_many(all)).await;
        }
        let _ = beside.await;
    }
}

/// What runs beside the registry until the very end.
async fn beside(shared: Arc<Shared>, management: Option<TcpListener>) {
    let probes = async {
        match management {
            Some(listener) => {
                let places = Arc::new(Semaphore::new(MANAGEMENT_CONNECTIONS));
                let serve = |socket, address| management::serve(Arc::clone(&shared), socket, address);
                accept(listener, places, until(&shared, Phase::Closed), serve).await;
            }
            None => until(&shared, Phase::Closed).await,
        }
    };
    tokio::select! {
        () = probes => {}
        () = sweep(&shared) => {}
    }
}

/// Resolves when the server has come to a phase.
fn until(shared: &Shared, wanted: Phase) -> impl Future<Output = ()> + Send + use<> {
    let mut phase = shared.phase.subscribe();
    async move {
        // The sender lives as long as the server.
        let _ = phase.wait_for(|phase| *phase >= wanted).await;
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

fn listen(address: SocketAddr) -> Result<TcpListener, StartError> {
    let open = || {
        let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
        // A restart must not wait for the last connections of the process before it.
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        socket.listen(BACKLOG)
    };
    open().map_err(|source| StartError::Listen { address, source })
}

/// A generation as a gauge has it.
pub(crate) fn gauge(generation: u64) -> i64 {
    i64::try_from(generation).unwrap_or(i64::MAX)
}
