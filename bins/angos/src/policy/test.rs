//! `angos policy test`: a file of cases, asked and compared.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::time::SystemTime;

use angos_access::{AccessPolicies, Explanation};
use angos_config::{Case, Cases, Check};
use clap::Args;
use serde_json::{Value, json};

use super::coverage::Coverage;
use super::explain::explained;
use super::{indented, policies, print, told};
use crate::arguments::{Files, ReportFormat};
use crate::limits::POLICY_FAILURES_MAX;

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// The cases
    #[arg(value_name = "FILE")]
    cases: PathBuf,

    #[command(flatten)]
    pub(crate) files: Files,

    /// Exit with 1 unless every rule was seen true and seen false
    #[arg(long)]
    require_coverage: bool,
    /// How the report looks
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    format: ReportFormat,
}

/// A check with another answer than expected, and why.
struct Failure<'a> {
    case: &'a Case,
    check: &'a Check,
    is_allowed: bool,
    /// What decided, where another rule than expected did.
    rules: Vec<String>,
    explanations: Vec<(String, Explanation)>,
}

pub(super) fn run(options: &Options, files: &[PathBuf]) -> Result<bool, String> {
    let policies = policies(files)?;
    let access = &policies.access;
    let cases =
        Cases::read(&options.cases, &policies, SystemTime::now()).map_err(|problems| told(&problems))?;
    let mut coverage = Coverage::new(access);
    let (mut count, mut failed) = (0_usize, 0_usize);
    let mut failures = Vec::new();
    for (case, check) in
        cases.cases.iter().flat_map(|case| case.checks.iter().map(move |check| (case, check)))
    {
        coverage.count(&check.identity, &check.request);
        count += 1;
        if let Some(failure) = Failure::of(access, case, check) {
            failed += 1;
            if failures.len() < POLICY_FAILURES_MAX {
                failures.push(failure);
            }
        }
    }
    let is_covered = coverage.is_complete() || !options.require_coverage;
    match options.format {
        ReportFormat::Text => {
            print(&failures.iter().map(Failure::text).collect::<String>())?;
            print(&coverage.text())?;
            let unshown = failed - failures.len();
            let more = if unshown > 0 { format!(" ({unshown} not shown)") } else { String::new() };
            let cases = cases.cases.len();
            let lack = if is_covered { "" } else { ", and rules are not covered" };
            print(&format!("{count} checks in {cases} cases: {failed} failed{more}{lack}\n"))?;
        }
        ReportFormat::Json => print(&format!(
            "{:#}\n",
            json!({
                "checks": count,
                "failed": failed,
                "covered": coverage.is_complete(),
                "failures": failures.iter().map(Failure::json).collect::<Value>(),
                "coverage": coverage.json(),
            })
        ))?,
    }
    Ok(failed == 0 && is_covered)
}

impl<'a> Failure<'a> {
    /// Asks, and compares.
    fn of(access: &AccessPolicies, case: &'a Case, check: &'a Check) -> Option<Self> {
        let Check { identity, request, .. } = check;
        let is_allowed = access.allows(identity, request);
        if is_allowed == case.is_allowed && case.rule.is_none() {
            return None;
        }
        let all = request.required().iter().chain(request.alternatives());
        let explanations: Vec<_> =
            all.map(|inquiry| (inquiry.to_string(), access.explain(identity, inquiry))).collect();
        let rules = deciding(is_allowed, &explanations);
        let is_expected = |rule: &String| rules.iter().any(|(_, decided)| decided == rule);
        if is_allowed == case.is_allowed && case.rule.as_ref().is_none_or(is_expected) {
            return None;
        }
        let rules = rules.into_iter().map(|(scope, rule)| format!("{scope} {rule}")).collect();
        Some(Self { case, check, is_allowed, rules, explanations })
    }

    fn text(&self) -> String {
        let word = |is_allowed| if is_allowed { "allow" } else { "deny" };
        let Self { case, check, .. } = self;
        let (place, name, caller) = (&case.place, case.name.escape_debug(), check.caller.escape_debug());
        let expected = match &case.rule {
            Some(rule) => format!("{} by {}", word(case.is_allowed), rule.escape_debug()),
            None => word(case.is_allowed).to_owned(),
        };
        let rules = self.rules.join(", ").escape_debug().to_string();
        let found = format!("{} by {rules}", word(self.is_allowed));
        let mut text = format!("{place}{name}\n  {caller}: expected {expected}, found {found}\n");
        for (inquiry, explanation) in &self.explanations {
            let _ = writeln!(text, "  {inquiry}");
            text.push_str(&indented(&explained(explanation), 2));
        }
        text.push('\n');
        text
    }

    fn json(&self) -> Value {
        let explanations = self.explanations.iter();
        let explanations =
            explanations.map(|(inquiry, answer)| json!({ "inquiry": inquiry, "answer": answer }));
        json!({
            "case": self.case.name,
            "place": self.case.place.to_string().trim_end_matches([':', ' ']),
            "caller": *self.check.caller,
            "expected": { "allowed": self.case.is_allowed, "rule": self.case.rule },
            "found": { "allowed": self.is_allowed, "rules": self.rules },
            "explanations": explanations.collect::<Value>(),
        })
    }
}

/// The rules that settled the answer, each with its policy: those that allowed, or those that denied.
fn deciding(is_allowed: bool, explanations: &[(String, Explanation)]) -> Vec<(&str, &str)> {
    let mut rules = Vec::new();
    for (_, explanation) in explanations.iter().filter(|(_, it)| it.is_allowed == is_allowed) {
        if is_allowed && !explanation.policies.is_empty() {
            rules.extend(explanation.allowing());
        } else {
            rules.push((&*explanation.scope, &*explanation.rule));
        }
    }
    rules.dedup();
    rules
}
