//! Decides whether an open connection is kept, drained or aborted: at intervals, and after each change of the TLS
//! material.

use std::pin::Pin;
use std::time::Duration;

use angos_tls::Generations;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::{Instant, Sleep};

use crate::connection::activity::{Activity, ActivityState};
use crate::connection::context::Connection;
use crate::connection::peer_trust::PeerTrust;
use crate::limits::CHECK_INTERVAL_MIN;

/// What the connection has to do now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ConnectionAction {
    KeepOpen,
    /// Accept no new request, and close after the requests in flight.
    Drain,
    /// Close at once, whatever is in flight.
    Abort,
}

/// When one connection is checked: at intervals, and after each change of the TLS material.
///
/// After a change every connection is due at once, and a check may verify a certificate chain. Requests must not wait
/// behind ten thousand checks, so [`RECHECK_CONCURRENCY`](crate::limits::RECHECK_CONCURRENCY) of them run at a time. The
/// delay opens no gap, because each request checks the trust of its connection before it is served.
#[derive(Debug)]
pub(crate) struct RecheckSchedule<'a> {
    queue: &'a Semaphore,
    changes: Option<Generations>,
    interval: Pin<Box<Sleep>>,
    due: bool,
}

impl<'a> RecheckSchedule<'a> {
    pub(crate) fn new(connection: &'a Connection, first: Instant) -> Self {
        Self {
            queue: &connection.server.recheck_queue,
            changes: connection.trust.as_ref().map(PeerTrust::changes),
            interval: Box::pin(tokio::time::sleep_until(first)),
            due: false,
        }
    }

    /// Waits until the connection is due and a check may run. The check ends when the permit is dropped. Cancel safe.
    pub(crate) async fn next(&mut self) -> Option<SemaphorePermit<'a>> {
        if !self.due {
            tokio::select! {
                () = changed(&mut self.changes) => {}
                () = self.interval.as_mut() => {}
            }
            self.due = true;
        }
        // The semaphore is never closed.
        let permit = self.queue.acquire().await.ok();
        self.due = false;
        permit
    }

    /// Sets when the connection is due next.
    pub(crate) fn reset(&mut self, next: Instant) {
        self.interval.as_mut().reset(next);
    }
}

/// Resolves when the TLS material has changed; never without TLS.
async fn changed(changes: &mut Option<Generations>) {
    match changes {
        Some(changes) => drop(changes.changed().await),
        None => std::future::pending().await,
    }
}

/// Checks one connection for as long as it is open.
#[derive(Debug)]
pub(crate) struct Supervisor<'a> {
    connection: &'a Connection,
    /// Since when the connection is being drained.
    draining: Option<Instant>,
    /// When requests in flight are aborted, because the peer is no longer trusted.
    deadline: Option<Instant>,
}

impl<'a> Supervisor<'a> {
    pub(crate) fn new(connection: &'a Connection) -> Self {
        Self { connection, draining: None, deadline: None }
    }

    /// Whether the connection is not being drained yet.
    pub(crate) fn is_open(&self) -> bool {
        self.draining.is_none()
    }

    /// Drains the connection from now on.
    pub(crate) fn drain(&mut self) {
        self.draining.get_or_insert_with(Instant::now);
    }

    /// When the next check is due if the TLS material does not change before.
    pub(crate) fn next(&self) -> Instant {
        let now = Instant::now();
        let mut interval = Activity::check_interval(&self.connection.server.settings.timeouts);
        let remaining =
            self.connection.trust.as_ref().filter(|_| self.deadline.is_none()).and_then(PeerTrust::remaining);
        for sooner in remaining.into_iter().chain(self.deadline.map(|deadline| deadline.duration_since(now)))
        {
            interval = interval.min(sooner);
        }
        now + interval.max(CHECK_INTERVAL_MIN)
    }

    /// Decides what the connection has to do now.
    pub(crate) fn check(&mut self) -> ConnectionAction {
        if self.loses_trust() {
            self.drain();
            return ConnectionAction::Drain;
        }
        if self.deadline.is_some_and(|deadline| deadline <= Instant::now()) {
            return ConnectionAction::Abort;
        }
        let timeouts = &self.connection.server.settings.timeouts;
        let action = match (self.connection.activity.state(timeouts), self.draining) {
            (ActivityState::Active, _) => return ConnectionAction::KeepOpen,
            (ActivityState::Idle, None) => ConnectionAction::Drain,
            (ActivityState::Idle, Some(since)) if since.elapsed() < timeouts.body_progress => {
                ConnectionAction::KeepOpen
            }
            (ActivityState::Idle, Some(_)) | (ActivityState::Stalled, _) => ConnectionAction::Abort,
        };
        match action {
            ConnectionAction::Drain => self.drain(),
            ConnectionAction::Abort => drop(self.connection.server.metrics.stalled.inc()),
            ConnectionAction::KeepOpen => {}
        }
        action
    }

    /// Whether the peer was trusted until now and no longer is. Returns true once.
    fn loses_trust(&mut self) -> bool {
        let Some(trust) = self.connection.trust.as_ref().filter(|_| self.deadline.is_none()) else {
            return false;
        };
        let Err(error) = trust.check() else { return false };
        let server = &self.connection.server;
        let grace: Duration = server.settings.timeouts.untrusted_drain;
        self.deadline = Some(Instant::now() + grace);
        server.metrics.drained(error.class());
        tracing::info!(
            target: "angos::auth",
            client_ip = %self.connection.peer().address,
            class = error.class(),
            subject = trust.certificate().map(|it| it.subject()),
            fingerprint = trust.certificate().map(|it| it.fingerprint()),
            "connection takes no more requests: {error}"
        );
        true
    }
}
