//! `angos quickstart`: a folder with everything a registry over mutual TLS needs, and that registry running.

mod certificates;
mod image;

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write as _};
use std::net::IpAddr;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::Path;
use std::process::ExitCode;

use self::certificates::{Authority, Pair};
use crate::arguments::{LogFormat, Quickstart};
use crate::limits::QUICKSTART_VALID_DAYS;
use crate::output::print;
use crate::serve;

const CONFIG: &str = include_str!("quickstart/templates/config.toml");
const HOSTS: &str = include_str!("quickstart/templates/hosts.toml");
const COMMANDS: &str = include_str!("quickstart/templates/commands.txt");

/// Written last: a folder that has it is finished, and is started as it is.
const FINISHED: &str = "commands.txt";

/// Read and written by its owner alone; for keys.
const PRIVATE: u32 = 0o600;
const PUBLIC: u32 = 0o644;
/// Of every folder: there are keys in it.
const PRIVATE_FOLDER: u32 = 0o700;

pub(crate) fn run(options: &Quickstart, format: LogFormat) -> Result<ExitCode, String> {
    let folder = std::path::absolute(&options.dir)
        .map_err(|error| format!("cannot use {}: {error}", options.dir.display()))?;
    if !is_pasteable(&folder) {
        return Err(format!(
            "{} would not survive being pasted: name a folder whose path has only letters, digits and /._-+@",
            folder.display()
        ));
    }
    if folder.join(FINISHED).is_file() {
        note(&format!("{} is there already and is used as it is.\n\n", folder.display()))?;
    } else {
        write(&folder, options).map_err(|error| explain(&folder, &error))?;
    }
    let commands = fs::read_to_string(folder.join(FINISHED)).map_err(|error| explain(&folder, &error))?;
    note(&commands)?;
    if options.no_start {
        return Ok(ExitCode::SUCCESS);
    }
    Ok(serve::run(&[folder.join("config.toml")], format))
}

/// Whether the path means itself in a shell, in TOML and in `oci:PATH:TAG`.
fn is_pasteable(folder: &Path) -> bool {
    let is_plain = |letter: char| letter.is_alphanumeric() || "/._-+@".contains(letter);
    folder.to_str().is_some_and(|text| text.chars().all(is_plain))
}

fn note(text: &str) -> Result<(), String> {
    print(|out| out.write_all(text.as_bytes()))
}

fn explain(folder: &Path, error: &io::Error) -> String {
    let folder = folder.display();
    if error.kind() == io::ErrorKind::AlreadyExists {
        return format!(
            "{folder} exists and is no finished quickstart; nothing in it was changed. Name another folder with --dir, or remove it."
        );
    }
    format!("cannot make {folder}: {error}")
}

/// Makes the folder. Fails if there is anything of that name; nothing that exists is ever written to.
fn write(folder: &Path, options: &Quickstart) -> io::Result<()> {
    if let Some(above) = folder.parent() {
        fs::create_dir_all(above)?;
    }
    claim(folder)?;
    let host = client_host(options.address);
    let authority = Authority::new("Angos Quickstart CA").map_err(io::Error::other)?;
    certificates(folder, &authority, options.address).map_err(io::Error::other)?;

    let texts = Texts { folder, host: format!("{host}:{}", options.port), options };
    texts.write("config.toml", CONFIG)?;
    texts.write(&format!("containerd/{}/hosts.toml", texts.host), HOSTS)?;
    for (path, content) in image::layout() {
        create(&folder.join("image").join(path), &content, PUBLIC)?;
    }
    texts.write(FINISHED, COMMANDS)
}

/// Makes the folder, or takes an empty one.
fn claim(folder: &Path) -> io::Result<()> {
    match DirBuilder::new().mode(PRIVATE_FOLDER).create(folder) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && is_empty(folder) => Ok(()),
        made => made,
    }
}

fn is_empty(folder: &Path) -> bool {
    fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_none())
}

/// The server's pair, and a folder in the layout of `certs.d` for each client.
fn certificates(folder: &Path, authority: &Authority, address: IpAddr) -> io::Result<()> {
    let server = authority.server(server_names(address)).map_err(io::Error::other)?;
    let tls = folder.join("tls");
    create(&tls.join("server-certificate.pem"), server.certificate.as_bytes(), PUBLIC)?;
    create(&tls.join("server-private-key.pem"), server.key.as_bytes(), PRIVATE)?;
    create(&tls.join("client-ca-bundle.pem"), authority.certificate.as_bytes(), PUBLIC)?;
    for (name, organization) in [("admin", "Quickstart Admins"), ("reader", "Quickstart Readers")] {
        let Pair { certificate, key } = authority.client(name, organization).map_err(io::Error::other)?;
        let client = folder.join("clients").join(name);
        create(&client.join("ca.crt"), authority.certificate.as_bytes(), PUBLIC)?;
        create(&client.join("client.cert"), certificate.as_bytes(), PUBLIC)?;
        create(&client.join("client.key"), key.as_bytes(), PRIVATE)?;
    }
    Ok(())
}

/// The names and addresses the server may be reached by. `0.0.0.0` is there for docker, see `docker_host`.
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

/// How clients write the address. Loopback and unspecified addresses are `localhost`; no client of today
/// takes an IPv6 address in an image's name.
fn client_host(address: IpAddr) -> String {
    if address.is_loopback() || address.is_unspecified() || address.is_ipv6() {
        "localhost".to_owned()
    } else {
        address.to_string()
    }
}

/// How docker reaches a loopback address: it counts 127.0.0.0/8 as insecure and shows no certificate there,
/// while Linux takes 0.0.0.0 to the same port.
fn docker_host(address: IpAddr) -> String {
    match client_host(address).as_str() {
        "localhost" => "0.0.0.0".to_owned(),
        host => host.to_owned(),
    }
}

/// The text files, with their blanks filled in.
struct Texts<'a> {
    folder: &'a Path,
    host: String,
    options: &'a Quickstart,
}

impl Texts<'_> {
    fn write(&self, name: &str, template: &str) -> io::Result<()> {
        create(&self.folder.join(name), self.filled(template).as_bytes(), PUBLIC)
    }

    fn filled(&self, template: &str) -> String {
        let Quickstart { address, port, .. } = self.options;
        let again = format!("angos quickstart --dir {}", self.folder.display());
        [
            ("{{address}}", address.to_string()),
            ("{{port}}", port.to_string()),
            ("{{days}}", QUICKSTART_VALID_DAYS.to_string()),
            ("{{host}}", self.host.clone()),
            ("{{docker_host}}", format!("{}:{port}", docker_host(*address))),
            ("{{dir}}", self.folder.display().to_string()),
            ("{{again}}", again),
        ]
        .into_iter()
        .fold(template.to_owned(), |text, (blank, value)| text.replace(blank, &value))
    }
}

/// Writes a new file, and the folders above it. A file that exists is an error.
fn create(path: &Path, content: &[u8], mode: u32) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        DirBuilder::new().recursive(true).mode(PRIVATE_FOLDER).create(folder)?;
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(path)?;
    file.write_all(content)
}

#[cfg(test)]
mod tests;
