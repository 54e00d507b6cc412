//! Runs the cases of a policy test, and reports.

use std::io::{self, Write};

use angos_access::{AccessPolicies, Explanation};
use serde_json::{Value, json};

use super::coverage::Coverage;
use super::{Case, CaseRequest, Cases};
use crate::limits::FAILURES_EXPLAINED_MAX;

/// The outcome of a policy test.
#[derive(Debug)]
pub struct TestReport<'a> {
    cases: usize,
    requests: usize,
    failed: usize,
    /// At most [`FAILURES_EXPLAINED_MAX`].
    failures: Vec<Failure<'a>>,
    coverage: Coverage<'a>,
}

/// A request with another decision than expected, and why.
#[derive(Debug)]
struct Failure<'a> {
    case: &'a Case,
    request: &'a CaseRequest,
    is_allowed: bool,
    /// The rules that decided, if others were expected.
    rules: Vec<String>,
    explanations: Vec<(String, Explanation)>,
}

impl Cases {
    /// Decides every request of every case and compares the decisions with the expected ones.
    pub fn run<'a>(&'a self, access: &'a AccessPolicies) -> TestReport<'a> {
        let mut report = TestReport {
            cases: self.cases.len(),
            requests: 0,
            failed: 0,
            failures: Vec::new(),
            coverage: Coverage::new(access),
        };
        for case in &self.cases {
            for request in &case.requests {
                report.coverage.count(&request.identity, &request.requests);
                report.requests += 1;
                let Some(failure) = Failure::of(access, case, request) else { continue };
                report.failed += 1;
                if report.failures.len() < FAILURES_EXPLAINED_MAX {
                    report.failures.push(failure);
                }
            }
        }
        report
    }
}

impl TestReport<'_> {
    /// Requests with another decision, or another deciding rule, than expected.
    pub fn failed(&self) -> usize {
        self.failed
    }

    /// Whether every rule was true for some request and false for another.
    pub fn is_covered(&self) -> bool {
        self.coverage.is_complete()
    }

    /// Writes the report for people. `needs_coverage`: the last line says whether rules are not covered.
    ///
    /// # Errors
    ///
    /// Those of `out`.
    pub fn write_text(&self, needs_coverage: bool, out: &mut impl Write) -> io::Result<()> {
        self.failures.iter().try_for_each(|failure| failure.write_text(out))?;
        out.write_all(self.coverage.text().as_bytes())?;
        let Self { cases, requests, failed, failures, .. } = self;
        let unshown = failed - failures.len();
        let more = if unshown > 0 { format!(" ({unshown} not shown)") } else { String::new() };
        let lack = if needs_coverage && !self.is_covered() { ", and rules are not covered" } else { "" };
        writeln!(out, "{requests} requests in {cases} cases: {failed} failed{more}{lack}")
    }

    /// Writes the report as one JSON object.
    ///
    /// # Errors
    ///
    /// Those of `out`.
    pub fn write_json(&self, out: &mut impl Write) -> io::Result<()> {
        let report = json!({
            "requests": self.requests,
            "failed": self.failed,
            "covered": self.is_covered(),
            "failures": self.failures.iter().map(Failure::json).collect::<Value>(),
            "coverage": self.coverage.json(),
        });
        writeln!(out, "{report:#}")
    }
}

impl<'a> Failure<'a> {
    fn of(access: &AccessPolicies, case: &'a Case, request: &'a CaseRequest) -> Option<Self> {
        let CaseRequest { identity, requests, .. } = request;
        let is_allowed = access.allows(identity, requests);
        if is_allowed == case.is_allowed && case.rule.is_none() {
            return None;
        }
        let all = requests.required().iter().chain(requests.alternatives());
        let explanations: Vec<_> =
            all.map(|each| (each.to_string(), access.explain(identity, each))).collect();
        let rules = deciding_rules(is_allowed, &explanations);
        let is_expected = |rule: &String| rules.iter().any(|(_, decided)| decided == rule);
        if is_allowed == case.is_allowed && case.rule.as_ref().is_none_or(is_expected) {
            return None;
        }
        let rules = rules.into_iter().map(|(scope, rule)| format!("{scope} {rule}")).collect();
        Some(Self { case, request, is_allowed, rules, explanations })
    }

    fn write_text(&self, out: &mut impl Write) -> io::Result<()> {
        let word = |is_allowed| if is_allowed { "allow" } else { "deny" };
        let Self { case, request, .. } = self;
        let (origin, name, caller) = (&case.origin, case.name.escape_debug(), request.caller.escape_debug());
        let expected = match &case.rule {
            Some(rule) => format!("{} by {}", word(case.is_allowed), rule.escape_debug()),
            None => word(case.is_allowed).to_owned(),
        };
        let rules = self.rules.join(", ");
        let found = format!("{} by {}", word(self.is_allowed), rules.escape_debug());
        writeln!(out, "{origin}{name}\n  {caller}: expected {expected}, found {found}")?;
        for (each, explanation) in &self.explanations {
            writeln!(out, "  {each}")?;
            explanation.to_string().lines().try_for_each(|line| writeln!(out, "  {line}"))?;
        }
        writeln!(out)
    }

    fn json(&self) -> Value {
        let explanations = self.explanations.iter();
        let explanations =
            explanations.map(|(request, answer)| json!({ "request": request, "answer": answer }));
        json!({
            "case": self.case.name,
            "place": self.case.origin.to_string().trim_end_matches([':', ' ']),
            "caller": *self.request.caller,
            "expected": { "allowed": self.case.is_allowed, "rule": self.case.rule },
            "found": { "allowed": self.is_allowed, "rules": self.rules },
            "explanations": explanations.collect::<Value>(),
        })
    }
}

/// The rules that decided, each with its policy: those that allowed, or those that denied.
fn deciding_rules(is_allowed: bool, explanations: &[(String, Explanation)]) -> Vec<(&str, &str)> {
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
