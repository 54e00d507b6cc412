//! The certificates of one test: a server, an authority for clients, and an authority nobody trusts.

use angos_test_ca::{Authority, Issued, Leaf};
use std::path::{Path, PathBuf};

pub(crate) struct Pki {
    pub(crate) authority: Authority,
    pub(crate) stranger: Authority,
    folder: PathBuf,
}

impl Pki {
    /// Makes the authorities and writes what the server reads into `folder`.
    pub(crate) fn new(folder: &Path) -> Self {
        let pki = Pki {
            authority: Authority::new("Angos end-to-end authority"),
            stranger: Authority::new("An authority nobody trusts"),
            folder: folder.to_path_buf(),
        };
        std::fs::write(folder.join("ca.pem"), pki.authority.certificate_pem()).unwrap();
        std::fs::write(folder.join("stranger.pem"), pki.stranger.certificate_pem()).unwrap();
        pki.renew_server();
        pki
    }

    /// Writes a new server certificate and key over the old ones.
    pub(crate) fn renew_server(&self) {
        let server = self.authority.issue(&Leaf::server(["localhost", "127.0.0.1"]));
        server.write(&self.folder, "server");
    }

    /// The `[server.tls]` section; the mode `none` asks for no client certificates.
    pub(crate) fn section(&self, mode: &str) -> String {
        let folder = self.folder.display();
        let mut text = format!("[server.tls]\nserver_certificate_bundle = \"{folder}/server.pem\"\n");
        text += &format!("server_private_key = \"{folder}/server.key\"\n");
        if mode != "none" {
            text += &format!("client_ca_bundle = \"{folder}/ca.pem\"\nclient_auth = \"{mode}\"\n");
        }
        text
    }

    /// A client certificate of the trusted authority.
    pub(crate) fn client(&self, common_name: &str, organization: &str) -> Issued {
        self.authority.issue(&Leaf::client(common_name).organization(organization))
    }
}
