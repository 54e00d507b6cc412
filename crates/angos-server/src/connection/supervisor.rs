//! What becomes of an open connection: it stays, is closed politely, or is cut. Judged in rounds, and when trust changes.

use std::pin::Pin;
use std::time::Duration;

use angos_identity::Certificate;
use angos_tls::Generations;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::{Instant, Sleep};

use crate::connection::Connection;
use crate::connection::activity::{Activity, ActivityState};
use crate::connection::peer_trust::PeerTrust;
use crate::limits::CHECK_INTERVAL_MIN;

/// What to do with a connection now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ConnectionAction {
    KeepOpen,
    /// Take no new request, and close after those in flight.
    Close,
    Abort,
}

/// When to judge one connection: in rounds and when trust changes, but in its turn.
///
/// After a change every connection is due at once, and judging it may take verifying its chain. Requests must not wait
/// behind ten thousand of these, so connections are judged one after the other; none needs to be sooner, as each request
/// is judged by itself before it is served.
#[derive(Debug)]
pub(crate) struct RecheckSchedule<'a> {
    queue: &'a Semaphore,
    changes: Option<Generations>,
    round: Pin<Box<Sleep>>,
    due: bool,
}

impl<'a> RecheckSchedule<'a> {
    pub(crate) fn new(connection: &'a Connection, first: Instant) -> Self {
        Self {
            queue: &connection.shared.recheck_queue,
            changes: connection.trust.as_ref().map(PeerTrust::changes),
            round: Box::pin(tokio::time::sleep_until(first)),
            due: false,
        }
    }

    /// Waits for the next turn, which lasts until what is returned is dropped. Cancel safe.
    pub(crate) async fn next(&mut self) -> Option<SemaphorePermit<'a>> {
        if !self.due {
            tokio::select! {
                () = changed(&mut self.changes) => {}
                () = self.round.as_mut() => {}
            }
            self.due = true;
        }
        // The semaphore is never closed.
        let turn = self.queue.acquire().await.ok();
        self.due = false;
        turn
    }

    /// Begins the next round, which ends then.
    pub(crate) fn after(&mut self, next: Instant) {
        self.round.as_mut().reset(next);
    }
}

/// Resolves when the TLS material changed; never without TLS.
async fn changed(changes: &mut Option<Generations>) {
    match changes {
        Some(changes) => drop(changes.changed().await),
        None => std::future::pending().await,
    }
}

/// Judges one connection as long as it is open.
#[derive(Debug)]
pub(crate) struct Supervisor<'a> {
    connection: &'a Connection,
    closing: Option<Instant>,
    /// When what is in flight is cut, because the peer is no longer trusted.
    deadline: Option<Instant>,
}

impl<'a> Supervisor<'a> {
    pub(crate) fn new(connection: &'a Connection) -> Self {
        Self { connection, closing: None, deadline: None }
    }

    /// Whether nobody has decided yet that it closes.
    pub(crate) fn is_open(&self) -> bool {
        self.closing.is_none()
    }

    /// It is closed politely from now on.
    pub(crate) fn close(&mut self) {
        self.closing.get_or_insert_with(Instant::now);
    }

    /// When to judge the next time, if nothing happens before.
    pub(crate) fn next(&self) -> Instant {
        let now = Instant::now();
        let mut check_interval = Activity::check_interval(&self.connection.shared.settings.timeouts);
        let remaining =
            self.connection.trust.as_ref().filter(|_| self.deadline.is_none()).and_then(PeerTrust::remaining);
        for sooner in remaining.into_iter().chain(self.deadline.map(|deadline| deadline.duration_since(now)))
        {
            check_interval = check_interval.min(sooner);
        }
        now + check_interval.max(CHECK_INTERVAL_MIN)
    }

    /// Judges it.
    pub(crate) fn check(&mut self) -> ConnectionAction {
        if self.loses_trust() {
            self.close();
            return ConnectionAction::Close;
        }
        if self.deadline.is_some_and(|deadline| deadline <= Instant::now()) {
            return ConnectionAction::Abort;
        }
        let timeouts = &self.connection.shared.settings.timeouts;
        let fate = match (self.connection.activity.state(timeouts), self.closing) {
            (ActivityState::Active, _) => return ConnectionAction::KeepOpen,
            (ActivityState::Idle, None) => ConnectionAction::Close,
            (ActivityState::Idle, Some(since)) if since.elapsed() < timeouts.body_progress => {
                ConnectionAction::KeepOpen
            }
            (ActivityState::Idle, Some(_)) | (ActivityState::Stalled, _) => ConnectionAction::Abort,
        };
        match fate {
            ConnectionAction::Close => self.close(),
            ConnectionAction::Abort => drop(self.connection.shared.metrics.stalled.inc()),
            ConnectionAction::KeepOpen => {}
        }
        fate
    }

    /// Whether the peer was trusted until now and is no more.
    fn loses_trust(&mut self) -> bool {
        let Some(trust) = self.connection.trust.as_ref().filter(|_| self.deadline.is_none()) else {
            return false;
        };
        let Err(distrust) = trust.check() else { return false };
        let shared = &self.connection.shared;
        let grace: Duration = shared.settings.timeouts.distrust;
        self.deadline = Some(Instant::now() + grace);
        shared.metrics.drained(distrust.class());
        tracing::info!(
            target: "angos::auth",
            client_ip = %self.connection.caller.address,
            class = distrust.class(),
            subject = trust.certificate().map(Certificate::subject),
            fingerprint = trust.certificate().map(Certificate::fingerprint),
            "connection takes no more requests: {distrust}"
        );
        true
    }
}
