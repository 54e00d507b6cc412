//! What was found, gathered, and printed for people or programs.

use std::io::{self, Write};
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::arguments::ReportFormat;
use crate::doctor::catalogue::{Kind, Severity};

/// One finding.
#[derive(Debug)]
struct Finding {
    kind: &'static Kind,
    /// The file, address or folder it is about.
    about: String,
    explanation: String,
}

/// Everything that was found so far.
#[derive(Debug)]
pub(crate) struct Report {
    findings: Vec<Finding>,
    /// What was looked at and found good.
    good: Vec<String>,
    /// One moment for the whole report, in Unix seconds.
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

    /// Adds a finding. One of this kind about the same thing takes the explanation as a further sentence.
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

    /// Notes what is as it should be.
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

    /// Whether there is nothing to do.
    pub(crate) fn is_healthy(&self) -> bool {
        self.count(Severity::Error) + self.count(Severity::Warning) == 0
    }

    /// Writes it, the worst first.
    pub(crate) fn write(&mut self, format: ReportFormat, out: &mut impl Write) -> io::Result<()> {
        self.findings.sort_by_key(|finding| finding.kind.severity);
        match format {
            ReportFormat::Text => self.write_text(out),
            ReportFormat::Json => {
                serde_json::to_writer_pretty(&mut *out, &self.json())?;
                writeln!(out)
            }
        }
    }

    fn write_text(&self, out: &mut impl Write) -> io::Result<()> {
        for Finding { kind, about, explanation } in &self.findings {
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
            "findings": self.findings.iter().map(finding).collect::<Vec<_>>(),
            "ok": self.good,
        })
    }

    /// A moment in UTC, and how far it is from now.
    pub(crate) fn moment(&self, at: i64) -> String {
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
    use crate::doctor::catalogue;

    fn report() -> Report {
        Report { now: 1_800_000_000, ..Report::new() }
    }

    #[test]
    fn notes_are_no_illness_and_the_worst_comes_first() {
        let mut report = report();
        assert!(report.is_healthy());
        report.add(&catalogue::CREDENTIAL_WANTED, "a", "One.");
        assert!(report.is_healthy());
        report.add(&catalogue::KEY_EXPOSED, "b", "Two.");
        report.add(&catalogue::REVOKED, "c", "Three.");
        assert!(!report.is_healthy());
        let mut text = Vec::new();
        report.write(ReportFormat::Text, &mut text).expect("memory takes it");
        let text = String::from_utf8(text).expect("text");
        let places = ["error: revoked: c", "warning: key_exposed: b", "note: credential_wanted: a"]
            .map(|line| text.find(line).expect(line));
        assert!(places.is_sorted(), "{text}");
        assert!(text.ends_with("1 error, 1 warning\n"), "{text}");
    }

    #[test]
    fn the_same_finding_gains_sentences() {
        let mut report = report();
        report.add(&catalogue::CLIENT_EXPIRED, "client.pem", "It ended.");
        report.add(&catalogue::CLIENT_EXPIRED, "client.pem", "The server says so too.");
        report.add(&catalogue::CLIENT_EXPIRED, "client.pem", "It ended.");
        assert_eq!(report.findings.len(), 1);
        assert_eq!(report.findings.first().expect("one").explanation, "It ended. The server says so too.");
    }

    #[test]
    fn moments_say_how_far_they_are() {
        let report = report();
        let check = |distance: i64, expected: &str| {
            let moment = report.moment(report.now + distance);
            assert!(moment.ends_with(expected), "{moment}");
        };
        check(-60, "2027-01-15T07:59:00Z, 60 seconds ago");
        check(3 * 3600, ", in 3 hours");
        check(-30 * 86_400, ", 30 days ago");
        check(i64::MAX - report.now, "days");
    }
}
