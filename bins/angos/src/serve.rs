//! `angos server`: everything is checked, then the ports are opened, then signals are obeyed.

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use angos_config::{Configuration, Loader, Watch};
use angos_registry::GcCommand;
use angos_server::{DecisionLog, Handle, Server};
use angos_storage::{ControlCommand, ControlSocket, Storage};
use angos_tls::Acceptor;
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use tokio::runtime::{Builder, Runtime};
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::limits::{BLOCKING_THREADS_MAX, LAST_WRITES_TIMEOUT};
use crate::log::{self, Log};
use crate::options::LogFormat;
use crate::reload::Reload;
use crate::{check, open_files, version};

/// Serves until a signal ends it. Everything it has to say, what keeps it from starting and why it ended included, goes
/// to the log.
pub(crate) fn run(files: &[PathBuf], format: LogFormat) -> ExitCode {
    let log = match log::start(format) {
        Ok(log) => log,
        Err(message) => {
            // Nothing is left to do when standard error is gone.
            let _ = writeln!(io::stderr(), "{message}");
            return ExitCode::FAILURE;
        }
    };
    let outcome = start(files, &log);
    log.close(outcome.as_ref().err().map(String::as_str));
    if outcome.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn start(files: &[PathBuf], log: &Log) -> Result<(), String> {
    let names: Vec<String> = files.iter().map(|file| file.display().to_string()).collect();
    tracing::info!(
        target: "angos::server",
        configuration = names.join(", "),
        "starting Angos {} (commit {})", version::VERSION, version::COMMIT
    );
    let loader = Loader::new();
    let mut configuration = loader.load(files, check::environment()).map_err(check::refused)?;
    configuration.server.log = Some(log.lines());
    configuration.server.build_info = version::labels();
    open_files::fit(&mut configuration.server);
    for warning in &configuration.warnings {
        tracing::warn!(target: "angos::config", "{}", warning.summary());
    }
    // One worker for each core the process may use.
    let runtime = Builder::new_multi_thread()
        .max_blocking_threads(BLOCKING_THREADS_MAX)
        .enable_all()
        .build()
        .map_err(|error| format!("cannot start threads: {error}"))?;
    survive_file_size_limit(&runtime)?;
    let storage =
        Storage::open(&configuration.storage).map_err(|error| format!("cannot open the storage: {error}"))?;
    let metadata = configuration.storage.metadata_dir().map(|folder| folder.display().to_string());
    tracing::info!(target: "angos::storage", metadata, sync = configuration.storage.sync, "storage opened");
    let control = runtime.block_on(async { control(&configuration) });
    let outcome = runtime.block_on(serve(loader, files.to_vec(), configuration, storage, control));
    runtime.shutdown_timeout(LAST_WRITES_TIMEOUT);
    outcome
}

/// A write beyond the limit on the size of files (`RLIMIT_FSIZE`) is answered with an error and a signal, which would end
/// the process. Listening to the signal once takes its default away for good, and the error remains.
fn survive_file_size_limit(runtime: &Runtime) -> Result<(), String> {
    let _inside = runtime.enter();
    let listened = signal(SignalKind::from_raw(rustix::process::Signal::XFSZ.as_raw()));
    listened.map(drop).map_err(|error| format!("cannot listen to signals: {error}"))
}

/// The control socket. Without it the server serves all the same, and only its commands cannot reach it.
fn control(configuration: &Configuration) -> Option<ControlSocket> {
    let folder = configuration.storage.metadata_dir()?;
    ControlSocket::open(folder)
        .inspect_err(|error| {
            let folder = folder.display();
            tracing::warn!(target: "angos::control", %folder, %error, "no control socket: `angos backup` needs a stop");
        })
        .ok()
}

async fn serve(
    loader: Loader,
    files: Vec<PathBuf>,
    configuration: Configuration,
    storage: Storage,
    control: Option<ControlSocket>,
) -> Result<(), String> {
    let cannot = |error: io::Error| format!("cannot listen to signals: {error}");
    let mut terminate = signal(SignalKind::terminate()).map_err(cannot)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(cannot)?;
    let hangup = signal(SignalKind::hangup()).map_err(cannot)?;

    let Configuration { mut server, tls, access, snapshot, restart_only, summary, decision_log, .. } =
        configuration;
    let log = decision_log.clone();
    let decisions = decision_log.map(start_decision_log).transpose()?;
    server.decision_log.clone_from(&decisions);
    let delay = server.timeouts.shutdown_delay;
    // Before the ports are open: once they are, every change of a file is noticed.
    let watch = Watch::new(loader.clone(), snapshot, log.as_deref()).await;
    let acceptor = tls.map(Acceptor::new);
    let is_plain = acceptor.is_none();
    let beside = storage.clone();
    let server = Server::bind(server, acceptor, access, storage).map_err(|error| with_causes(&error))?;
    let handle = server.handle();
    handle.registry().check_format().await.map_err(|error| with_causes(&error))?;
    announce(&server, is_plain);
    let decision_log = decisions.clone();
    let reload =
        Reload { loader, files, restart_only, summary, handle: handle.clone(), decisions: decision_log };
    handle.background().service("reload", reload.follow(watch, hangup));
    if let Some(control) = control {
        let gc: Arc<dyn ControlCommand> = Arc::new(GcCommand(handle.registry().clone()));
        handle.background().service("control", control.serve(beside, vec![gc]));
    }
    let mut running = tokio::spawn(server.run());
    let outcome = tokio::select! {
        ended = &mut running => match ended {
            Ok(outcome) => outcome.map_err(|ended| ended.to_string()),
            Err(panic) => Err(format!("the server ended: {panic}")),
        },
        () = obey(&mut terminate, &mut interrupt, &handle, delay) => Ok(()),
    };
    if let Some(decisions) = decisions {
        tokio::task::block_in_place(|| decisions.close(LAST_WRITES_TIMEOUT));
    }
    tracing::info!(target: "angos::server", "stopped");
    outcome
}

/// The error and what caused it, in one line.
fn with_causes(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

/// The first signal ends the server: SIGTERM after `delay`, in which `/readyz` fails and all else goes on, SIGINT at
/// once. Resolves at the second one, which ends the process.
async fn obey(terminate: &mut Signal, interrupt: &mut Signal, handle: &Handle, delay: Duration) {
    let delay = tokio::select! {
        _ = terminate.recv() => delay,
        _ = interrupt.recv() => Duration::ZERO,
    };
    let ended = async {
        if !delay.is_zero() {
            tracing::info!(target: "angos::server", ?delay, "stopping: /readyz fails, connections are still accepted");
            handle.announce_shutdown();
            tokio::time::sleep(delay).await;
        }
        tracing::info!(target: "angos::server", "stopping: no new connections, requests in flight may finish");
        handle.shutdown();
        std::future::pending::<()>().await;
    };
    tokio::select! {
        () = ended => {}
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    tracing::warn!(target: "angos::server", "second signal: ending at once");
}

fn announce(server: &Server, is_plain: bool) {
    if let Ok(address) = server.local_addr() {
        let scheme = if is_plain { "http" } else { "https" };
        tracing::info!(target: "angos::server", %address, scheme, "listening");
        if is_plain && address.ip().to_canonical().is_loopback() {
            tracing::info!(target: "angos::server", "without [server.tls], and bound to this machine: no other one is served");
        }
    }
    if let Some(address) = server.management_addr() {
        tracing::info!(target: "angos::server", %address, "management listening");
    }
    for (listener, address) in server.listeners().filter(|(listener, _)| listener.is_further()) {
        let scheme = if listener.tls { "https" } else { "http" };
        tracing::info!(target: "angos::server", listener = listener.name, %address, scheme, "listening");
    }
}

/// Opens the file of the decision log, readable by its owner alone, and starts its writer.
fn start_decision_log(path: PathBuf) -> Result<DecisionLog, String> {
    let cannot = format!("cannot write the decision log {}", path.display());
    DecisionLog::start(move || open_decision_log(&path)).map_err(|error| format!("{cannot}: {error}"))
}

/// Never waits: a pipe without a reader is an error, not a server that does not start.
fn open_decision_log(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    let without_waiting = OFlags::NONBLOCK.bits().cast_signed();
    let file = options.append(true).create(true).mode(0o600).custom_flags(without_waiting).open(path)?;
    let flags = fcntl_getfl(&file)?;
    fcntl_setfl(&file, flags.difference(OFlags::NONBLOCK))?;
    Ok(file)
}
