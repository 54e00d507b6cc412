//! A credential as a client presents it: the `Authorization` header of RFC 7617, read strictly.

use std::fmt;

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use crate::limits::AUTHORIZATION_BYTES;
use crate::password_hash::is_presentable;

/// Padding may be left out, as some clients do.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// A user name and a password nobody has checked yet.
#[derive(Debug)]
pub struct BasicCredentials {
    username: String,
    password: Password,
}

/// A password in clear. `Debug` does not show it.
#[derive(Clone)]
pub(crate) struct Password(String);

impl Password {
    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Password(…)")
    }
}

/// Why the header presents no credential. Shows nothing of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MalformedCredentials {
    /// Longer than any user name and password that could be right.
    #[error("the credential is too long")]
    TooLong,
    /// Another scheme than `Basic`.
    #[error("the credential is of another scheme than Basic")]
    Scheme,
    /// Not `Basic`, a space, and Base64 of `name:password` in UTF-8.
    #[error("the credential is not Base64 of a user name, a colon and a password in UTF-8")]
    Encoding,
    /// A control character, which RFC 7617 §2 forbids, or a password longer than any that could be right.
    #[error("the credential has a control character or a password that is too long")]
    Content,
}

impl BasicCredentials {
    /// Reads the value of one `Authorization` header.
    pub fn parse(value: &[u8]) -> Result<Self, MalformedCredentials> {
        const SCHEME: &[u8] = b"basic";
        if value.len() > AUTHORIZATION_BYTES {
            return Err(MalformedCredentials::TooLong);
        }
        let (scheme, rest) = value.split_at_checked(SCHEME.len()).ok_or(MalformedCredentials::Scheme)?;
        if !scheme.eq_ignore_ascii_case(SCHEME) || rest.first().is_some_and(|byte| *byte != b' ') {
            return Err(MalformedCredentials::Scheme);
        }
        let decoded = BASE64.decode(rest.trim_ascii()).map_err(|_| MalformedCredentials::Encoding)?;
        let text = String::from_utf8(decoded).map_err(|_| MalformedCredentials::Encoding)?;
        let (username, password) = text.split_once(':').ok_or(MalformedCredentials::Encoding)?;
        if !is_presentable(password) || username.chars().any(char::is_control) {
            return Err(MalformedCredentials::Content);
        }
        Ok(Self { username: username.to_owned(), password: Password(password.to_owned()) })
    }

    /// The user name; anyone may have written it.
    pub fn username(&self) -> &str {
        &self.username
    }

    pub(crate) fn password(&self) -> &Password {
        &self.password
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::PASSWORD_BYTES;

    fn header(text: &str) -> Vec<u8> {
        format!("Basic {}", BASE64.encode(text)).into_bytes()
    }

    #[test]
    fn reads_name_and_password() {
        let check = |value: &[u8], username: &str, password: &str| {
            let presented = BasicCredentials::parse(value).unwrap();
            assert_eq!(
                (presented.username(), presented.password().as_bytes()),
                (username, password.as_bytes())
            );
        };
        check(b"Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==", "Aladdin", "open sesame");
        check(b"bAsIc   QWxhZGRpbjpvcGVuIHNlc2FtZQ", "Aladdin", "open sesame");
        check(&header("a:b:c"), "a", "b:c");
        check(&header(":"), "", "");
        check(&header("jürgen:пароль"), "jürgen", "пароль");
        check(&header(&format!("a:{}", "x".repeat(PASSWORD_BYTES))), "a", &"x".repeat(PASSWORD_BYTES));
    }

    #[test]
    fn names_what_is_wrong() {
        let check = |value: &[u8], expected: MalformedCredentials| {
            assert_eq!(BasicCredentials::parse(value).err(), Some(expected), "{value:?}");
        };
        check(b"", MalformedCredentials::Scheme);
        check(b"Bearer abc", MalformedCredentials::Scheme);
        check(b"BasicQTpi", MalformedCredentials::Scheme);
        check(b"Basic", MalformedCredentials::Encoding);
        check(b"Basic ", MalformedCredentials::Encoding);
        check(b"Basic !!!", MalformedCredentials::Encoding);
        check(b"Basic QTpi QTpi", MalformedCredentials::Encoding);
        check(&header("no colon"), MalformedCredentials::Encoding);
        check(b"Basic /zpi", MalformedCredentials::Encoding); // not UTF-8
        check(&header("a:b\0c"), MalformedCredentials::Content);
        check(&header("a\n:b"), MalformedCredentials::Content);
        check(&header("a:b\u{85}"), MalformedCredentials::Content);
        check(&header(&format!("a:{}", "x".repeat(PASSWORD_BYTES + 1))), MalformedCredentials::Content);
        check(&[b'B'; AUTHORIZATION_BYTES + 1], MalformedCredentials::TooLong);
    }

    #[test]
    fn debug_shows_no_password() {
        let presented = BasicCredentials::parse(&header("alice:hunter2")).unwrap();
        assert_eq!(
            format!("{presented:?}"),
            "BasicCredentials { username: \"alice\", password: Password(…) }"
        );
    }
}
