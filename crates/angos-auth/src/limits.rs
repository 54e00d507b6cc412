//! Bounds of credentials and their verification: each with its value, its source and its reason.

use std::time::Duration;

/// Bytes of an `Authorization` header: 4 KiB.
///
/// Source: ours. Room for [`PASSWORD_BYTES`] and a long user name in Base64, twice over.
pub const AUTHORIZATION_BYTES: usize = 4 * 1024;

/// Bytes of a password: 1024.
///
/// Source: ours. No person and no generator makes longer ones; every byte is hashed before anybody is known.
pub const PASSWORD_BYTES: usize = 1024;

/// Memory an argon2id hash may ask for, in KiB: 256 MiB, for each of [`VERIFICATION_CONCURRENCY`].
///
/// Source: ours, thirteen times what OWASP recommends and `hash-password` uses. The number stands in the hash, so a
/// copied hash could otherwise take the whole machine at every attempt.
pub const PASSWORD_ARGON2_KIB: u32 = 256 * 1024;

/// Passes an argon2id hash may ask for: 16, eight times what OWASP recommends with 19 MiB.
pub const PASSWORD_ARGON2_PASSES: u32 = 16;

/// Lanes an argon2id hash may ask for: 16. They are computed one after the other and save no time.
pub const PASSWORD_ARGON2_LANES: u32 = 16;

/// Shortest argon2id hash that is accepted: 16 bytes, half of what `hash-password` makes. Shorter ones could be guessed.
pub const PASSWORD_ARGON2_HASH_MIN_BYTES: usize = 16;

/// Cost a bcrypt hash may ask for: 15, about 2.5 s of one processor; each step doubles it, up to days at 31.
pub const PASSWORD_BCRYPT_COST: u32 = 15;

/// Lowest cost a bcrypt hash may state: 4, the lowest that bcrypt defines.
pub const PASSWORD_BCRYPT_COST_MIN: u32 = 4;

/// Bytes of a password that bcrypt looks at: 72. A longer one is never accepted against a bcrypt hash.
///
/// Source: the definition of bcrypt. Whatever follows would be ignored, and so be no secret.
pub const PASSWORD_BCRYPT_BYTES: usize = 72;

/// Passwords checked at once: 8, or half the processors if that is less.
///
/// As many again are kept for credentials that were accepted before, so that guesses delay newcomers alone.
///
/// Source: ours. Checking is slow on purpose; beyond this, attempts wait instead of taking processors and memory from
/// callers who are known already.
pub const VERIFICATION_CONCURRENCY: usize = 8;

/// Credentials waiting to be checked that were not accepted before: 256. Callers share them as they share requests,
/// a quarter kept for holders of certificates, so one address without has at most 64. Past its share, the answer is 429
/// with `Retry-After`.
///
/// Source: ours, a few seconds of checking on a small machine.
pub const VERIFICATION_QUEUE_LENGTH: usize = 256;

/// How long an accepted credential is accepted again without checking the password: 60 s, not prolonged by use.
///
/// Source: ours. Clients send the password with every request; a pull makes dozens. Replacing the access set forgets
/// it at once.
pub const CREDENTIAL_CACHE_TTL: Duration = Duration::from_mins(1);
