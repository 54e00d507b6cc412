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
    kind: WarningKind,
}

impl Warning {
    pub(crate) fn new(
        setting: Setting,
        file: &Path,
        position: usize,
        subject: String,
        kind: WarningKind,
    ) -> Self {
        Self { setting, file: file.to_owned(), position, subject, kind }
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
    pub fn kind(&self) -> WarningKind {
        self.kind
    }
}

impl Warning {
    /// The file, the certificate or list in it, and what is odd about it; everything but the setting.
    pub fn description(&self) -> String {
        let Self { file, position, subject, kind, .. } = self;
        format!("{}: {} {position} ({subject}) {kind}", file.display(), kind.of_what())
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
pub enum WarningKind {
    /// The server's certificate has expired: clients will refuse it.
    ServerExpired,
    /// The server's certificate is not valid yet: clients will refuse it.
    ServerNotYetValid,
    /// The server's certificate is not for a name it is to be shown for: clients will refuse it.
    ServerNameMissing,
    /// A client authority has expired: certificates it signed are refused.
    CaExpired,
    /// A client authority is not valid yet: certificates it signed are refused.
    CaNotYetValid,
    /// A client authority is on the revocation list of another one of its bundle: it vouches for nobody.
    CaRevoked,
    /// A revocation list is past its `nextUpdate`.
    CrlExpired,
    /// A revocation list of an issuer that is no authority of its bundle: it counts only for an intermediate of
    /// that name that has signed it.
    CrlIssuerUnknown,
    /// A revocation list that the authority it names has not signed: it is not used.
    CrlBadSignature,
    /// A revocation list whose issuer's key usage lacks cRLSign: it is not used.
    CrlIssuerMayNotSign,
    /// A revocation list older than another of the same issuer for the same certificates: it is not used.
    CrlOlder,
}

impl WarningKind {
    /// What to do about it.
    pub fn remedy(self) -> &'static str {
        match self {
            Self::ServerExpired | Self::CaExpired => "replace it",
            Self::ServerNotYetValid | Self::CaNotYetValid => "check the clock, or replace it",
            Self::ServerNameMissing => "let it be issued for that name, or leave the name out",
            Self::CaRevoked | Self::CrlOlder => "remove it",
            Self::CrlExpired => "let its issuer write a new one",
            Self::CrlIssuerUnknown => "remove it, unless it is of an intermediate that clients send",
            Self::CrlBadSignature => "fetch it anew from its issuer",
            Self::CrlIssuerMayNotSign => "let the authority be issued anew with cRLSign",
        }
    }

    fn of_what(self) -> &'static str {
        match self {
            Self::ServerExpired
            | Self::ServerNotYetValid
            | Self::ServerNameMissing
            | Self::CaExpired
            | Self::CaNotYetValid
            | Self::CaRevoked => "certificate",
            Self::CrlExpired
            | Self::CrlIssuerUnknown
            | Self::CrlBadSignature
            | Self::CrlIssuerMayNotSign
            | Self::CrlOlder => "revocation list",
        }
    }
}

impl fmt::Display for WarningKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ServerExpired => "has expired; clients will refuse it",
            Self::ServerNotYetValid => "is not valid yet; clients will refuse it",
            Self::ServerNameMissing => "is shown for that name but is not for it; clients will refuse it",
            Self::CaExpired => {
                "is an authority that has expired; client certificates it signed are refused"
            }
            Self::CaNotYetValid => {
                "is an authority that is not valid yet; client certificates it signed are refused"
            }
            Self::CaRevoked => "is an authority that is revoked by another; it vouches for nobody",
            Self::CrlExpired => "has expired",
            Self::CrlIssuerUnknown => {
                "is of no authority of the bundle; it counts only for an intermediate of that name that has signed it"
            }
            Self::CrlBadSignature => "is not signed by the authority it names; it is not used",
            Self::CrlIssuerMayNotSign => {
                "is of an authority whose key usage lacks cRLSign; it is not used"
            }
            Self::CrlOlder => "is older than another of the same issuer; it is not used",
        })
    }
}
