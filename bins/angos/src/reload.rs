//! Reload: when the files change or SIGHUP comes, a good configuration replaces the one in force, as far as
//! it can change while running; a bad one changes nothing.

use std::path::PathBuf;

use angos_config::{ConfigChanges, ConfigSummary, Configuration, Loader, Problems, RestartOnly, Watch};
use angos_server::{DecisionLog, Handle};
use angos_tls::Snapshot;
use tokio::signal::unix::Signal;

use crate::check::environment;

/// What a reload needs to know.
pub(crate) struct Reload {
    /// Loads the configuration.
    pub(crate) loader: Loader,
    /// The configuration files, as named at start.
    pub(crate) files: Vec<PathBuf>,
    /// What the server was started with and keeps until it ends.
    pub(crate) restart_only: RestartOnly,
    /// What the set in force consists of.
    pub(crate) summary: ConfigSummary,
    /// The server.
    pub(crate) handle: Handle,
    /// The decision log, whose file may have been moved away.
    pub(crate) decisions: Option<DecisionLog>,
}

impl Reload {
    /// Follows changes that `watch` sees, and signals, until dropped. Returns only when the watch cannot go on.
    pub(crate) async fn follow(mut self, mut watch: Watch, mut hangup: Signal) -> Result<(), String> {
        loop {
            tokio::select! {
                changed = watch.changed() => changed.map_err(|error| error.to_string())?,
                _ = hangup.recv() => {}
            }
            if let Some(decisions) = &self.decisions {
                decisions.reopen();
            }
            let loaded = self.loader.reload(&self.files, environment()).await;
            let taken = loaded.and_then(|configuration| {
                let changes = configuration.replaces(&self.summary, &self.restart_only)?;
                Ok((configuration, changes))
            });
            let read = match taken {
                Ok((configuration, changes)) => self.apply(configuration, &changes),
                Err(problems) => self.refuse(&problems),
            };
            watch.follow(read).await;
        }
    }

    fn apply(&mut self, configuration: Configuration, changes: &ConfigChanges) -> Snapshot {
        let Configuration { tls, access, snapshot, restart_only, summary, warnings, .. } = configuration;
        for warning in &warnings {
            tracing::warn!(target: "angos::config", "{}", warning.summary());
        }
        for key in restart_only.differences(&self.restart_only) {
            tracing::warn!(target: "angos::config", key, "changed, and takes effect at the next start");
        }
        // Certificates first: a caller that the new policy allows can then also connect.
        let tls = tls.and_then(|material| self.handle.replace_tls(material));
        let policy = self.handle.replace_access(access);
        self.summary = summary;
        self.handle.reload_succeeded();
        tracing::info!(target: "angos::config", policy, tls, %changes, "reloaded");
        snapshot
    }

    fn refuse(&self, problems: &Problems) -> Snapshot {
        for problem in problems.iter() {
            tracing::error!(target: "angos::config", "{}", problem.summary());
        }
        let errors = problems.errors();
        tracing::error!(target: "angos::config", errors, "reload refused: the configuration in force stays");
        self.handle.reload_failed();
        problems.snapshot().clone()
    }
}
