//! What an embedder or operator decides about the server: every setting with its default, unit and reason.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use angos_registry::Settings as RegistrySettings;
use angos_tls::{Acceptor, ClientAuth};
use ipnet::IpNet;

use crate::decision_log::DecisionLog;
use crate::limits::{BODY_MEMORY_BYTES, EXPIRY_WARNING, LISTENER_CONNECTIONS, MANAGEMENT_CONNECTIONS};
use crate::line_log::LineLog;

/// Everything [`Server::bind`](crate::Server::bind) needs to know besides who may do what.
///
/// The defaults serve a registry on `0.0.0.0:8000` without a management listener.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Address and port of the registry. Default `0.0.0.0:8000`, the address of the documentation. Port 0 picks a
    /// free one, see [`Server::local_addr`](crate::Server::local_addr).
    pub listen: SocketAddr,
    /// Address and port of a second listener that speaks plain HTTP and answers `/healthz`, `/readyz` and
    /// `/metrics` *without policy*. Default none. Bind it where only probes and scrapers reach it.
    pub management: Option<SocketAddr>,
    /// Further listeners, each with a name of its own. Default none.
    pub listeners: Vec<Listener>,
    /// Peers whose `Forwarded` and `X-Forwarded-For` headers are believed. Default none: anyone can write a header.
    pub trusted_proxies: Vec<IpNet>,
    /// Where every decision is written. Default nowhere.
    pub decision_log: Option<DecisionLog>,
    /// The log of the process, to be counted in `angos_log_lines_total` and watched: the server ends when its thread
    /// does. Default none: the process logs in another way. The server itself writes nothing to it.
    pub log: Option<LineLog>,
    /// Labels of the metric `angos_build_info`: what the program was built from. Default none, and then no such metric.
    pub build_info: Vec<(&'static str, &'static str)>,
    /// How long things may take.
    pub timeouts: Timeouts,
    /// How long before its end the log warns of a certificate or revocation list, and a client is told, in a `Warning`
    /// of each response, that its certificate ends. Default 14 days.
    pub expiry_warning: Duration,
    /// How much of everything there may be.
    pub limits: Limits,
    /// What the registry itself allows: sizes, immutable tags, sessions.
    pub registry: RegistrySettings,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::UNSPECIFIED, 8000)),
            management: None,
            listeners: Vec::new(),
            trusted_proxies: Vec::new(),
            decision_log: None,
            log: None,
            build_info: Vec::new(),
            timeouts: Timeouts::default(),
            expiry_warning: EXPIRY_WARNING,
            limits: Limits::default(),
            registry: RegistrySettings::default(),
        }
    }
}

impl Settings {
    /// Every listener there is to be: the registry's, the one for management, then the further ones. `tls`: whether
    /// there is an acceptor, so that the registry's own speaks TLS.
    pub fn all_listeners(&self, tls: bool) -> Vec<Listener> {
        let mut registry = Listener::new(Listener::REGISTRY, self.listen);
        registry.tls = tls;
        registry.max_connections = self.limits.max_connections;
        let management = self.management.map(|address| {
            let mut management = Listener::new(Listener::MANAGEMENT, address);
            management.tls = false;
            management.surfaces = Surfaces::MANAGEMENT;
            management.max_connections = MANAGEMENT_CONNECTIONS;
            management
        });
        [registry].into_iter().chain(management).chain(self.listeners.iter().cloned()).collect()
    }
}

/// A listener beside the one of [`Settings::listen`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Listener {
    /// Its name in logs and metrics: different from all others, [`REGISTRY`](Self::REGISTRY) and
    /// [`MANAGEMENT`](Self::MANAGEMENT) included.
    pub name: String,
    /// Address and port; port 0 picks a free one, see [`Server::listeners`](crate::Server::listeners).
    pub address: SocketAddr,
    /// Whether it speaks TLS, with the acceptor of the server. Default true; without an acceptor the server does not
    /// start.
    pub tls: bool,
    /// How it treats clients. Default: as the acceptor of the server does.
    pub client_auth: Option<ClientAuth>,
    /// What it serves. Default the registry.
    pub surfaces: Surfaces,
    /// Open connections, TLS handshakes included. Default 1024. Callers share them, and past it older ones are closed,
    /// as [`Limits::max_connections`] says.
    pub max_connections: usize,
}

impl Listener {
    /// Name of the listener of [`Settings::listen`].
    pub const REGISTRY: &str = "registry";
    /// Name of the listener of [`Settings::management`].
    pub const MANAGEMENT: &str = "management";

    /// Whether it is one of [`Settings::listeners`].
    pub fn is_further(&self) -> bool {
        self.name != Self::REGISTRY && self.name != Self::MANAGEMENT
    }

    /// What accepts its connections: the server's acceptor, which treats clients as this listener wants it. None where
    /// it speaks plain HTTP.
    pub fn acceptor(&self, of_server: &Acceptor) -> Option<Acceptor> {
        let own = || self.client_auth.map(|mode| of_server.with_client_auth(mode));
        self.tls.then(|| own().unwrap_or_else(|| of_server.clone()))
    }

    /// The registry, over TLS, on another address.
    pub fn new(name: impl Into<String>, address: SocketAddr) -> Self {
        Self {
            name: name.into(),
            address,
            tls: true,
            client_auth: None,
            surfaces: Surfaces::REGISTRY,
            max_connections: LISTENER_CONNECTIONS,
        }
    }
}

/// What a listener serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Surfaces {
    /// The registry, under the policies; its probes and metrics too.
    pub registry: bool,
    /// `/healthz`, `/readyz` and `/metrics` without policy; whatever else the registry would serve is not there.
    pub management: bool,
}

impl Surfaces {
    /// The registry alone.
    pub const REGISTRY: Surfaces = Surfaces { registry: true, management: false };
    /// Health and metrics alone.
    pub const MANAGEMENT: Surfaces = Surfaces { registry: false, management: true };
}

/// How long a client may take before it is cut off. There is no bound on a whole transfer, only on standing still.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// From a connection being open (and its TLS handshake done, which has its own deadline in `angos-tls`) to its
    /// first complete request head. Default 30 s: generous for a human, short for a slow-header attack.
    pub request_head: Duration,
    /// From the end of one request to the complete head of the next. Default 75 s; past it the connection is closed
    /// (HTTP/2: GOAWAY). Most clients give up an idle connection themselves within 90 s.
    pub idle: Duration,
    /// Between two pieces of a request body, and between two pieces of a response body the client takes. Default
    /// 60 s. A client that stops longer is cut; one that is slow but moving is not, as long as it takes 256 KiB of each
    /// blob it asked for in [ten times that](crate::limits::SLOW_CHUNK_FACTOR).
    pub body_progress: Duration,
    /// How long requests in flight may go on when the certificate of their connection is no longer accepted: revoked,
    /// expired, or of an authority that was removed. Default 10 s. New ones are refused at once.
    pub untrusted_drain: Duration,
    /// How long whoever ends the server waits between
    /// [`Handle::announce_shutdown`](crate::Handle::announce_shutdown) and
    /// [`Handle::shutdown`](crate::Handle::shutdown). Default 1 s: Kubernetes and most proxies stop sending within it, and
    /// a restart is not noticeably longer. A balancer that probes every few seconds needs more.
    pub shutdown_delay: Duration,
    /// How long [`Handle::shutdown`](crate::Handle::shutdown) lets requests in flight finish. Default 20 s. With
    /// [`shutdown_delay`](Self::shutdown_delay), this leaves 9 of the 30 s that Kubernetes gives a pod.
    pub drain: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            request_head: Duration::from_secs(30),
            idle: Duration::from_secs(75),
            body_progress: Duration::from_mins(1),
            untrusted_drain: Duration::from_secs(10),
            shutdown_delay: Duration::from_secs(1),
            drain: Duration::from_secs(20),
        }
    }
}

/// How many connections, streams and requests there may be at once, and what their bodies may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Open connections of the registry's listener, TLS handshakes included. Default 16384.
    ///
    /// A quarter is kept for connections without a request yet, and where clients are asked for certificates, a
    /// quarter of the others for holders of one. A caller has its share of them, as of
    /// [`max_requests`](Self::max_requests); past its share, each of its connections takes the place of its oldest one
    /// without a request. Past all shares that of the caller with most is closed. See
    /// [`Settings::fit_open_files`] about the limit on open files.
    pub max_connections: usize,
    /// Requests being answered, up to the last byte of their response. Default 4096.
    ///
    /// Callers share them: one that has `n` gets another one while `n × max_requests` is less than the square of those
    /// that are free. So one caller has at most 38 %, and `k` callers leave a part of `1/(k + 1)` to others, whatever
    /// they do. A caller is a certificate, a user, or without both an IPv4 address or a /64 of IPv6. Where clients are
    /// asked for certificates, callers without one leave a quarter free besides. Past its share a caller gets 429 with
    /// `Retry-After`.
    pub max_requests: usize,
    /// Streams one HTTP/2 connection may have open. Default 128: twice what the busiest client opens.
    pub max_http2_streams: u32,
    /// Bytes of request and response bodies held for clients, over all connections. Default 256 MiB. A connection has an
    /// eighth of it, at least [16 MiB](crate::limits::CONNECTION_SHARE_MIN_BYTES). Past it long responses are sent in
    /// [small pieces](crate::limits::BODY_BUFFER_FREE_BYTES), and what has to be in memory as a whole is answered 503 with
    /// `Retry-After`.
    pub body_memory: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_connections: 16_384,
            max_requests: 4096,
            max_http2_streams: 128,
            body_memory: BODY_MEMORY_BYTES,
        }
    }
}
