//! A checked configuration: everything the server needs.

use std::path::PathBuf;

use angos_server::Access;
use angos_tls::{Material, Snapshot};

use crate::problem::{Problem, Problems};
use crate::restart_only::RestartOnly;
use crate::summary::{ConfigChanges, ConfigSummary};

/// A configuration in which everything was checked: each rule compiled, each certificate read.
#[derive(Debug)]
#[non_exhaustive]
pub struct Configuration {
    /// Address, limits, and what the registry allows.
    pub server: angos_server::Settings,
    /// Certificates and keys, read and verified; absent when `[server.tls]` is.
    pub tls: Option<Material>,
    /// Policies and credentials.
    pub access: Access,
    /// Where blobs and metadata are kept.
    pub storage: angos_storage::Settings,
    /// The file every decision is written to.
    pub decision_log: Option<PathBuf>,
    /// Problems that do not prevent loading.
    pub warnings: Vec<Problem>,
    /// The files that were read: configuration, certificates, keys, CRLs, password files. Watch these.
    pub snapshot: Snapshot,
    /// The settings that take effect only at start.
    pub restart_only: RestartOnly,
    /// Names and fingerprints of its parts, to compare it with another configuration.
    pub summary: ConfigSummary,
}

impl Configuration {
    /// Its warnings, as problems.
    pub fn into_problems(self) -> Problems {
        Problems::new(self.warnings, self.snapshot)
    }

    /// The changes between `before` and this configuration, in a server that was started with `restart_only`.
    ///
    /// The error lists missing parts that a running server must not lose: `[server.tls]`, the global access policy, every
    /// access policy, or the whole content of a file. A truncated file looks like this.
    pub fn replaces(
        &self,
        before: &ConfigSummary,
        restart_only: &RestartOnly,
    ) -> Result<ConfigChanges, Problems> {
        let lost = self.summary.lost(before, restart_only.has_tls() && !self.restart_only.has_tls());
        if lost.is_empty() {
            Ok(self.summary.changes(before))
        } else {
            Err(Problems::new(lost, self.snapshot.clone()))
        }
    }
}
