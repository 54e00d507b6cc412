//! Warns of certificates and CRLs that expire soon: operators in the log, clients in their responses.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use angos_tls::{Acceptor, ExpiryKind, Generations, Material};
use hyper::header::HeaderValue;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::connection::context::Connection;
use crate::limits::EXPIRY_LOG_INTERVAL;
use crate::respond::text;
use crate::server::background::Job;

/// Logs what expires within the window: at the start, after each change of the TLS material, and once a day.
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
        let Some(message) = message(expiry.kind(), expiry.at(), window, now) else { continue };
        let (kind, subject, file) = (expiry.kind().as_str(), expiry.subject(), expiry.file());
        tracing::warn!(target: "angos::tls", kind, subject, ?file, "{message}");
    }
}

/// The warning about something that expires at `at`, in seconds since 1970. `None` while that is farther than the window.
fn message(kind: ExpiryKind, at: i64, window: Duration, now: SystemTime) -> Option<String> {
    let what = match kind {
        ExpiryKind::Server => "server certificate",
        ExpiryKind::ClientCa => "client CA",
        ExpiryKind::Crl => "CRL",
        _ => kind.as_str(),
    };
    let time = OffsetDateTime::from_unix_timestamp(at).ok().and_then(|time| time.format(&Rfc3339).ok());
    let time = time.unwrap_or_else(|| format!("Unix time {at}"));
    match remaining(at, now) {
        Some(remaining) if remaining > window => None,
        Some(remaining) => {
            Some(format!("{what} expires in {} ({time}); renew it before", humanize(remaining)))
        }
        None => Some(format!("{what} has expired ({time}); renew it now")),
    }
}

/// The time until the second `at` is over; `None` when it is over.
fn remaining(at: i64, now: SystemTime) -> Option<Duration> {
    let now = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let remaining = u64::try_from(at).ok()?.saturating_add(1).checked_sub(now)?;
    (remaining > 0).then(|| Duration::from_secs(remaining))
}

/// The `Warning` header for a client whose certificate expires within the window, in the form of the distribution
/// specification.
pub(crate) fn warning(connection: &Connection) -> Option<HeaderValue> {
    let remaining = connection.trust.as_ref()?.remaining()?;
    if remaining > connection.server.settings.expiry_warning {
        return None;
    }
    let remaining = humanize(remaining);
    Some(text(format!(
        "299 - \"the client certificate of this connection is valid for another {remaining}\""
    )))
}

/// A duration in the largest unit that it has at least two of.
fn humanize(duration: Duration) -> String {
    let seconds = duration.as_secs();
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
    fn durations_are_written_in_the_largest_unit_they_have_two_of() {
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
    fn a_certificate_is_valid_in_its_last_second() {
        let now = UNIX_EPOCH + Duration::from_secs(1000);
        assert_eq!(remaining(1000, now), Some(Duration::from_secs(1)));
        assert_eq!(remaining(999, now), None);
        assert_eq!(remaining(-5, now), None);
        assert!(remaining(i64::MAX, now).is_some());
    }

    #[test]
    fn a_warning_says_what_expires_when_and_what_to_do() {
        let at = 1_765_540_800;
        let check = |kind, seconds_before: i64, expected: Option<&str>| {
            let now = UNIX_EPOCH + Duration::from_secs(u64::try_from(at - seconds_before).unwrap());
            assert_eq!(message(kind, at, Duration::from_hours(48), now).as_deref(), expected);
        };
        check(ExpiryKind::Server, 48 * 3600, None);
        let soon = "server certificate expires in 47 hours (2025-12-12T12:00:00Z); renew it before";
        check(ExpiryKind::Server, 47 * 3600 + 5, Some(soon));
        check(ExpiryKind::ClientCa, -2, Some("client CA has expired (2025-12-12T12:00:00Z); renew it now"));
        check(ExpiryKind::Crl, 60, Some("CRL expires in 61 seconds (2025-12-12T12:00:00Z); renew it before"));
    }
}
