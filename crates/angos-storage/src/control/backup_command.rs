//! The command `backup`.

use std::path::PathBuf;

use serde_json::{Value, json};

use super::ControlCommand;
use crate::backup::Backup;
use crate::{BoxFuture, settings::Storage};

pub(super) struct BackupCommand(pub(super) Storage);

impl ControlCommand for BackupCommand {
    fn name(&self) -> &'static str {
        "backup"
    }

    fn run<'a>(
        &'a self,
        arguments: &'a Value,
        progress: &'a (dyn Fn(Value) + Send + Sync),
    ) -> BoxFuture<'a, Result<Value, String>> {
        let Self(storage) = self;
        Box::pin(async move {
            let folder = arguments.get("folder").and_then(Value::as_str).map(PathBuf::from);
            let folder = folder.filter(|folder| folder.is_absolute());
            let folder = folder.ok_or("the folder of a backup must be an absolute path")?;
            let shown = folder.display();
            tracing::info!(target: "angos::control", folder = %shown, "backup begins");
            match storage.backup(&folder, |done| progress(fields(done))).await {
                Ok(done) => {
                    tracing::info!(target: "angos::control", folder = %shown, ?done, "backup is whole");
                    Ok(fields(done))
                }
                Err(error) => {
                    tracing::error!(target: "angos::control", folder = %shown, %error, "backup failed");
                    Err(error.to_string())
                }
            }
        })
    }
}

pub(super) fn fields(backup: Backup) -> Value {
    let Backup { records, blobs, bytes, linked, damaged } = backup;
    json!({ "records": records, "blobs": blobs, "bytes": bytes, "linked": linked, "damaged": damaged })
}

/// The other way round; what is missing is 0.
pub(super) fn backup(fields: &Value) -> Backup {
    let number = |key: &str| fields.get(key).and_then(Value::as_u64).unwrap_or_default();
    Backup {
        records: number("records"),
        blobs: number("blobs"),
        bytes: number("bytes"),
        linked: number("linked"),
        damaged: number("damaged"),
    }
}
