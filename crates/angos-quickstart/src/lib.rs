//! Level 4: a folder with everything a registry over mutual TLS needs, to try it.
//!
//! | file | what it holds |
//! |---|---|
//! | `lib` | [`prepare`]: a new folder, or an earlier one brought up to date |
//! | `files` | creates and replaces the files of the folder |
//! | `certificates` | the CA and the certificates |
//! | `image` | a small image to push |
//! | `templates/` | the configuration, containerd's hosts, and the commands |
//! | `limits` | every bound with its value, source and reason |
#![doc = ""]
#![doc = include_str!("../README.md")]

mod certificates;
mod files;
mod image;
pub mod limits;

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};

use self::files::Files;

/// The port of a new folder: 8443.
pub const DEFAULT_PORT: u16 = 8443;

/// What to prepare.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Options {
    /// The folder: a new name, an empty folder, or one that was prepared before.
    pub folder: PathBuf,
    /// The address to listen on. Default: 127.0.0.1, or the address of an earlier folder.
    pub address: Option<IpAddr>,
    /// The port to listen on. Default: [`DEFAULT_PORT`], or the port of an earlier folder.
    pub port: Option<u16>,
    /// Whether another program on the port is an error. Default: no.
    pub needs_port: bool,
}

impl Options {
    /// A folder with the default address and port.
    pub fn new(folder: impl Into<PathBuf>) -> Options {
        Options { folder: folder.into(), address: None, port: None, needs_port: false }
    }
}

/// A folder that is ready.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Quickstart {
    /// The configuration file in it.
    pub configuration: PathBuf,
    /// What was changed in an earlier folder, or will soon have to be, one sentence each.
    pub notes: Vec<String>,
    /// Commands to paste into a terminal.
    pub commands: String,
}

/// Why a folder cannot be prepared. Each message says what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The path contains characters that a shell or TOML would interpret.
    #[error(
        "the path {path} cannot be pasted into a shell: choose a folder whose path has only letters, digits and /._-+@", path = .0.display()
    )]
    Path(PathBuf),
    /// Another program listens on the port.
    #[error("{0} is in use: stop the program that listens there, or choose another port with --port")]
    PortInUse(SocketAddr),
    /// The folder exists and was not prepared by this crate.
    #[error("{path} exists and is not a quickstart; nothing in it was changed. Choose another folder with --dir", path = .0.display())]
    NotOurs(PathBuf),
    /// The folder was prepared for another address, for which its certificates are not valid.
    #[error("{path} was made for {1}: choose another folder with --dir for another address", path = .0.display())]
    OtherAddress(PathBuf, IpAddr),
    /// The configuration of an earlier folder sets the port in a way that cannot be replaced.
    #[error("{path} does not have the line `port = {1}`: change the port there", path = .0.display())]
    PortNotFound(PathBuf, u16),
    /// The configuration of an earlier folder has errors.
    #[error(
        "{0}\nthe configuration of the quickstart has errors: mend it, or choose another folder with --dir"
    )]
    Configuration(#[from] angos_config::Problems),
    /// A file or folder cannot be read or written.
    #[error("cannot prepare {path}: {1}", path = .0.display())]
    Io(PathBuf, #[source] io::Error),
}

/// Creates the folder, or brings an earlier one up to date: its address and port, its paths if it was moved, and its
/// certificates if they expired.
///
/// With [`Options::needs_port`] nothing is written when another program listens on the port.
///
/// # Errors
///
/// When an existing folder is not a quickstart, or a file cannot be written; see [`Error`]. A new folder that failed in
/// the middle is refused the next time.
pub fn prepare(options: &Options) -> Result<Quickstart, Error> {
    let failed = |error| Error::Io(options.folder.clone(), error);
    let folder = std::path::absolute(&options.folder).map_err(failed)?;
    if !is_pasteable(&folder) {
        return Err(Error::Path(folder));
    }
    if Files::are_complete(&folder) {
        return update(&folder, options);
    }
    let address = options.address.unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST));
    let files = Files::new(&folder, SocketAddr::new(address, options.port.unwrap_or(DEFAULT_PORT)));
    check_port(options, files.listen())?;
    files.create().map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => Error::NotOurs(folder.clone()),
        _ => Error::Io(folder.clone(), error),
    })?;
    Ok(ready(&files, Vec::new()))
}

/// Brings an earlier folder up to date.
fn update(folder: &Path, options: &Options) -> Result<Quickstart, Error> {
    let failed = |error| Error::Io(folder.to_owned(), error);
    let configured = files::configured(folder)?;
    if let Some(address) = options.address.filter(|address| *address != configured.ip()) {
        let is_covered = address.is_loopback() && configured.ip().is_loopback();
        if !is_covered {
            return Err(Error::OtherAddress(folder.to_owned(), configured.ip()));
        }
    }
    let listen = SocketAddr::new(configured.ip(), options.port.unwrap_or(configured.port()));
    check_port(options, listen)?;
    let files = Files::new(folder, listen);
    let mut notes = vec![format!("{} exists already and is used again.", folder.display())];
    if listen.port() != configured.port() {
        if !files.change_port(configured.port()).map_err(failed)? {
            return Err(Error::PortNotFound(files.configuration(), configured.port()));
        }
        notes.push(format!("The port in config.toml was changed to {}.", listen.port()));
    }
    if files.renew_commands().map_err(failed)? {
        notes.push("The paths and ports in commands.txt and containerd/ were renewed.".to_owned());
    }
    notes.extend(files.renew_certificates().map_err(failed)?);
    Ok(ready(&files, notes))
}

fn ready(files: &Files<'_>, notes: Vec<String>) -> Quickstart {
    Quickstart { configuration: files.configuration(), notes, commands: files.commands() }
}

/// Binds the address for a moment. A port that another program takes right after is an error of the server's start.
fn check_port(options: &Options, listen: SocketAddr) -> Result<(), Error> {
    if !options.needs_port {
        return Ok(());
    }
    match TcpListener::bind(listen) {
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => Err(Error::PortInUse(listen)),
        _ => Ok(()),
    }
}

/// Whether a shell, TOML and `oci:PATH:TAG` take the path as it is.
fn is_pasteable(folder: &Path) -> bool {
    let is_plain = |letter: char| letter.is_alphanumeric() || "/._-+@".contains(letter);
    folder.to_str().is_some_and(|text| text.chars().all(is_plain))
}

#[cfg(test)]
mod tests;
