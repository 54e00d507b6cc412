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

impl Warning {
    /// The file, the certificate or list in it, and what is odd about it; everything but the setting.
    pub fn description(&self) -> String {
        let Self { file, position, subject, concern, .. } = self;
        format!("{}: {} {position} ({subject}) {concern}", file.display(), concern.of_what())
    }
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.setting, self.description())
    }
}

/// What is odd about a certificate or a revocation list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Concern {
    /// The server's certificate has expired: clients will refuse it.
    ServerExpired,
    /// The server's certificate is not valid yet: clients will refuse it.
    ServerNotYetValid,
    /// The server's certificate is not for a name it is to be shown for: clients will refuse it.
    ServerNameMissing,
    /// A client authority has expired: certificates it signed are refused.
    AuthorityExpired,
    /// A client authority is not valid yet: certificates it signed are refused.
    AuthorityNotYetValid,
    /// A client authority is on the revocation list of another one of its bundle: it vouches for nobody.
    AuthorityRevoked,
    /// A revocation list is past its `nextUpdate`.
    ListExpired,
    /// A revocation list of an issuer that is no authority of its bundle: it counts only for an intermediate of
    /// that name that has signed it.
    ListIssuerUnknown,
    /// A revocation list that the authority it names has not signed: it is not used.
    ListBadSignature,
    /// A revocation list whose issuer's key usage lacks cRLSign: it is not used.
    ListIssuerMayNotSign,
    /// A revocation list older than another of the same issuer for the same certificates: it is not used.
    ListOlder,
}

impl Concern {
    /// What to do about it.
    pub fn remedy(self) -> &'static str {
        match self {
            Self::ServerExpired | Self::AuthorityExpired => "replace it",
            Self::ServerNotYetValid | Self::AuthorityNotYetValid => "check the clock, or replace it",
            Self::ServerNameMissing => "let it be issued for that name, or leave the name out",
            Self::AuthorityRevoked | Self::ListOlder => "remove it",
            Self::ListExpired => "let its issuer write a new one",
            Self::ListIssuerUnknown => "remove it, unless it is of an intermediate that clients send",
            Self::ListBadSignature => "fetch it anew from its issuer",
            Self::ListIssuerMayNotSign => "let the authority be issued anew with cRLSign",
        }
    }

    fn of_what(self) -> &'static str {
        match self {
            Self::ServerExpired
            | Self::ServerNotYetValid
            | Self::ServerNameMissing
            | Self::AuthorityExpired
            | Self::AuthorityNotYetValid
            | Self::AuthorityRevoked => "certificate",
            Self::ListExpired
            | Self::ListIssuerUnknown
            | Self::ListBadSignature
            | Self::ListIssuerMayNotSign
            | Self::ListOlder => "revocation list",
        }
    }
}

impl fmt::Display for Concern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ServerExpired => "has expired; clients will refuse it",
            Self::ServerNotYetValid => "is not valid yet; clients will refuse it",
            Self::ServerNameMissing => "is shown for that name but is not for it; clients will refuse it",
            Self::AuthorityExpired => {
                "is an authority that has expired; client certificates it signed are refused"
            }
            Self::AuthorityNotYetValid => {
                "is an authority that is not valid yet; client certificates it signed are refused"
            }
            Self::AuthorityRevoked => "is an authority that is revoked by another; it vouches for nobody",
            Self::ListExpired => "has expired",
            Self::ListIssuerUnknown => {
                "is of no authority of the bundle; it counts only for an intermediate of that name that has signed it"
            }
            Self::ListBadSignature => "is not signed by the authority it names; it is not used",
            Self::ListIssuerMayNotSign => {
                "is of an authority whose key usage lacks cRLSign; it is not used"
            }
            Self::ListOlder => "is older than another of the same issuer; it is not used",
        })
    }
}
