//! Policy tests: callers, their requests, and the expected decisions.
//!
//! | file | in → out |
//! |---|---|
//! | `cases.rs` | a file → cases, or every problem with its place |
//! | `cases/caller.rs` | `[caller.<name>]` → an identity |
//! | `cases/request.rs` | the request of a case, its lists multiplied out |
//! | `cases/reader.rs` | shared by these three: values of the expected kind |
//! | `cases/run.rs` | cases and policies → a report |
//! | `cases/coverage.rs` | how often each rule was true and false |

mod caller;
mod coverage;
mod reader;
mod request;
mod run;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use angos_access::{AccessPolicy, AccessRequests};
use angos_identity::Identity;
use angos_tls::Files;
use figment::value::{Dict, Value};

use self::reader::Reader;
pub use self::run::TestReport;
use crate::key_path::KeyPath;
use crate::layers::file::{FileRole, SourceFile};
use crate::layers::{Layers, Part};
use crate::limits::{CASE_REQUESTS_MAX, CASES_MAX};
use crate::policies::Policies;
use crate::problem::{Origin, Problems};

/// A file of policy tests in which everything was checked.
#[derive(Debug)]
#[non_exhaustive]
pub struct Cases {
    /// The cases, in the order of the file.
    pub cases: Vec<Case>,
}

/// One case: requests with the same expected decision.
#[derive(Debug)]
#[non_exhaustive]
pub struct Case {
    /// Its name, or its position: `case[0]`.
    pub name: String,
    /// Where it is written.
    pub origin: Origin,
    /// Whether every request is expected to be allowed.
    pub is_allowed: bool,
    /// The rule that is expected to decide each request, `default`, or `ca_restriction`.
    pub rule: Option<String>,
    /// Each caller with each request.
    pub requests: Vec<CaseRequest>,
}

/// One caller and one request.
#[derive(Debug)]
#[non_exhaustive]
pub struct CaseRequest {
    /// The caller's name in the file.
    pub caller: Arc<str>,
    /// The caller's identity.
    pub identity: Arc<Identity>,
    /// The request, or all requests of an operation with several.
    pub requests: AccessRequests,
}

type Callers = BTreeMap<String, Arc<Identity>>;

/// The caller that every file has.
const ANONYMOUS: &str = "anonymous";

const KEYS: [&str; 5] = ["name", "caller", "action", "expect", "rule"];

impl Cases {
    /// Reads one file, held to the users and rules of `policies`. Requests without a `time` are made at `now`.
    ///
    /// The error holds every problem that can be found in one pass. Blocking: reads the file, and the certificates it names.
    pub fn read(path: &Path, policies: &Policies, now: SystemTime) -> Result<Self, Problems> {
        let files = Files::new();
        let file = SourceFile::read(&files, path, FileRole::Cases);
        let file = file.map_err(|problems| Problems::new(problems, files.take()))?;
        let (values, whole) = (file.values(), file.path().clone());
        let layers = Layers::new(vec![file], Vec::new());
        let mut reader = Reader { layers: &layers, file: &whole, policies, problems: Vec::new() };
        let cases = reader.document(&values, now);
        let mut problems = reader.problems;
        if problems.is_empty() {
            return Ok(Self { cases });
        }
        layers.sort(&mut problems);
        Err(Problems::new(problems, files.take()))
    }
}

impl Reader<'_> {
    fn document(&mut self, values: &Dict, now: SystemTime) -> Vec<Case> {
        let top = KeyPath::default();
        self.refuse_unknown(values, &top, &["caller", "case"]);
        let mut callers = Callers::new();
        let anonymous = Identity::new([127, 0, 0, 1].into(), None, None);
        callers.insert(ANONYMOUS.to_owned(), Arc::new(anonymous));
        let written = values.get("caller").and_then(|value| self.table(value, &top.key("caller")));
        for (name, value) in written.into_iter().flatten() {
            let path = top.key("caller").key(name);
            if name == ANONYMOUS {
                let message = format!("`{path}` is reserved for callers with neither certificate nor user");
                self.error(&path, Part::Key, message, "choose another name for this caller");
                continue;
            }
            if let Some(identity) = self.table(value, &path).and_then(|table| self.caller(table, &path)) {
                callers.insert(name.clone(), Arc::new(identity));
            }
        }
        let list = top.key("case");
        let cases = match values.get("case") {
            Some(Value::Array(_, cases)) if cases.len() <= CASES_MAX => cases.as_slice(),
            Some(Value::Array(..)) => {
                self.error(&list, Part::Key, format!("more than {CASES_MAX} cases"), "split the file");
                &[]
            }
            _ => {
                let help = "write [[case]], once for each";
                self.error(&list, Part::Key, "the file has no cases", help);
                &[]
            }
        };
        let mut room = CASE_REQUESTS_MAX;
        let mut read = Vec::with_capacity(cases.len());
        for (index, case) in cases.iter().enumerate() {
            let path = list.index(index);
            let case = self.table(case, &path).and_then(|case| self.case(case, &path, &callers, room, now));
            if let Some(case) = case {
                room -= case.requests.len();
                read.push(case);
            }
        }
        read
    }

    fn case(
        &mut self,
        case: &Dict,
        path: &KeyPath,
        callers: &Callers,
        room: usize,
        now: SystemTime,
    ) -> Option<Case> {
        let known: Vec<&str> = KEYS.iter().chain(angos_access::AccessRequest::FIELDS).copied().collect();
        self.refuse_unknown(case, path, &known);
        let is_allowed = self.word(case, path, "expect", &["allow", "deny"]).map(|word| word == "allow");
        let rule = case.get("rule").and_then(|value| self.rule(value, &path.key("rule")));
        let name = case.get("name").and_then(|value| self.text(value, &path.key("name")));
        let asking = self.callers(case, path, callers);
        let requests = self.requests(case, path, room, now)?;
        if asking.len().saturating_mul(requests.len()) > room {
            let message = format!("the cases ask more than {CASE_REQUESTS_MAX} times");
            self.error(path, Part::Key, message, "shorten the lists, or split the file");
            return None;
        }
        let paired = asking.iter().flat_map(|(caller, identity)| {
            requests.iter().map(|request| CaseRequest {
                caller: caller.clone(),
                identity: identity.clone(),
                requests: request.clone(),
            })
        });
        Some(Case {
            name: name.unwrap_or_else(|| path.to_string()),
            origin: self.layers.error(path, Part::Key, "").origin().clone(),
            is_allowed: is_allowed?,
            rule,
            requests: paired.collect(),
        })
    }

    /// The callers a case names; at least one, unless there is a problem.
    fn callers(&mut self, case: &Dict, path: &KeyPath, known: &Callers) -> Vec<(Arc<str>, Arc<Identity>)> {
        let names = self.needed(case, path, "caller").map(|(value, path)| self.texts(value, &path));
        let mut found = Vec::new();
        for (path, name) in names.into_iter().flatten() {
            if let Some(identity) = known.get(&name) {
                found.push((name.into(), identity.clone()));
                continue;
            }
            let help = "write it as [caller.<name>]";
            self.unknown(&path, "caller", &name, known.keys().map(String::as_str), help);
        }
        found
    }

    /// The name of a rule there is.
    fn rule(&mut self, value: &Value, path: &KeyPath) -> Option<String> {
        let name = self.text(value, path)?;
        let access = &self.policies.access;
        let policies: Vec<&AccessPolicy> =
            access.global.iter().chain(access.repositories.iter().map(|(_, policy)| policy)).collect();
        let rules = policies.iter().map(|policy| policy.rules());
        let mut names: BTreeSet<&str> =
            rules.flat_map(|rules| (0..rules.len()).map(|rule| rules.rule_name(rule))).collect();
        names.extend(["default", "ca_restriction"]);
        if !names.contains(name.as_str()) {
            let help = "name a rule, or `rules[<position>]` if it has no name; write `default` when no rule is true, and \
                        `ca_restriction` when the caller's CA may not issue for the repository";
            self.unknown(path, "rule", &name, names.into_iter(), help);
            return None;
        }
        Some(name)
    }
}

#[cfg(test)]
mod tests;
