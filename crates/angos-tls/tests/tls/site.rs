//! One server: its authorities, its files, its settings.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use angos_test_ca::{Authority, Leaf};
use angos_tls::{Acceptor, ClientAuth, LoadError, Material, Settings};
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
        let (servers, clients) = (Authority::new("Server CA"), Authority::new("Client CA"));
        let (certificate, key) =
            servers.issue(&Leaf::server(["localhost"])).write(directory.path(), "server");
        let mut settings = Settings::new(certificate, key);
        settings.handshake_timeout = Duration::from_secs(20);
        if let Some(mode) = mode {
            settings = settings.client_authorities(clients.write(directory.path(), "clients"), mode);
        }
        Self { servers, clients, settings, directory }
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
