//! Every bound on what a certificate may hold, with its reason. Beyond a bound the certificate is refused.

/// Size of a whole certificate, in bytes.
///
/// Source: rustls takes no handshake message above 64 KiB, so a larger certificate never arrives over TLS.
/// Reason: bounds the time to hash and read what a stranger offered, trusted or not.
pub const CERTIFICATE_MAX_BYTES: usize = 64 * 1024;

/// Attributes in a subject, and in an issuer.
///
/// Source: certificates met in practice hold fewer than twenty.
/// Reason: each becomes a string that rules walk over at every request.
pub const NAME_ATTRIBUTES_MAX: usize = 64;

/// Subject alternative names of all kinds together.
///
/// Source: public authorities stop at 100 for servers; clients have one or two.
/// Reason: each becomes a string that rules walk over at every request.
pub const ALTERNATIVE_NAMES_MAX: usize = 256;

/// Extensions of a certificate.
///
/// Source: certificates met in practice hold fewer than twenty.
/// Reason: each is compared with all others, since none may appear twice.
pub const EXTENSIONS_MAX: usize = 64;

/// Encoded size of one attribute or alternative name, in bytes.
///
/// Source: the SPIFFE standard allows ids of 2048 bytes, the longest of all claimed facts.
/// Reason: names go to logs and rules; no true one is longer.
pub const VALUE_MAX_BYTES: usize = 2048;

/// Size of a DNS name, in bytes.
///
/// Source: RFC 1035 §2.3.4, without the root.
pub const DNS_NAME_MAX_BYTES: usize = 253;

/// Size of one label of a DNS name, in bytes.
///
/// Source: RFC 1035 §2.3.4.
pub const DNS_LABEL_MAX_BYTES: usize = 63;

/// Size of the trust domain of a SPIFFE id, in bytes.
///
/// Source: SPIFFE-ID §2.3.
pub const SPIFFE_TRUST_DOMAIN_MAX_BYTES: usize = 255;

/// Size of a serial number, in bytes.
///
/// Source: RFC 5280 §4.1.2.2; the encoding may add one zero.
pub const SERIAL_NUMBER_MAX_BYTES: usize = 20;

/// Leading bits of an IPv6 address that tell one anonymous caller from another: 64.
///
/// Source: RFC 4291 §2.5.1 gives every network of hosts that many; one machine may use all addresses of it.
pub const CALLER_PREFIX_V6_BITS: u32 = 64;

/// The part of requests, of established connections and of waiting credentials that anonymous callers leave free for
/// holders of certificates, where clients are asked for one: a quarter (1/4).
///
/// Source: ours. Addresses are cheap and certificates are not: without a part of their own, a thousand addresses would
/// keep every holder out.
pub const CERTIFICATE_RESERVE: u64 = 4;
