//! Reload: when the files change or SIGHUP comes, a good configuration replaces the one in force, as far as
//! it can change while running; a bad one changes nothing.

use std::path::PathBuf;

use angos_config::{Configuration, Fixed, Problems, Watch, load};
use angos_server::{DecisionLog, Handle};
use tokio::signal::unix::Signal;

use crate::check::environment;

/// What a reload needs to know.
pub(crate) struct Reload {
    /// The configuration files, as named at start.
    pub(crate) files: Vec<PathBuf>,
    /// What the server was started with and keeps until it ends.
    pub(crate) fixed: Fixed,
    /// The server.
    pub(crate) handle: Handle,
    /// The decision log, whose file may have been moved away.
    pub(crate) decisions: Option<DecisionLog>,
}

impl Reload {
    /// Follows changes that `watch` sees, and signals, until dropped.
    pub(crate) async fn follow(self, mut watch: Watch, mut hangup: Signal) {
        loop {
            tokio::select! {
                () = watch.changed() => {}
                _ = hangup.recv() => watch.acknowledge().await,
            }
            if let Some(decisions) = &self.decisions {
                decisions.reopen();
            }
            let files = self.files.clone();
            let Ok(loaded) = tokio::task::spawn_blocking(move || load(&files, environment())).await else {
                return;
            };
            let watched = match loaded {
                Ok(configuration) => self.apply(configuration),
                Err(problems) => self.refuse(&problems),
            };
            tokio::task::block_in_place(|| watch.follow(watched));
        }
    }

    fn apply(&self, configuration: Configuration) -> Vec<PathBuf> {
        let Configuration { tls, access, files, fixed, warnings, .. } = configuration;
        for warning in &warnings {
            tracing::warn!(target: "angos::config", "{}", warning.summary());
        }
        for key in fixed.differences(&self.fixed) {
            tracing::warn!(target: "angos::config", key, "changed, and takes effect at the next start");
        }
        // Certificates first: whoever a new policy lets in can then also connect.
        let tls = tls.and_then(|material| self.handle.replace_tls(material));
        let policy = self.handle.replace_access(access);
        self.handle.reload_succeeded();
        tracing::info!(target: "angos::config", policy, tls, "reloaded");
        files
    }

    fn refuse(&self, problems: &Problems) -> Vec<PathBuf> {
        for problem in problems.iter() {
            tracing::error!(target: "angos::config", "{}", problem.summary());
        }
        let errors = problems.errors();
        tracing::error!(target: "angos::config", errors, "reload refused: the configuration in force stays");
        self.handle.reload_failed();
        problems.files().to_vec()
    }
}
