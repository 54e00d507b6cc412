//! What ends soon: told to operators by the log, and to clients in their responses.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use angos_tls::{Acceptor, Generations, Material};
use hyper::header::HeaderValue;

use crate::connection::Connection;
use crate::limits::EXPIRY_LOG_INTERVAL;
use crate::respond::text;
use crate::server::background::Job;

/// Warns of what ends within the window: at the start, after each change of the material, and daily.
#[derive(Debug)]
pub(crate) struct ExpiryWarnings {
    acceptor: Acceptor,
    changes: Generations,
    window: Duration,
}

impl ExpiryWarnings {
    pub(crate) fn new(acceptor: Acceptor, window: Duration) -> Self {
        let changes = acceptor.generations();
        Self { acceptor, changes, window }
    }
}

impl Job for ExpiryWarnings {
    async fn round(&mut self) -> Result<(), String> {
        log_expiring(&self.acceptor.material(), self.window, SystemTime::now());
        Ok(())
    }

    async fn due(&mut self) {
        let _ = tokio::time::timeout(EXPIRY_LOG_INTERVAL, self.changes.changed()).await;
    }
}

fn log_expiring(material: &Material, window: Duration, now: SystemTime) {
    for expiry in material.expiries() {
        let (kind, subject, file) = (expiry.kind().as_str(), expiry.subject(), expiry.file());
        match remaining(expiry.at(), now) {
            Some(remaining) if remaining > window => {}
            Some(remaining) => {
                let remaining = humanize(remaining);
                tracing::warn!(target: "angos::tls", kind, subject, ?file, "ends in {remaining}: renew it");
            }
            None => tracing::warn!(target: "angos::tls", kind, subject, ?file, "has ended: renew it"),
        }
    }
}

/// How long a second is away, if it is not over.
fn remaining(at: i64, now: SystemTime) -> Option<Duration> {
    let now = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let remaining = u64::try_from(at).ok()?.saturating_add(1).checked_sub(now)?;
    (remaining > 0).then(|| Duration::from_secs(remaining))
}

/// The `Warning` a client reads whose certificate ends within the window, as the distribution specification has it.
pub(crate) fn warning(connection: &Connection) -> Option<HeaderValue> {
    let remaining = connection.trust.as_ref()?.remaining()?;
    if remaining > connection.shared.settings.expiry_warning {
        return None;
    }
    let remaining = humanize(remaining);
    Some(text(format!(
        "299 - \"the client certificate of this connection is valid for another {remaining}\""
    )))
}

/// A time as a person says it, in the largest unit of which there are two.
fn humanize(remaining: Duration) -> String {
    let seconds = remaining.as_secs();
    match seconds {
        172_800.. => format!("{} days", seconds / 86_400),
        7200.. => format!("{} hours", seconds / 3600),
        120.. => format!("{} minutes", seconds / 60),
        _ => format!("{seconds} seconds"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_in_units_of_which_there_are_two() {
        for (seconds, expected) in [
            (0, "0 seconds"),
            (119, "119 seconds"),
            (120, "2 minutes"),
            (7199, "119 minutes"),
            (7200, "2 hours"),
            (172_799, "47 hours"),
            (172_800, "2 days"),
            (86_400 * 13 + 5, "13 days"),
        ] {
            assert_eq!(humanize(Duration::from_secs(seconds)), expected);
        }
    }

    #[test]
    fn the_second_of_the_end_is_a_valid_one() {
        let now = UNIX_EPOCH + Duration::from_secs(1000);
        assert_eq!(remaining(1000, now), Some(Duration::from_secs(1)));
        assert_eq!(remaining(999, now), None);
        assert_eq!(remaining(-5, now), None);
        assert!(remaining(i64::MAX, now).is_some());
    }
}
