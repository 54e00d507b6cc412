//! `angos policy test`: decides the requests of a file of cases and compares.

use std::path::PathBuf;
use std::time::SystemTime;

use angos_config::Cases;
use clap::Args;

use super::{policies, with_count};
use crate::options::{Files, ReportFormat};
use crate::output::print;

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// The cases
    #[arg(value_name = "FILE")]
    cases: PathBuf,

    #[command(flatten)]
    pub(crate) files: Files,

    /// Exit with 1 unless every rule was true for a request and false for another
    #[arg(long)]
    require_coverage: bool,
    /// Format of the report
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    format: ReportFormat,
}

pub(super) fn run(options: &Options, files: &[PathBuf]) -> Result<bool, String> {
    let policies = policies(files)?;
    let cases = Cases::read(&options.cases, &policies, SystemTime::now());
    let cases = cases.map_err(|problems| with_count(&problems))?;
    let report = cases.run(&policies.access);
    print(|out| match options.format {
        ReportFormat::Text => report.write_text(options.require_coverage, out),
        ReportFormat::Json => report.write_json(out),
    })?;
    Ok(report.failed() == 0 && (report.is_covered() || !options.require_coverage))
}
