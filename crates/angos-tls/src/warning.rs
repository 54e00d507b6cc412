//! What is odd about material that is used nevertheless.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::settings::Setting;

/// One oddity in an accepted set: it works, but probably not as the operator wishes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    setting: Setting,
    file: PathBuf,
    position: usize,
    subject: String,
    concern: Concern,
}

impl Warning {
    pub(crate) fn new(
        setting: Setting,
        file: &Path,
        position: usize,
        subject: String,
        concern: Concern,
    ) -> Self {
        Self { setting, file: file.to_owned(), position, subject, concern }
    }

    /// The setting to look at.
    pub fn setting(&self) -> Setting {
        self.setting
    }

    /// The file to look at.
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// What is odd.
    pub fn concern(&self) -> Concern {
        self.concern
    }
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { setting, file, position, subject, concern } = self;
        write!(f, "{setting} {}: certificate {position} ({subject}) {concern}", file.display())
    }
}

/// What is odd about a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Concern {
    /// The server's certificate has expired: clients will refuse it.
    ServerExpired,
    /// The server's certificate is not valid yet: clients will refuse it.
    ServerNotYetValid,
    /// A client authority has expired: certificates it signed are refused.
    AuthorityExpired,
    /// A client authority is not valid yet: certificates it signed are refused.
    AuthorityNotYetValid,
}

impl fmt::Display for Concern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ServerExpired => "has expired; clients will refuse it",
            Self::ServerNotYetValid => "is not valid yet; clients will refuse it",
            Self::AuthorityExpired => {
                "is an authority that has expired; client certificates it signed are refused"
            }
            Self::AuthorityNotYetValid => {
                "is an authority that is not valid yet; client certificates it signed are refused"
            }
        })
    }
}
