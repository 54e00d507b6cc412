//! Log lines: to standard error, filtered by `RUST_LOG`, one line an event whatever the event holds.
//!
//! A thread of their own writes them, behind a bounded queue: standard error may be a pipe without a reader,
//! or a file on a full disk.

use std::backtrace::{Backtrace, BacktraceStatus};
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsFd as _;
use std::panic::PanicHookInfo;

use angos_access::escape;
use angos_server::{LineLog, LineLogEvent};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

use crate::limits::{LOG_FLUSH_TIMEOUT, LOG_QUEUE_BYTES};
use crate::options::LogFormat;

/// The log of this process.
pub(crate) struct Log {
    lines: LineLog,
}

/// Starts logging. `RUST_LOG` adds to `info`: `RUST_LOG=angos::auth=debug` shows more of authentication and
/// leaves the rest as it is; `RUST_LOG=warn` shows less of everything.
///
/// From here on nothing but the log's own thread may write to standard error: any other writer could wait for it.
pub(crate) fn start(format: LogFormat) -> Result<Log, String> {
    let log = Log { lines: open().map_err(|error| format!("cannot start the log: {error}"))? };
    let wanted = std::env::var("RUST_LOG").unwrap_or_default();
    let (filter, problem) = match EnvFilter::try_new(directives(&wanted)) {
        Ok(filter) => (filter, None),
        Err(error) => (EnvFilter::new("info"), Some(error)),
    };
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(false)
        // They would go to standard error directly, and panic where it cannot be written.
        .log_internal_errors(false)
        .with_writer(Events(log.lines.clone()));
    // It fails when logging has been started already; then there is nothing to do.
    let _ = match format {
        LogFormat::Text => lines.try_init(),
        LogFormat::Json => lines.json().flatten_event(true).try_init(),
    };
    std::panic::set_hook(Box::new(report_panic));
    if let Some(error) = problem {
        tracing::warn!(%error, "RUST_LOG is not understood and was ignored");
    }
    Ok(log)
}

impl Log {
    /// The lines on their way, for the metrics.
    pub(crate) fn lines(&self) -> LineLog {
        self.lines.clone()
    }

    /// Writes what waits, and then a last message. Returns when both are written, but after [`LOG_FLUSH_TIMEOUT`] at the
    /// latest.
    pub(crate) fn close(self, message: Option<&str>) {
        let lines = if self.lines.has_ended() { open().unwrap_or(self.lines) } else { self.lines };
        for line in message.iter().flat_map(|message| message.lines()) {
            lines.push(format!("{line}\n").as_bytes());
        }
        lines.close(LOG_FLUSH_TIMEOUT);
    }
}

/// Uses a descriptor of its own and no lock of the standard library, so that other users of standard error never wait.
fn open() -> io::Result<LineLog> {
    let open = || io::stderr().as_fd().try_clone_to_owned().map(File::from);
    // That writing fails cannot be said where it fails; the metrics count it.
    let report = |event| {
        if let LineLogEvent::Recovered { lost } = event {
            tracing::warn!(target: "angos::log", lost, "log lines were lost: standard error was full, closed or too slow");
        }
    };
    LineLog::start("angos-log", LOG_QUEUE_BYTES, open, report)
}

fn report_panic(panic: &PanicHookInfo<'_>) {
    let backtrace = Backtrace::capture();
    let backtrace =
        (backtrace.status() == BacktraceStatus::Captured).then(|| tracing::field::display(backtrace));
    let thread = std::thread::current();
    tracing::error!(target: "angos::panic", thread = thread.name(), backtrace, "{panic}");
}

/// What is logged besides `info`. The page of the program before this one names authentication as that one did.
fn directives(wanted: &str) -> String {
    format!("info,{}", wanted.replace("simple_registry::registry::server::auth", "angos::auth"))
}

/// Where the formatter writes.
struct Events(LineLog);

/// One event on its way into the log, with every control character of it escaped but the line break at its end:
/// nothing a client sent can end a line, begin one, or move the cursor.
struct OneLine<'a>(&'a LineLog);

impl<'a> MakeWriter<'a> for Events {
    type Writer = OneLine<'a>;

    fn make_writer(&'a self) -> OneLine<'a> {
        OneLine(&self.0)
    }
}

impl Write for OneLine<'_> {
    /// The formatter hands over each event as a whole.
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        self.0.push(escaped(event).as_bytes());
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn escaped(event: &[u8]) -> String {
    let text = String::from_utf8_lossy(event);
    let mut line = escape(text.strip_suffix('\n').unwrap_or(&text), usize::MAX);
    line.push('\n');
    line
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
        for (event, line) in [("plain\n", "plain\n"), ("two\nlines\n", "two\\nlines\n"), ("\r\n", "\\r\n")] {
            assert_eq!(escaped(event.as_bytes()), line);
        }
        assert_eq!(escaped(b"\xff\n"), "\u{fffd}\n");
    }
}
