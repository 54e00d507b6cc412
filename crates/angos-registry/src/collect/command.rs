//! The command `gc` of the control socket.

use angos_storage::{BoxFuture, ControlCommand};
use serde_json::Value;

use crate::Registry;
use crate::gc_report::{CollectOptions, Collected};

/// Runs a round of the collector: `{"command":"gc","dry_run":false,"sweep":false}`.
#[derive(Debug)]
pub struct GcCommand(pub Registry);

impl ControlCommand for GcCommand {
    fn name(&self) -> &'static str {
        "gc"
    }

    fn run<'a>(
        &'a self,
        arguments: &'a Value,
        progress: &'a (dyn Fn(Value) + Send + Sync),
    ) -> BoxFuture<'a, Result<Value, String>> {
        let flag = |key: &str| arguments.get(key).and_then(Value::as_bool).unwrap_or(false);
        let options = CollectOptions { dry_run: flag("dry_run"), sweep: flag("sweep") };
        Box::pin(async move {
            let collected = self.0.collect(options, |so_far: Collected| progress(so_far.to_json())).await;
            collected.map(Collected::to_json).map_err(|error| error.to_string())
        })
    }
}
