//! `angos doctor`: why a client cannot connect. It parses arguments, asks `angos-doctor`, and prints.

use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use angos_doctor::Target;
use angos_doctor::limits::STEP_TIMEOUT;
use clap::Args;

use crate::check::environment;
use crate::options::{NamedFiles, ReportFormat};
use crate::output::print;

/// Nothing is wrong.
const HEALTHY: u8 = 0;
/// Something is wrong.
const FINDINGS: u8 = 1;
/// The examination could not run.
const COULD_NOT_RUN: u8 = 2;

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// The server to connect to: https://HOST:PORT
    #[arg(value_name = "ADDRESS")]
    address: Option<Target>,

    #[command(flatten)]
    pub(crate) files: NamedFiles,

    /// The client's certificate, then its intermediates (PEM)
    #[arg(long, value_name = "FILE", group = "files")]
    cert: Option<PathBuf>,
    /// The client's private key (PEM) [default: in the file of the certificate]
    #[arg(long, value_name = "FILE", requires = "cert")]
    key: Option<PathBuf>,
    /// The CAs the client trusts (PEM) [default: those of this machine]
    #[arg(long, value_name = "FILE", conflicts_with_all = ["docker_certs_d", "containers_certs_d", "containerd_hosts"])]
    ca: Option<PathBuf>,

    /// Docker's certs.d, or the folder of the registry in it
    #[arg(long, value_name = "FOLDER", group = "files")]
    docker_certs_d: Option<PathBuf>,
    /// The certs.d of Podman, Skopeo and Buildah, or the folder of the registry in it
    #[arg(long, value_name = "FOLDER", group = "files")]
    containers_certs_d: Option<PathBuf>,
    /// containerd's hosts folder, the folder of the registry in it, or a hosts.toml
    #[arg(long, value_name = "PATH", group = "files")]
    containerd_hosts: Option<PathBuf>,

    /// Time limit of each step on the network, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = STEP_TIMEOUT.as_secs(), value_parser = clap::value_parser!(u64).range(1..=600))]
    timeout: u64,
    /// Format of the report
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    format: ReportFormat,
}

/// Prints the report on standard output. Exit code 0: nothing is wrong; 1: something is; 2: it could not run.
pub(crate) fn run(options: &Options, configuration: Vec<PathBuf>) -> ExitCode {
    let report = match angos_doctor::examine(&options.settings(configuration), environment()) {
        Ok(report) => report,
        Err(message) => {
            let _ = writeln!(io::stderr(), "{message}");
            return COULD_NOT_RUN.into();
        }
    };
    let printed = print(|out| match options.format {
        ReportFormat::Text => report.write_text(out),
        ReportFormat::Json => report.write_json(out),
    });
    if let Err(message) = printed {
        let _ = writeln!(io::stderr(), "{message}");
        return COULD_NOT_RUN.into();
    }
    if report.is_healthy() { HEALTHY.into() } else { FINDINGS.into() }
}

impl Options {
    fn settings(&self, configuration: Vec<PathBuf>) -> angos_doctor::Options {
        let mut options = angos_doctor::Options::default();
        options.address.clone_from(&self.address);
        options.configuration = configuration;
        options.certificate.clone_from(&self.cert);
        options.key.clone_from(&self.key);
        options.ca.clone_from(&self.ca);
        options.docker_certs_d.clone_from(&self.docker_certs_d);
        options.containers_certs_d.clone_from(&self.containers_certs_d);
        options.containerd_hosts.clone_from(&self.containerd_hosts);
        options.timeout = Duration::from_secs(self.timeout);
        options
    }
}
