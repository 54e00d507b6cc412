//! Options that several commands share.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

/// The configuration that is read when none is named.
const DEFAULT_FILE: &str = "config.toml";

/// `-c` after the subcommand, where most people write it.
#[derive(Debug, Args)]
pub(crate) struct Files {
    /// Configuration file; repeat it to lay later files over earlier ones [default: config.toml]
    #[arg(id = "more", short = 'c', long = "config", value_name = "FILE")]
    config: Vec<PathBuf>,
}

impl Files {
    /// The configuration files in their order: those `before` the subcommand, then these.
    pub(crate) fn all(&self, before: &[PathBuf]) -> Vec<PathBuf> {
        let named = [before, &self.config].concat();
        if named.is_empty() { vec![PathBuf::from(DEFAULT_FILE)] } else { named }
    }
}

/// `-c` of a command that reads no configuration unless one is named.
#[derive(Debug, Args)]
pub(crate) struct NamedFiles {
    /// Configuration of a server to simulate; repeat it to lay later files over earlier ones
    #[arg(id = "more", short = 'c', long = "config", value_name = "FILE")]
    config: Vec<PathBuf>,
}

impl NamedFiles {
    /// The same without a default.
    pub(crate) fn all(&self, before: &[PathBuf]) -> Vec<PathBuf> {
        [before, &self.config].concat()
    }
}

/// Format of a report.
#[derive(Clone, Copy, Debug, Default, ValueEnum)]
pub(crate) enum ReportFormat {
    /// For people
    #[default]
    Text,
    /// One JSON object
    Json,
}

/// Format of log lines.
#[derive(Clone, Copy, Debug, Default, ValueEnum)]
pub(crate) enum LogFormat {
    /// For people
    #[default]
    Text,
    /// One JSON object per line
    Json,
}
