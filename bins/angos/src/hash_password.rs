//! `angos hash-password`: reads a password from the terminal without echo, or from standard input, and hashes it. Never
//! from the command line, which every user of the machine can read.

use std::io::{self, BufRead as _, IsTerminal as _, Write as _};

use angos_auth::PasswordHash;
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};

use crate::limits::PASSWORD_INPUT_MAX_BYTES;

pub(crate) fn run() -> Result<(), String> {
    let password = read().map_err(|error| format!("cannot read the password: {error}"))?;
    if password.is_empty() {
        return Err("the password is empty".to_owned());
    }
    let hash = PasswordHash::create(&password).map_err(|error| error.to_string())?;
    writeln!(io::stdout(), "{hash}").map_err(|error| format!("cannot write the hash: {error}"))
}

fn read() -> io::Result<String> {
    let input = io::stdin();
    if !input.is_terminal() {
        return line(input.lock());
    }
    let password = ask("Password: ")?;
    if ask("Again: ")? == password {
        return Ok(password);
    }
    Err(io::Error::other("the passwords differ"))
}

/// Reads one line from the terminal without echo.
fn ask(prompt: &str) -> io::Result<String> {
    let mut terminal = io::stderr();
    terminal.write_all(prompt.as_bytes())?;
    terminal.flush()?;
    let input = io::stdin();
    let _echo_off = EchoOff::start()?;
    let answer = line(input.lock());
    terminal.write_all(b"\n")?;
    answer
}

/// The first line, without its line break.
fn line(input: impl io::BufRead) -> io::Result<String> {
    let mut text = String::new();
    io::BufReader::new(input.take(PASSWORD_INPUT_MAX_BYTES)).read_line(&mut text)?;
    // PowerShell begins what it pipes with a byte order mark.
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    let line = text.strip_suffix('\n').unwrap_or(text);
    Ok(line.strip_suffix('\r').unwrap_or(line).to_owned())
}

/// The terminal without echo, until dropped.
struct EchoOff(Termios);

impl EchoOff {
    fn start() -> io::Result<EchoOff> {
        let before = tcgetattr(rustix::stdio::stdin())?;
        let mut silent = before.clone();
        silent.local_modes.remove(LocalModes::ECHO);
        tcsetattr(rustix::stdio::stdin(), OptionalActions::Flush, &silent)?;
        Ok(EchoOff(before))
    }
}

impl Drop for EchoOff {
    fn drop(&mut self) {
        // If the terminal is gone there is nothing to restore.
        let _ = tcsetattr(rustix::stdio::stdin(), OptionalActions::Flush, &self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::line;

    #[test]
    fn the_first_line_without_its_break() {
        for (input, expected) in [
            ("secret\n", "secret"),
            ("secret", "secret"),
            ("a b\r\nnext\n", "a b"),
            ("", ""),
            (" x \n", " x "),
            ("\u{feff}secret\r\n", "secret"),
        ] {
            assert_eq!(line(input.as_bytes()).expect("text"), expected);
        }
    }
}
