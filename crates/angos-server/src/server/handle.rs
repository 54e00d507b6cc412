//! What may change while the server runs: who may do what, the TLS material, and that it runs at all.

use std::sync::Arc;

use angos_registry::Registry;
use angos_tls::Material;

use crate::authorize::access::{Access, CurrentAccess};
use crate::metrics;
use crate::server::background::Background;
use crate::server::state::{Phase, ServerState};

/// Changes a running [`Server`](crate::Server). Clones act on the same server; after its end they do nothing.
#[derive(Debug, Clone)]
pub struct Handle {
    pub(crate) server: Arc<ServerState>,
}

impl Handle {
    /// Puts a set of policies and credentials into force, as a whole, and returns its generation (the first one is 1).
    ///
    /// Requests that have begun finish under the set they began with; the next request, on whatever connection, sees
    /// the new one.
    pub fn replace_access(&self, access: Access) -> u64 {
        // Of two replacements at once one goes first. A poisoned lock protects nothing that could be broken.
        let _order = self.server.replacing.lock();
        let generation = self.server.access.load().generation + 1;
        self.server.access.store(Arc::new(CurrentAccess::new(access, generation)));
        self.server.metrics.generation.set(metrics::generation(generation));
        generation
    }

    /// Puts TLS material into force for new handshakes, as a whole, and returns its generation; `None` if this server
    /// was bound without TLS, which cannot change while it runs.
    pub fn replace_tls(&self, material: Material) -> Option<u64> {
        let generation = self.server.acceptor.as_ref()?.replace(material);
        self.server.metrics.tls_generation.set(metrics::generation(generation));
        Some(generation)
    }

    /// Counts a reload whose set is now in force, and shows when that was.
    pub fn reload_succeeded(&self) {
        self.server.metrics.reloads_applied.inc();
        self.server.metrics.loaded_now();
    }

    /// Counts a reload that was refused; the old set stays in force.
    pub fn reload_failed(&self) {
        self.server.metrics.reloads_refused.inc();
    }

    /// Makes `/readyz` answer 503 from now on, and changes nothing else: connections are accepted and served as before.
    ///
    /// Call it some seconds before [`shutdown`](Self::shutdown), so that load balancers stop to send requests before
    /// ports are closed. Returns at once; a second call changes nothing.
    pub fn announce_shutdown(&self) {
        self.advance(Phase::Leaving);
    }

    /// The background jobs of the server, to add one or to start a round of one.
    pub fn background(&self) -> &Background {
        &self.server.background
    }

    /// The registry that is served, without policies: for commands of the operator.
    pub fn registry(&self) -> &Registry {
        &self.server.registry
    }

    /// Ends the server: see [`Server::run`](crate::Server::run). Returns at once; a second call changes nothing.
    pub fn shutdown(&self) {
        self.server.background.expect_ends();
        self.advance(Phase::Draining);
    }

    fn advance(&self, to: Phase) {
        self.server.phase.send_if_modified(|phase| {
            let is_later = *phase < to;
            if is_later {
                *phase = to;
            }
            is_later
        });
    }
}
