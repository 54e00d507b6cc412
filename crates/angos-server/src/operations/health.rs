//! Stage 7: health and metrics. They know no repository.

use crate::authorize::permit::{Healthz, Metrics, Permit, Readyz};
use crate::limits::READINESS_TIMEOUT;
use crate::request::error::RequestError;
use crate::respond::Outcome;
use crate::server::state::{Phase, ServerState};
use crate::server::storage_health::{NOT_ANSWERING, ProbeResult};

/// Answers as long as the process serves requests.
pub(super) fn live(_: Permit<Healthz>) -> Outcome {
    Outcome::Healthy
}

/// Every metric, as text.
pub(super) fn metrics(server: &ServerState, _: Permit<Metrics>) -> Outcome {
    Outcome::Metrics(server.scrape())
}

/// Whether the server should get requests: it is not shutting down, the last round of no background job panicked, and the
/// storage answers and takes writes. The reason of a no is short and says nothing internal.
pub(super) async fn ready(server: &ServerState, _: Permit<Readyz>) -> Result<Outcome, RequestError> {
    if *server.phase.borrow() != Phase::Serving {
        return Err(RequestError::NotReady("the server is shutting down".into()));
    }
    if let Some(job) = server.background.broken() {
        return Err(RequestError::NotReady(format!("the background job {job} panicked").into()));
    }
    let probe = async {
        let mut found = server.storage_health.subscribe();
        // The sender lives as long as the server, and the first probe begins with it.
        let probe = found.wait_for(Option::is_some).await.ok().and_then(|probe| *probe);
        if let Some(reason) = probe.and_then(ProbeResult::problem) {
            return Err(RequestError::NotReady(reason.into()));
        }
        server.registry.catalog(None, 1).await.map_err(|error| {
            tracing::error!(target: "angos::server", %error, "the metadata store cannot be read");
            RequestError::NotReady("the metadata store cannot be read".into())
        })
    };
    match tokio::time::timeout(READINESS_TIMEOUT, probe).await {
        Ok(answered) => answered.map(|_| Outcome::Healthy),
        Err(_) => Err(RequestError::NotReady(NOT_ANSWERING.into())),
    }
}
