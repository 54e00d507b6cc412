//! What ends soon: told to operators by the log, and to clients in their responses.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use angos_tls::{Acceptor, Generations, Material};
use hyper::header::HeaderValue;

use crate::background::Job;
use crate::connection::Connection;
use crate::limits::EXPIRY_TOLD_EVERY;
use crate::respond::text;

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
        tell(&self.acceptor.material(), self.window, SystemTime::now());
        Ok(())
    }

    async fn due(&mut self) {
        let _ = tokio::time::timeout(EXPIRY_TOLD_EVERY, self.changes.changed()).await;
    }
}

fn tell(material: &Material, window: Duration, now: SystemTime) {
    for expiry in material.expiries() {
        let (kind, subject, file) = (expiry.kind().as_str(), expiry.subject(), expiry.file());
        match rest(expiry.at(), now) {
            Some(rest) if rest > window => {}
            Some(rest) => {
                let rest = written(rest);
                tracing::warn!(target: "angos::tls", kind, subject, ?file, "ends in {rest}: renew it");
            }
            None => tracing::warn!(target: "angos::tls", kind, subject, ?file, "has ended: renew it"),
        }
    }
}

/// How long a second is away, if it is not over.
fn rest(at: i64, now: SystemTime) -> Option<Duration> {
    let now = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let rest = u64::try_from(at).ok()?.saturating_add(1).checked_sub(now)?;
    (rest > 0).then(|| Duration::from_secs(rest))
}

/// The `Warning` a client reads whose certificate ends within the window, as the distribution specification has it.
pub(crate) fn warning(connection: &Connection) -> Option<HeaderValue> {
    let rest = connection.trust.as_ref()?.rest()?;
    if rest > connection.shared.settings.expiry_warning {
        return None;
    }
    let rest = written(rest);
    Some(text(format!("299 - \"the client certificate of this connection is valid for another {rest}\"")))
}

/// A time as a person says it, in the largest unit of which there are two.
fn written(rest: Duration) -> String {
    let seconds = rest.as_secs();
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
            assert_eq!(written(Duration::from_secs(seconds)), expected);
        }
    }

    #[test]
    fn the_second_of_the_end_is_a_valid_one() {
        let now = UNIX_EPOCH + Duration::from_secs(1000);
        assert_eq!(rest(1000, now), Some(Duration::from_secs(1)));
        assert_eq!(rest(999, now), None);
        assert_eq!(rest(-5, now), None);
        assert!(rest(i64::MAX, now).is_some());
    }
}
