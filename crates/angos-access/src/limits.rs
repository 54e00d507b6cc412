//! Bounds of decisions and their records: each with its value, its source and its reason.

/// Bytes of one line of the decision log: 256 KiB. Of a line that would be longer the names in the certificate are left
/// out, and what is left fits.
///
/// Source: ours. Certificates met in practice give lines of 2 KiB. The largest one that rules can read (64 KiB) fits, if
/// it is not written to be escaped.
pub const DECISION_LINE_BYTES: usize = 256 * 1024;
