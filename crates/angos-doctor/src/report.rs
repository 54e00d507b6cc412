//! Findings, collected and printed for people or programs.

use std::io::{self, Write};
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::findings::{Kind, Severity};

/// One finding.
#[derive(Debug)]
struct Finding {
    kind: &'static Kind,
    /// The file, address or folder it is about.
    about: String,
    explanation: String,
}

/// Every finding, and everything that was examined and found good.
#[derive(Debug)]
pub struct Report {
    findings: Vec<Finding>,
    /// What was examined and found good.
    good: Vec<String>,
    /// One timestamp for the whole report, in Unix seconds.
    now: i64,
}

impl Report {
    pub(crate) fn new() -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.as_secs().cast_signed());
        Self { findings: Vec::new(), good: Vec::new(), now }
    }

    pub(crate) fn now(&self) -> i64 {
        self.now
    }

    /// Adds a finding. A finding of this kind about the same place takes the explanation as one more sentence.
    pub(crate) fn add(
        &mut self,
        kind: &'static Kind,
        about: impl Into<String>,
        explanation: impl Into<String>,
    ) {
        let (about, explanation) = (about.into(), explanation.into());
        match self.findings.iter_mut().find(|it| it.kind == kind && it.about == about) {
            Some(finding) if finding.explanation.contains(&explanation) => {}
            Some(finding) => {
                finding.explanation.push(' ');
                finding.explanation.push_str(&explanation);
            }
            None => self.findings.push(Finding { kind, about, explanation }),
        }
    }

    /// Records something that is as it should be.
    pub(crate) fn good(&mut self, what: impl Into<String>) {
        let what = what.into();
        if !self.good.contains(&what) {
            self.good.push(what);
        }
    }

    /// Whether there is a finding about this.
    pub(crate) fn is_about(&self, about: &str) -> bool {
        self.findings.iter().any(|finding| finding.about == about)
    }

    /// Whether there is a finding of this kind.
    pub(crate) fn has(&self, kind: &Kind) -> bool {
        self.findings.iter().any(|finding| finding.kind == kind)
    }

    fn count(&self, severity: Severity) -> usize {
        self.findings.iter().filter(|finding| finding.kind.severity == severity).count()
    }

    /// Whether there are neither errors nor warnings. Notes do not count.
    pub fn is_healthy(&self) -> bool {
        self.count(Severity::Error) + self.count(Severity::Warning) == 0
    }

    /// Writes the report for people, the worst findings first.
    pub fn write_text(&self, out: &mut impl Write) -> io::Result<()> {
        for Finding { kind, about, explanation } in self.sorted() {
            writeln!(out, "{}: {}: {about}", kind.severity, kind.name)?;
            writeln!(out, "  {explanation}")?;
            writeln!(out, "  to do: {}", kind.remedy)?;
        }
        for what in &self.good {
            writeln!(out, "ok: {what}")?;
        }
        let counted = |severity, one: &str, many: &str| match self.count(severity) {
            1 => format!("1 {one}"),
            count => format!("{count} {many}"),
        };
        let errors = counted(Severity::Error, "error", "errors");
        writeln!(out, "{errors}, {}", counted(Severity::Warning, "warning", "warnings"))
    }

    /// Writes the report as one JSON object, the worst findings first.
    pub fn write_json(&self, out: &mut impl Write) -> io::Result<()> {
        serde_json::to_writer_pretty(&mut *out, &self.json())?;
        writeln!(out)
    }

    fn sorted(&self) -> Vec<&Finding> {
        let mut findings: Vec<_> = self.findings.iter().collect();
        findings.sort_by_key(|finding| finding.kind.severity);
        findings
    }

    fn json(&self) -> Value {
        let finding = |Finding { kind, about, explanation }: &Finding| {
            json!({
                "name": kind.name,
                "severity": kind.severity.as_str(),
                "about": about,
                "explanation": explanation,
                "remedy": kind.remedy,
            })
        };
        json!({
            "healthy": self.is_healthy(),
            "findings": self.sorted().into_iter().map(finding).collect::<Vec<_>>(),
            "ok": self.good,
        })
    }

    /// A time in UTC, and how far away it is.
    pub(crate) fn timestamp(&self, at: i64) -> String {
        let text = OffsetDateTime::from_unix_timestamp(at).ok().and_then(|it| it.format(&Rfc3339).ok());
        let text = text.unwrap_or_else(|| format!("Unix time {at}"));
        let distance = at.abs_diff(self.now);
        let (count, unit) = match distance {
            0..120 => (distance, "seconds"),
            120..7200 => (distance / 60, "minutes"),
            7200..172_800 => (distance / 3600, "hours"),
            _ => (distance / 86_400, "days"),
        };
        if at < self.now {
            format!("{text}, {count} {unit} ago")
        } else {
            format!("{text}, in {count} {unit}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::findings;

    fn report() -> Report {
        Report { now: 1_800_000_000, ..Report::new() }
    }

    #[test]
    fn notes_are_healthy_and_the_worst_finding_comes_first() {
        let mut report = report();
        assert!(report.is_healthy());
        report.add(&findings::CREDENTIAL_WANTED, "a", "One.");
        assert!(report.is_healthy());
        report.add(&findings::KEY_EXPOSED, "b", "Two.");
        report.add(&findings::REVOKED, "c", "Three.");
        assert!(!report.is_healthy());
        let mut text = Vec::new();
        report.write_text(&mut text).expect("memory takes it");
        let text = String::from_utf8(text).expect("text");
        let places = ["error: revoked: c", "warning: key_exposed: b", "note: credential_wanted: a"]
            .map(|line| text.find(line).expect(line));
        assert!(places.is_sorted(), "{text}");
        assert!(text.ends_with("1 error, 1 warning\n"), "{text}");
    }

    #[test]
    fn the_same_finding_gains_sentences() {
        let mut report = report();
        report.add(&findings::CLIENT_EXPIRED, "client.pem", "It ended.");
        report.add(&findings::CLIENT_EXPIRED, "client.pem", "The server says so too.");
        report.add(&findings::CLIENT_EXPIRED, "client.pem", "It ended.");
        assert_eq!(report.findings.len(), 1);
        assert_eq!(report.findings.first().expect("one").explanation, "It ended. The server says so too.");
    }

    #[test]
    fn timestamps_say_how_far_away_they_are() {
        let report = report();
        let check = |distance: i64, expected: &str| {
            let timestamp = report.timestamp(report.now + distance);
            assert!(timestamp.ends_with(expected), "{timestamp}");
        };
        check(-60, "2027-01-15T07:59:00Z, 60 seconds ago");
        check(3 * 3600, ", in 3 hours");
        check(-30 * 86_400, ", 30 days ago");
        check(i64::MAX - report.now, "days");
    }
}
