//! One server: its authorities, its files, its settings.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use angos_test_ca::{Authority, Leaf};
use angos_tls::{Acceptor, ClientAuth, ClientCa, Clients, LoadError, Material, Settings};
use tempfile::TempDir;

pub(crate) struct Site {
    pub(crate) servers: Authority,
    pub(crate) clients: Authority,
    pub(crate) settings: Settings,
    directory: TempDir,
}

impl Site {
    pub(crate) fn new(mode: Option<ClientAuth>) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let (servers, issuer) = (Authority::new("Server CA"), Authority::new("Client CA"));
        let (certificate, key) =
            servers.issue(&Leaf::server(["localhost"])).write(directory.path(), "server");
        let clients = mode.map_or_else(Clients::anonymous, |auth| Clients {
            auth,
            cas: vec![ClientCa::new(issuer.write(directory.path(), "clients"))],
        });
        let mut settings = Settings::new(certificate, key, clients);
        settings.handshake_timeout = Duration::from_secs(20);
        Self { servers, clients: issuer, settings, directory }
    }

    pub(crate) fn required() -> Self {
        Self::new(Some(ClientAuth::Required))
    }

    pub(crate) fn path(&self) -> &Path {
        self.directory.path()
    }

    /// Writes a file of any content.
    pub(crate) fn file(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path().join(name);
        fs::write(&path, content).unwrap();
        path
    }

    pub(crate) fn load(&self) -> Result<Material, Vec<LoadError>> {
        Material::load(&self.settings)
    }

    pub(crate) fn acceptor(&self) -> Acceptor {
        Acceptor::new(self.load().unwrap())
    }
}
