//! Log lines: to standard error, filtered by `RUST_LOG`, one line an event whatever the event holds.

use std::io::{self, Write};

use tracing_subscriber::EnvFilter;

use crate::arguments::LogFormat;

/// Starts logging. `RUST_LOG` adds to `info`: `RUST_LOG=angos::auth=debug` shows more of authentication and
/// leaves the rest as it is; `RUST_LOG=warn` shows less of everything.
pub(crate) fn start(format: LogFormat) {
    let wanted = std::env::var("RUST_LOG").unwrap_or_default();
    let (filter, problem) = match EnvFilter::try_new(directives(&wanted)) {
        Ok(filter) => (filter, None),
        Err(error) => (EnvFilter::new("info"), Some(error)),
    };
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_ansi(false).with_writer(|| OneLine);
    // It fails when logging has been started already; then there is nothing to do.
    let _ = match format {
        LogFormat::Text => lines.try_init(),
        LogFormat::Json => lines.json().flatten_event(true).try_init(),
    };
    if let Some(error) = problem {
        tracing::warn!(%error, "RUST_LOG is not understood and was ignored");
    }
}

/// What is logged besides `info`. The page of the program before this one names authentication as that one did.
fn directives(wanted: &str) -> String {
    format!("info,{}", wanted.replace("simple_registry::registry::server::auth", "angos::auth"))
}

/// Standard error, with every control character of an event escaped but the line break at its end: nothing
/// a client sent can end a line, begin one, or move the cursor.
struct OneLine;

impl Write for OneLine {
    /// The formatter hands over each event as a whole.
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        io::stderr().write_all(escaped(event).as_bytes())?;
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

fn escaped(event: &[u8]) -> String {
    let text = String::from_utf8_lossy(event);
    let mut line = harmless(text.strip_suffix('\n').unwrap_or(&text), usize::MAX);
    line.push('\n');
    line
}

/// Text from outside as it may be shown: at most so many characters of it, control characters escaped.
pub(crate) fn harmless(text: &str, longest: usize) -> String {
    let mut shown = String::with_capacity(text.len().min(longest) + 1);
    for (place, character) in text.chars().enumerate() {
        if place == longest {
            shown.push('…');
            break;
        }
        if character.is_control() || matches!(character, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}') {
            shown.extend(character.escape_default());
        } else {
            shown.push(character);
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::{directives, escaped};

    #[test]
    fn the_older_name_of_authentication() {
        for (wanted, expected) in [
            ("", "info,"),
            ("warn,angos::tls=debug", "info,warn,angos::tls=debug"),
            ("simple_registry::registry::server::auth=debug", "info,angos::auth=debug"),
        ] {
            assert_eq!(directives(wanted), expected);
        }
    }

    #[test]
    fn an_event_is_one_line() {
        for (event, line) in [
            ("plain\n", "plain\n"),
            ("two\nlines\n", "two\\nlines\n"),
            ("\u{1b}[31mred\r\n", "\\u{1b}[31mred\\r\n"),
            ("tab\tand \u{9b}csi\n", "tab\\tand \\u{9b}csi\n"),
            ("é ü 日本\n", "é ü 日本\n"),
        ] {
            assert_eq!(escaped(event.as_bytes()), line);
        }
        assert_eq!(escaped(b"\xff\n"), "\u{fffd}\n");
    }
}
