//! What may stand on the command line.

use std::net::IpAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::doctor::Doctor;
use crate::policy::{explain, test};

/// The configuration that is read when none is named.
const DEFAULT_FILE: &str = "config.toml";

/// An OCI registry whose front door is mutual TLS and a typed access policy.
#[derive(Debug, Parser)]
#[command(name = "angos", version, about, propagate_version = true)]
pub(crate) struct Arguments {
    /// Configuration file; repeat it to lay later files over earlier ones [default: config.toml]
    #[arg(short, long = "config", value_name = "FILE")]
    config: Vec<PathBuf>,

    /// How log lines look
    #[arg(long, value_enum, default_value_t, global = true, value_name = "FORMAT")]
    pub(crate) log_format: LogFormat,

    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run the registry
    Server(Files),
    /// Check the configuration, print every problem, and exit with 1 if there is an error
    Check(Check),
    /// Copy the store of a running or stopped server to a new folder
    Backup(Backup),
    /// Hash a password for the configuration; asks for it, or reads it from standard input
    #[command(visible_alias = "argon")]
    HashPassword,
    /// Make a folder with certificates, a configuration and an image, and run a registry on it
    Quickstart(Quickstart),
    /// Say why a client cannot connect to a registry, and what to do; exits with 1 if something is wrong
    Doctor(Doctor),
    /// Ask access policies without a server
    #[command(subcommand)]
    Policy(Policy),
}

#[derive(Debug, Subcommand)]
pub(crate) enum Policy {
    /// Say what the policies answer to one request, which rule decides, and what every part of every rule evaluates to
    Explain(Box<explain::Options>),
    /// Ask the policies everything that a file of cases says, and compare the answers
    Test(test::Options),
    /// Say what a configuration would have answered to recorded requests; exits with 1 if an answer would be another
    Replay(Replay),
}

#[derive(Debug, Args)]
pub(crate) struct Replay {
    /// Decision logs of a server, in any order; - is standard input
    #[arg(value_name = "LOG", required = true)]
    pub(crate) logs: Vec<PathBuf>,

    #[command(flatten)]
    pub(crate) files: Files,

    /// How the report looks
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    pub(crate) format: ReportFormat,
}

/// `-c` after the subcommand, where most people write it.
#[derive(Debug, Args)]
pub(crate) struct Files {
    /// Configuration file; repeat it to lay later files over earlier ones [default: config.toml]
    #[arg(id = "more", short = 'c', long = "config", value_name = "FILE")]
    config: Vec<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct Check {
    #[command(flatten)]
    pub(crate) files: Files,
    /// Exit with 1 if there is a warning
    #[arg(long)]
    pub(crate) deny_warnings: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Backup {
    /// The folder to make; must not exist yet, or be empty
    #[arg(value_name = "FOLDER")]
    pub(crate) folder: PathBuf,

    #[command(flatten)]
    pub(crate) files: Files,
}

#[derive(Debug, Args)]
pub(crate) struct Quickstart {
    /// The folder to make; a finished one is started again as it is
    #[arg(long, value_name = "FOLDER", default_value = "angos-quickstart")]
    pub(crate) dir: PathBuf,
    /// The address to listen on
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1")]
    pub(crate) address: IpAddr,
    /// The port to listen on
    #[arg(long, value_name = "PORT", default_value_t = 8443, value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) port: u16,
    /// Write the folder and stop
    #[arg(long)]
    pub(crate) no_start: bool,
}

/// `-c` where no configuration is read unless it is named.
#[derive(Debug, Args)]
pub(crate) struct NamedFiles {
    /// Configuration of a server to simulate; repeat it to lay later files over earlier ones
    #[arg(id = "more", short = 'c', long = "config", value_name = "FILE")]
    config: Vec<PathBuf>,
}

/// How a report looks.
#[derive(Clone, Copy, Debug, Default, ValueEnum)]
pub(crate) enum ReportFormat {
    /// For people
    #[default]
    Text,
    /// One JSON object
    Json,
}

/// How log lines look.
#[derive(Clone, Copy, Debug, Default, ValueEnum)]
pub(crate) enum LogFormat {
    /// For people
    #[default]
    Text,
    /// One JSON object a line
    Json,
}

impl Arguments {
    /// The configuration files in their order: those before the subcommand, then those after it.
    pub(crate) fn files(&self, after: &Files) -> Vec<PathBuf> {
        let named = self.named(&after.config);
        if named.is_empty() { vec![PathBuf::from(DEFAULT_FILE)] } else { named }
    }

    /// The same for a command that does without any.
    pub(crate) fn named_files(&self, after: &NamedFiles) -> Vec<PathBuf> {
        self.named(&after.config)
    }

    fn named(&self, after: &[PathBuf]) -> Vec<PathBuf> {
        self.config.iter().chain(after).cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn arguments_are_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn configuration_files_keep_their_order_wherever_they_stand() {
        for (line, expected) in [
            ("angos server", vec!["config.toml"]),
            ("angos -c a.toml server", vec!["a.toml"]),
            ("angos server -c a.toml", vec!["a.toml"]),
            ("angos -c a.toml --config b.toml check", vec!["a.toml", "b.toml"]),
            ("angos -c a.toml check -c b.toml -c c.toml", vec!["a.toml", "b.toml", "c.toml"]),
        ] {
            let arguments = Arguments::try_parse_from(line.split(' ')).expect(line);
            let (Command::Server(files) | Command::Check(Check { files, .. })) = &arguments.command else {
                panic!("{line}")
            };
            assert_eq!(arguments.files(files), expected.iter().map(PathBuf::from).collect::<Vec<_>>());
        }
    }

    #[test]
    fn the_older_name_of_hash_password() {
        let arguments = Arguments::try_parse_from(["angos", "argon"]).expect("an alias");
        assert!(matches!(arguments.command, Command::HashPassword));
        assert!(Arguments::try_parse_from(["angos", "argon", "secret"]).is_err(), "never an argument");
    }
}
