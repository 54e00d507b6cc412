//! The command line: what comes before the command, and the commands.

use std::path::PathBuf;

use clap::{Parser, Subcommand};

use crate::options::{Files, LogFormat};
use crate::{backup, check, doctor, gc, policy, quickstart, version};

/// An OCI registry with mutual TLS and typed access policies.
#[derive(Debug, Parser)]
#[command(name = "angos", version, long_version = version::LONG, about, propagate_version = true)]
pub(crate) struct Cli {
    /// Configuration file; repeat it to lay later files over earlier ones [default: config.toml]
    #[arg(short, long = "config", value_name = "FILE")]
    pub(crate) config: Vec<PathBuf>,

    /// Format of log lines
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
    Check(check::Options),
    /// Copy the store of a running or stopped server to a new folder
    Backup(backup::Options),
    /// Remove what no manifest needs any more from the store of a running or stopped server
    Gc(gc::Options),
    /// Hash a password for the configuration; asks for it, or reads it from standard input
    #[command(visible_alias = "argon")]
    HashPassword,
    /// Create a folder with certificates, a configuration and an image, and run a registry on it
    Quickstart(quickstart::Options),
    /// Explain why a client cannot connect to a registry, and what to do; exits with 1 if something is wrong
    Doctor(doctor::Options),
    /// Test and explain access policies without a server
    #[command(subcommand)]
    Policy(policy::Command),
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn arguments_are_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn configuration_files_keep_their_order_wherever_they_are_named() {
        for (line, expected) in [
            ("angos server", vec!["config.toml"]),
            ("angos -c a.toml server", vec!["a.toml"]),
            ("angos server -c a.toml", vec!["a.toml"]),
            ("angos -c a.toml --config b.toml check", vec!["a.toml", "b.toml"]),
            ("angos -c a.toml check -c b.toml -c c.toml", vec!["a.toml", "b.toml", "c.toml"]),
        ] {
            let cli = Cli::try_parse_from(line.split(' ')).expect(line);
            let (Command::Server(files) | Command::Check(check::Options { files, .. })) = &cli.command else {
                panic!("{line}")
            };
            assert_eq!(files.all(&cli.config), expected.iter().map(PathBuf::from).collect::<Vec<_>>());
        }
    }

    #[test]
    fn the_older_name_of_hash_password() {
        let cli = Cli::try_parse_from(["angos", "argon"]).expect("an alias");
        assert!(matches!(cli.command, Command::HashPassword));
        assert!(Cli::try_parse_from(["angos", "argon", "secret"]).is_err(), "never an argument");
    }
}
