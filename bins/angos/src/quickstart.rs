//! `angos quickstart`: a folder with everything a registry over mutual TLS needs, and that registry running.

use std::io::Write as _;
use std::net::IpAddr;
use std::path::PathBuf;

use clap::Args;

use crate::output::print;

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// The folder to create; an earlier quickstart is started again
    #[arg(long, value_name = "FOLDER", default_value = "angos-quickstart")]
    dir: PathBuf,
    /// The address to listen on [default: 127.0.0.1]
    #[arg(long, value_name = "ADDRESS")]
    address: Option<IpAddr>,
    /// The port to listen on [default: 8443, or the one of the earlier quickstart]
    #[arg(long, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..))]
    port: Option<u16>,
    /// Create the folder, print the commands, and stop
    #[arg(long)]
    no_start: bool,
}

/// Prepares the folder and prints its commands. Returns the configuration to serve, if it is to be served.
pub(crate) fn run(options: &Options) -> Result<Option<PathBuf>, String> {
    let mut wanted = angos_quickstart::Options::new(&options.dir);
    wanted.address = options.address;
    wanted.port = options.port;
    wanted.needs_port = !options.no_start;
    let ready = angos_quickstart::prepare(&wanted).map_err(|error| error.to_string())?;
    print(|out| {
        ready.notes.iter().try_for_each(|note| writeln!(out, "{note}"))?;
        let gap = if ready.notes.is_empty() { "" } else { "\n" };
        write!(out, "{gap}{}", ready.commands)
    })?;
    Ok((!options.no_start).then_some(ready.configuration))
}
