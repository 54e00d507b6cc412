//! Every bound of this crate, with its reason.

use std::time::Duration;

/// Days that the certificates of a quickstart are valid: 90.
///
/// Source: ours. Long enough to try things, too short to rely on.
pub const VALID_DAYS: u16 = 90;

/// How long before its creation a certificate is valid: 1 hour.
///
/// Source: ours. Clocks of clients may be behind ours.
pub const CLOCK_DIFFERENCE: Duration = Duration::from_hours(1);

/// How long before their end a note warns of the certificates: 14 days.
///
/// Source: the default of `server.tls.expiry_warning`.
pub const EXPIRY_NOTE: Duration = Duration::from_hours(14 * 24);
