//! What to examine.

use std::path::PathBuf;
use std::time::Duration;

use crate::limits::STEP_TIMEOUT;
use crate::target::Target;

/// What to examine: a server, a configuration, the files of a client, or any of them together.
///
/// At most one of `certificate`, `docker_certs_d`, `containers_certs_d` and `containerd_hosts` is used, in this order.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Options {
    /// The running server. Default: none.
    pub address: Option<Target>,
    /// Configuration files of a server to simulate, later ones over earlier ones. Default: none.
    pub configuration: Vec<PathBuf>,
    /// The client's certificate, then its intermediates (PEM).
    pub certificate: Option<PathBuf>,
    /// The client's private key (PEM). Default: in the file of the certificate.
    pub key: Option<PathBuf>,
    /// The CAs the client trusts (PEM). Default: those of this machine.
    pub ca: Option<PathBuf>,
    /// Docker's `certs.d`, or the folder of the registry in it.
    pub docker_certs_d: Option<PathBuf>,
    /// The `certs.d` of Podman, Skopeo and Buildah, or the folder of the registry in it.
    pub containers_certs_d: Option<PathBuf>,
    /// containerd's hosts folder, the folder of the registry in it, or a `hosts.toml`.
    pub containerd_hosts: Option<PathBuf>,
    /// Time limit of each step on the network. Default: [`STEP_TIMEOUT`].
    pub timeout: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            address: None,
            configuration: Vec::new(),
            certificate: None,
            key: None,
            ca: None,
            docker_certs_d: None,
            containers_certs_d: None,
            containerd_hosts: None,
            timeout: STEP_TIMEOUT,
        }
    }
}

impl Options {
    /// Whether files of a client are named.
    pub(crate) fn names_client_files(&self) -> bool {
        [&self.certificate, &self.ca, &self.docker_certs_d, &self.containers_certs_d, &self.containerd_hosts]
            .iter()
            .any(|it| it.is_some())
    }
}
