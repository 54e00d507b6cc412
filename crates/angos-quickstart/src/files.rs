//! The files of a quickstart: creates them, and replaces those that this crate made.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write as _};
use std::net::{IpAddr, SocketAddr};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use angos_config::read_certificate;
use time::OffsetDateTime;

use crate::Error;
use crate::certificates::{Ca, Pair, SERVER_NAME};
use crate::image;
use crate::limits::{EXPIRY_NOTE, VALID_DAYS};

const CONFIG: &str = include_str!("templates/config.toml");
const HOSTS: &str = include_str!("templates/hosts.toml");
const COMMANDS: &str = include_str!("templates/commands.txt");

const CONFIG_FILE: &str = "config.toml";

/// Written last: a folder that has it is complete.
const COMMANDS_FILE: &str = "commands.txt";

const SERVER_CERTIFICATE: &str = "tls/server-certificate.pem";

/// Mode of private keys: the owner reads and writes.
const PRIVATE: u32 = 0o600;
/// Mode of all other files.
const PUBLIC: u32 = 0o644;
/// Mode of every folder, since there are keys in it.
const PRIVATE_FOLDER: u32 = 0o700;

/// The address and port that the configuration of an earlier folder names.
pub(crate) fn configured(folder: &Path) -> Result<SocketAddr, Error> {
    let configuration = angos_config::load(&[folder.join(CONFIG_FILE)], std::iter::empty())?;
    Ok(configuration.server.listen)
}

/// The files in one folder, for a server with one address.
pub(crate) struct Files<'a> {
    folder: &'a Path,
    listen: SocketAddr,
}

impl<'a> Files<'a> {
    pub(crate) fn new(folder: &'a Path, listen: SocketAddr) -> Files<'a> {
        Files { folder, listen }
    }

    /// Whether an earlier run completed the folder.
    pub(crate) fn are_complete(folder: &Path) -> bool {
        folder.join(COMMANDS_FILE).is_file()
    }

    pub(crate) fn listen(&self) -> SocketAddr {
        self.listen
    }

    pub(crate) fn configuration(&self) -> PathBuf {
        self.folder.join(CONFIG_FILE)
    }

    /// The commands to paste.
    pub(crate) fn commands(&self) -> String {
        self.filled(COMMANDS)
    }

    /// Creates all files. Fails with [`AlreadyExists`](io::ErrorKind::AlreadyExists) if the folder is not new or empty;
    /// no existing file is opened for writing.
    pub(crate) fn create(&self) -> io::Result<()> {
        if let Some(above) = self.folder.parent() {
            fs::create_dir_all(above)?;
        }
        create_folder(self.folder)?;
        for (path, content, mode) in self.certificates()? {
            create(&path, content.as_bytes(), mode)?;
        }
        create(&self.configuration(), self.filled(CONFIG).as_bytes(), PUBLIC)?;
        create(&self.hosts_file(), self.filled(HOSTS).as_bytes(), PUBLIC)?;
        for (path, content) in image::layout() {
            create(&self.folder.join("image").join(path), &content, PUBLIC)?;
        }
        create(&self.folder.join(COMMANDS_FILE), self.commands().as_bytes(), PUBLIC)
    }

    /// Replaces the port in the configuration; false if its line is not there as it was written.
    pub(crate) fn change_port(&self, before: u16) -> io::Result<bool> {
        let text = fs::read_to_string(self.configuration())?;
        let (line, renewed) = (format!("\nport = {before}\n"), format!("\nport = {}\n", self.listen.port()));
        if text.matches(&line).count() != 1 {
            return Ok(false);
        }
        replace(&self.configuration(), text.replacen(&line, &renewed, 1).as_bytes(), PUBLIC)?;
        Ok(true)
    }

    /// Writes the commands and containerd's hosts again if the folder or the port is another one than before.
    pub(crate) fn renew_commands(&self) -> io::Result<bool> {
        let file = self.folder.join(COMMANDS_FILE);
        if fs::read_to_string(&file)? == self.commands() {
            return Ok(false);
        }
        replace(&self.hosts_file(), self.filled(HOSTS).as_bytes(), PUBLIC)?;
        replace(&file, self.commands().as_bytes(), PUBLIC)?;
        Ok(true)
    }

    /// Replaces expired certificates of our own by those of a new CA. Returns a note about that, or about their end.
    pub(crate) fn renew_certificates(&self) -> io::Result<Option<String>> {
        // The server reports a certificate that cannot be read.
        let Ok(certificate) = read_certificate(&self.folder.join(SERVER_CERTIFICATE)) else {
            return Ok(None);
        };
        let Ok(end) = OffsetDateTime::from_unix_timestamp(certificate.not_after()) else { return Ok(None) };
        let now = OffsetDateTime::now_utc();
        let is_ours = certificate.common_names().iter().any(|name| name == SERVER_NAME);
        if !is_ours || end > now + EXPIRY_NOTE {
            return Ok(None);
        }
        if end > now {
            return Ok(Some(format!(
                "Its certificates expire on {}; when they have, this command makes new ones.",
                end.date()
            )));
        }
        for (path, content, mode) in self.certificates()? {
            replace(&path, content.as_bytes(), mode)?;
        }
        Ok(Some(format!(
            "Its certificates expired on {}, and a new CA signed new ones: copy the files of clients/ again where you use them.",
            end.date()
        )))
    }

    /// The server's pair and the CA, and a folder in the layout of `certs.d` for each client: path, content and mode.
    fn certificates(&self) -> io::Result<Vec<(PathBuf, String, u32)>> {
        let ca = Ca::new("Angos Quickstart CA").map_err(io::Error::other)?;
        let server = ca.server(server_names(self.listen.ip())).map_err(io::Error::other)?;
        let mut files = vec![
            (self.folder.join(SERVER_CERTIFICATE), server.certificate, PUBLIC),
            (self.folder.join("tls/server-private-key.pem"), server.key, PRIVATE),
            (self.folder.join("tls/client-ca-bundle.pem"), ca.certificate.clone(), PUBLIC),
        ];
        for (name, organization) in [("admin", "Quickstart Admins"), ("reader", "Quickstart Readers")] {
            let Pair { certificate, key } = ca.client(name, organization).map_err(io::Error::other)?;
            let client = self.folder.join("clients").join(name);
            files.extend([
                (client.join("ca.crt"), ca.certificate.clone(), PUBLIC),
                (client.join("client.cert"), certificate, PUBLIC),
                (client.join("client.key"), key, PRIVATE),
            ]);
        }
        Ok(files)
    }

    fn hosts_file(&self) -> PathBuf {
        self.folder.join("containerd").join(self.host()).join("hosts.toml")
    }

    /// The registry as clients name it.
    fn host(&self) -> String {
        format!("{}:{}", client_host(self.listen.ip()), self.listen.port())
    }

    /// A template with its placeholders replaced.
    fn filled(&self, template: &str) -> String {
        let (address, port) = (self.listen.ip(), self.listen.port());
        let folder = self.folder.display();
        [
            ("{{address}}", address.to_string()),
            ("{{port}}", port.to_string()),
            ("{{days}}", VALID_DAYS.to_string()),
            ("{{host}}", self.host()),
            ("{{docker_host}}", format!("{}:{port}", docker_host(address))),
            ("{{dir}}", folder.to_string()),
            ("{{again}}", format!("angos quickstart --dir {folder}")),
        ]
        .into_iter()
        .fold(template.to_owned(), |text, (blank, value)| text.replace(blank, &value))
    }
}

/// Creates the folder, or accepts an empty one.
fn create_folder(folder: &Path) -> io::Result<()> {
    let is_empty = || fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_none());
    match DirBuilder::new().mode(PRIVATE_FOLDER).create(folder) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && is_empty() => Ok(()),
        created => created,
    }
}

/// The names and addresses of the server. `0.0.0.0` is for docker, see [`docker_host`].
fn server_names(address: IpAddr) -> Vec<String> {
    let machine = rustix::system::uname().nodename().to_string_lossy().into_owned();
    let mut names: Vec<String> =
        ["localhost", "registry.test", "127.0.0.1", "::1", "0.0.0.0"].map(str::to_owned).into();
    names.extend([machine, address.to_string()].into_iter().filter(|name| is_host_name(name)));
    names.dedup();
    names
}

/// Whether a certificate may carry this as a name.
fn is_host_name(name: &str) -> bool {
    let is_label = |byte: u8| byte.is_ascii_alphanumeric() || b"-._:".contains(&byte);
    !name.is_empty() && name.bytes().all(is_label)
}

/// How clients write the address. Loopback and unspecified addresses are `localhost`; no client of today accepts an IPv6
/// address in the name of an image.
pub(crate) fn client_host(address: IpAddr) -> String {
    if address.is_loopback() || address.is_unspecified() || address.is_ipv6() {
        "localhost".to_owned()
    } else {
        address.to_string()
    }
}

/// How docker reaches a loopback address: it treats 127.0.0.0/8 as insecure and sends no certificate there, while Linux
/// connects 0.0.0.0 to the same port.
pub(crate) fn docker_host(address: IpAddr) -> String {
    match client_host(address).as_str() {
        "localhost" => "0.0.0.0".to_owned(),
        host => host.to_owned(),
    }
}

/// Writes a new file, and the folders above it. An existing file is an error.
fn create(path: &Path, content: &[u8], mode: u32) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        DirBuilder::new().recursive(true).mode(PRIVATE_FOLDER).create(folder)?;
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(path)?;
    file.write_all(content)
}

/// Writes a file beside the old one and renames it, so that a reader sees one or the other.
fn replace(path: &Path, content: &[u8], mode: u32) -> io::Result<()> {
    let mut temporary = path.as_os_str().to_owned();
    temporary.push(".new");
    let temporary = PathBuf::from(temporary);
    // Of a run that was killed.
    match fs::remove_file(&temporary) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => create(&temporary, content, mode)?,
    }
    fs::rename(temporary, path)
}
