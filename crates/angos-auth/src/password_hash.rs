//! A stored password: argon2id or bcrypt, never the password itself.

use std::fmt;
use std::str::FromStr;

use argon2::password_hash::{PasswordHasher as _, PasswordVerifier as _, phc};
use argon2::{Argon2, Params};

use crate::limits::{
    PASSWORD_ARGON2_HASH_MIN_BYTES, PASSWORD_ARGON2_KIB, PASSWORD_ARGON2_LANES, PASSWORD_ARGON2_PASSES,
    PASSWORD_BCRYPT_BYTES, PASSWORD_BCRYPT_COST, PASSWORD_BCRYPT_COST_MIN, PASSWORD_BYTES,
};

/// The hash of a password, in one of the two forms that are accepted:
///
/// - argon2id as PHC string, `$argon2id$v=19$m=…,t=…,p=…$salt$hash`, what [`create`](Self::create) makes;
/// - bcrypt, `$2a$`, `$2b$` or `$2y$`, what `htpasswd -B` makes. It cannot tell passwords longer than 72 bytes apart,
///   nor passwords with NUL, so neither is ever accepted against it.
///
/// Hashes that would cost more memory or time than a request may are refused when they are read. `Debug` shows the
/// kind alone.
#[derive(Clone)]
pub struct PasswordHash(Kind);

#[derive(Clone, PartialEq)]
enum Kind {
    Argon2id(Box<phc::PasswordHash>),
    Bcrypt(Box<str>),
}

/// Why a text is no usable password hash, or a password cannot be hashed. Shows neither.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PasswordHashError {
    /// Neither an argon2id nor a bcrypt hash. A password in clear gives this too.
    #[error("not an argon2id or bcrypt hash; `angos hash-password` makes one")]
    Unknown,
    /// A hash of a kind that is not accepted, such as argon2i or the defective `$2x$`.
    #[error("not an accepted kind of hash; `angos hash-password` makes one")]
    NotAccepted,
    /// It says argon2id or bcrypt, and what follows cannot be read.
    #[error("the hash is damaged")]
    Damaged,
    /// Checking it would take more memory or time than a request may cost.
    #[error(
        "the hash costs too much to check; at most m={PASSWORD_ARGON2_KIB},t={PASSWORD_ARGON2_PASSES},\
         p={PASSWORD_ARGON2_LANES} for argon2id and {PASSWORD_BCRYPT_COST} for bcrypt"
    )]
    TooCostly,
    /// The password is empty, too long, or holds a control character, so no client could present it.
    #[error("a password has 1 to {PASSWORD_BYTES} bytes and no control character")]
    Password,
    /// The system gave no randomness for the salt.
    #[error("the system gave no randomness")]
    NoRandomness,
}

impl PasswordHash {
    /// Whether it is the very same hash: same kind, parameters and salt.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        self.0 == other.0
    }

    /// The argon2id hash of `password` with a fresh salt, as PHC string. Takes tens of milliseconds and 19 MiB.
    pub fn create(password: &str) -> Result<String, PasswordHashError> {
        if !is_presentable(password) || password.is_empty() {
            return Err(PasswordHashError::Password);
        }
        let hash = Argon2::default().hash_password(password.as_bytes());
        hash.map(|hash| hash.to_string()).map_err(|_| PasswordHashError::NoRandomness)
    }

    /// Whether this is the hash of `password`. Takes the same time whatever the password is: one that can never be
    /// right is checked like any other, and then refused.
    pub(crate) fn verify(&self, password: &[u8]) -> bool {
        match &self.0 {
            Kind::Argon2id(hash) => Argon2::default().verify_password(password, hash.as_ref()).is_ok(),
            Kind::Bcrypt(hash) => {
                let matches = bcrypt::verify(password, hash).unwrap_or(false);
                matches & (password.len() <= PASSWORD_BCRYPT_BYTES) & !password.contains(&0)
            }
        }
    }
}

/// Whether a client could send this password: RFC 7617 allows no control characters.
pub(crate) fn is_presentable(password: &str) -> bool {
    password.len() <= PASSWORD_BYTES && !password.chars().any(char::is_control)
}

impl FromStr for PasswordHash {
    type Err = PasswordHashError;

    fn from_str(text: &str) -> Result<Self, PasswordHashError> {
        let kind = text.strip_prefix('$').and_then(|rest| rest.split('$').next());
        match kind {
            Some("argon2id") => argon2id(text),
            Some("2a" | "2b" | "2y") => bcrypt(text),
            Some("argon2i" | "argon2d" | "2" | "2x" | "1" | "5" | "6" | "apr1" | "y" | "scrypt") => {
                Err(PasswordHashError::NotAccepted)
            }
            _ => Err(PasswordHashError::Unknown),
        }
    }
}

fn argon2id(text: &str) -> Result<PasswordHash, PasswordHashError> {
    /// The only version in use; older hashes are weaker and say another number or none.
    const VERSION: u32 = 19;

    let hash = phc::PasswordHash::new(text).map_err(|_| PasswordHashError::Damaged)?;
    let parameters = Params::try_from(&hash).map_err(|_| PasswordHashError::Damaged)?;
    if hash.salt.is_none()
        || hash.hash.as_ref().is_none_or(|hash| hash.len() < PASSWORD_ARGON2_HASH_MIN_BYTES)
    {
        return Err(PasswordHashError::Damaged);
    }
    if hash.version != Some(VERSION) {
        return Err(PasswordHashError::NotAccepted);
    }
    let affordable = parameters.m_cost() <= PASSWORD_ARGON2_KIB
        && parameters.t_cost() <= PASSWORD_ARGON2_PASSES
        && parameters.p_cost() <= PASSWORD_ARGON2_LANES;
    if !affordable {
        return Err(PasswordHashError::TooCostly);
    }
    Ok(PasswordHash(Kind::Argon2id(Box::new(hash))))
}

fn bcrypt(text: &str) -> Result<PasswordHash, PasswordHashError> {
    let parts: bcrypt::HashParts = text.parse().map_err(|_| PasswordHashError::Damaged)?;
    match parts.get_cost() {
        ..PASSWORD_BCRYPT_COST_MIN => Err(PasswordHashError::Damaged),
        cost if cost > PASSWORD_BCRYPT_COST => Err(PasswordHashError::TooCostly),
        _ => Ok(PasswordHash(Kind::Bcrypt(text.into()))),
    }
}

impl fmt::Debug for PasswordHash {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self.0 {
            Kind::Argon2id(_) => "PasswordHash(argon2id)",
            Kind::Bcrypt(_) => "PasswordHash(bcrypt)",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// bcrypt of `password` at cost 4, made by another program.
    fn cheap_bcrypt(password: &[u8]) -> PasswordHash {
        let text = bcrypt::hash_with_salt(password, 4, [7; 16]).unwrap().to_string();
        text.parse().unwrap()
    }

    #[test]
    fn what_create_makes_verifies() {
        let text = PasswordHash::create("correct horse").unwrap();
        assert!(text.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{text}");
        let hash: PasswordHash = text.parse().unwrap();
        assert!(hash.verify(b"correct horse"));
        assert!(!hash.verify(b"correct horsf"));
        assert!(!hash.verify(b""));
        assert_ne!(PasswordHash::create("correct horse").unwrap(), text, "the salt is fresh");
    }

    #[test]
    fn passwords_no_client_can_send_are_not_hashed() {
        for password in ["", "a\0b", "a\nb", "a\u{7f}", &"x".repeat(PASSWORD_BYTES + 1)] {
            assert_eq!(PasswordHash::create(password), Err(PasswordHashError::Password), "{password:?}");
        }
    }

    #[test]
    fn hashes_of_other_programs_verify() {
        let check = |text: &str, password: &[u8]| {
            let hash: PasswordHash = text.parse().unwrap();
            assert!(hash.verify(password), "{text}");
            assert!(!hash.verify(b"something else"), "{text}");
        };
        // The reference test vectors of crypt_blowfish and of the argon2 reference implementation.
        check("$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW", b"U*U");
        check("$2y$05$/OK.fbVrR/bpIqNJ5ianF.CE5elHaaO4EbggVDjb8P19RukzXSM3e", b"\xff\xff\xa3");
        check(
            "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc",
            b"password",
        );
    }

    #[test]
    fn bcrypt_refuses_what_it_cannot_tell_apart() {
        let long = [b'x'; PASSWORD_BCRYPT_BYTES];
        let hash = cheap_bcrypt(&long);
        assert!(hash.verify(&long));
        assert!(!hash.verify(&[b'x'; PASSWORD_BCRYPT_BYTES + 1]));
        assert!(!hash.verify(&[b'x'; PASSWORD_BCRYPT_BYTES - 1]));
        assert!(
            bcrypt::verify([b'x'; PASSWORD_BCRYPT_BYTES + 1], &cheap_text(&hash)).unwrap(),
            "the trap is real"
        );

        let hash = cheap_bcrypt(b"a");
        assert!(hash.verify(b"a"));
        assert!(!hash.verify(b"a\0a"));
        assert!(bcrypt::verify(b"a\0a", &cheap_text(&hash)).unwrap(), "the trap is real");
    }

    fn cheap_text(hash: &PasswordHash) -> String {
        match &hash.0 {
            Kind::Bcrypt(text) => text.to_string(),
            Kind::Argon2id(hash) => hash.to_string(),
        }
    }

    #[test]
    fn unusable_hashes_are_named() {
        use PasswordHashError::{Damaged, NotAccepted, TooCostly, Unknown};
        let check = |text: &str, error: PasswordHashError| {
            assert_eq!(text.parse::<PasswordHash>().err(), Some(error), "{text}");
        };
        let salted = "$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc";
        check("", Unknown);
        check("hunter2", Unknown);
        check("$", Unknown);
        check(
            "$argon2i$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc",
            NotAccepted,
        );
        check("$2x$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW", NotAccepted);
        check("$apr1$salt$hash", NotAccepted);
        check(&format!("$argon2id$v=16$m=64,t=2,p=1{salted}"), NotAccepted);
        check(&format!("$argon2id$m=64,t=2,p=1{salted}"), NotAccepted);
        check("$argon2id$v=19$m=64,t=2,p=1", Damaged);
        check("$argon2id$v=19$m=64,t=2,p=1$c29tZXNhbHQ", Damaged);
        check("$argon2id$v=19$m=64,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1a", Damaged);
        check("$argon2id", Damaged);
        check(&format!("$argon2id$v=19$m=262145,t=2,p=1{salted}"), TooCostly);
        check(&format!("$argon2id$v=19$m=64,t=17,p=1{salted}"), TooCostly);
        check(&format!("$argon2id$v=19$m=640,t=2,p=17{salted}"), TooCostly);
        check("$2b$31$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW", TooCostly);
        check("$2b$03$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW", Damaged);
        check("$2b$05$CCCCCCCCCCCCCCCCCCCCC.", Damaged);
        check("$2b$05$ÄÄÄÄÄÄÄÄÄÄCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW", Damaged);
    }

    #[test]
    fn debug_and_errors_show_no_secret() {
        let text = PasswordHash::create("hunter2").unwrap();
        assert_eq!(format!("{:?}", text.parse::<PasswordHash>().unwrap()), "PasswordHash(argon2id)");
        assert_eq!(format!("{:?}", cheap_bcrypt(b"hunter2")), "PasswordHash(bcrypt)");
        let error = "hunter2".parse::<PasswordHash>().unwrap_err();
        assert!(!format!("{error} {error:?}").contains("hunter2"));
    }
}
