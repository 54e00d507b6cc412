//! Access policies and credentials: compiles the rules and reads the password hashes.

use std::collections::{HashMap, HashSet};
use std::time::Instant;

use angos_access::{AccessPolicies, AccessPolicy};
use angos_oci::{Name, RepositoryMap};
use angos_policy::{DefaultDecision, Environment, Policy, RuleError, RuleSource};
use angos_server::Access;

use crate::context::Context;
use crate::document::{self, Document, Mode, Rule};
use crate::key_path::KeyPath;
use crate::layers::Part;
use crate::limits::{REPOSITORIES_MAX, RULE_NAME_MAX_BYTES};
use crate::sections::credentials;

/// All policies and credentials; `None` when something in them was wrong and is among the problems.
pub(crate) fn access(document: &Document, context: &mut Context<'_>) -> Option<Access> {
    let policies = policies(document, context);
    let credentials = credentials::credentials(&document.auth, context)?;
    Some(Access { policies: policies?, credentials })
}

/// All policies, without credentials; `None` when something in them was wrong and is among the problems.
pub(crate) fn policies(document: &Document, context: &mut Context<'_>) -> Option<AccessPolicies> {
    let started = Instant::now();
    let environment = angos_access::environment();
    let mut compiler = Compiler { environment, context, is_deprecated_reported: false };
    let section = KeyPath::of(&["global", "access_policy"]);
    let global = document.global.access_policy.as_ref().map(|written| compiler.policy(written, &section));
    let repositories = compiler.repositories(document);
    let compile_time = started.elapsed();
    if global.is_none() && document.repository.is_empty() && !context.layers.has(&section) {
        context.warning(
            &KeyPath::default(),
            "no access policy is configured: every request will be denied",
            "add [global.access_policy] with rules that allow",
        );
    }
    let global = match global {
        Some(policy) => Some(policy?),
        None => None,
    };
    let authorities = authorities(document, context);
    Some(AccessPolicies { global, repositories: repositories?, authorities, compile_time })
}

/// The repositories that the clients of each named CA may touch, where `namespaces` restricts them.
fn authorities(document: &Document, context: &mut Context<'_>) -> HashMap<String, Vec<Name>> {
    let list = KeyPath::of(&["server", "tls", "client_ca"]);
    let mut bounded = HashMap::new();
    let written = document.server.tls.iter().flat_map(|tls| &tls.client_ca).enumerate();
    for (index, authority) in written {
        let Some(authority) = authority else { continue };
        let Some(namespaces) = &authority.namespaces else { continue };
        if namespaces.is_empty() {
            let path = list.index(index).key("namespaces");
            let help = "name at least one repository, or leave `namespaces` out to bound nothing";
            context.error_with_help(&path, Part::Value, "`namespaces` names no repository", help);
        }
        // An element that is no name was reported, and the set is not used.
        let names = namespaces.iter().flatten().filter_map(|name| name.parse().ok()).collect();
        bounded.extend(authority.name.clone().map(|name| (name, names)));
    }
    bounded
}

struct Compiler<'a, 'b> {
    environment: Environment,
    context: &'a mut Context<'b>,
    is_deprecated_reported: bool,
}

impl Compiler<'_, '_> {
    fn repositories(&mut self, document: &Document) -> Option<RepositoryMap<AccessPolicy>> {
        if document.repository.len() > REPOSITORIES_MAX {
            let message = format!("more than {REPOSITORIES_MAX} repositories have settings");
            self.context.error(&KeyPath::of(&["repository"]), Part::Key, message);
            return None;
        }
        let mut compiled = Some(RepositoryMap::new());
        for (name, repository) in &document.repository {
            let path = KeyPath::of(&["repository", name]);
            let parsed = name.parse::<Name>();
            if parsed.is_err() {
                self.context.error_with_help(
                    &path,
                    Part::Key,
                    format!("`{path}`: this is no repository's name"),
                    "write the name, or the first parts of it, as clients do: [repository.\"team/app\".access_policy]",
                );
            }
            let Some(written) = &repository.access_policy else { continue };
            let policy = self.policy(written, &path.key("access_policy"));
            compiled = compiled.zip(policy).zip(parsed.ok()).map(|((mut all, policy), name)| {
                all.insert(name, policy);
                all
            });
        }
        compiled
    }

    fn policy(&mut self, written: &document::AccessPolicy, section: &KeyPath) -> Option<AccessPolicy> {
        let default = self.default(written, section);
        let rules = self.rules(&written.rules, default, section, "rules");
        let is_tried = self.context.layers.has(&section.key("shadow_rules"));
        let shadow = is_tried.then(|| self.shadow(written, default, section));
        let policy = AccessPolicy::new(rules?);
        match shadow {
            Some(shadow) => Some(policy.with_shadow(shadow?)),
            None => Some(policy),
        }
    }

    /// Shadow rules. Without enforced rules or an explicit default the implicit default would be enforced by accident.
    fn shadow(
        &mut self,
        written: &document::AccessPolicy,
        default: DefaultDecision,
        section: &KeyPath,
    ) -> Option<Policy> {
        let keys = ["default", "default_allow", "rules"];
        let path = section.key("shadow_rules");
        if !keys.iter().any(|key| self.context.layers.has(&section.key(key))) {
            self.context.error_with_help(
                &path,
                Part::Key,
                format!("`{section}` has shadow_rules and nothing that is enforced: its default would deny every request"),
                "write the rules or the default in force as well; default = \"allow\" with no rules changes nothing",
            );
        }
        self.rules(&written.shadow_rules, default, section, "shadow_rules")
    }

    /// Compiles one list of rules, or reports what is wrong with each.
    fn rules(
        &mut self,
        written: &[Option<Rule>],
        default: DefaultDecision,
        section: &KeyPath,
        key: &str,
    ) -> Option<Policy> {
        // Positions in the list as it is written, since what was found wrong before is not compiled.
        let mut positions = Vec::new();
        let mut sources = Vec::new();
        let mut names = HashSet::new();
        let rules = section.key(key);
        for (index, rule) in written.iter().enumerate() {
            let Some(rule) = rule else { continue };
            let path = rules.index(index);
            let (name, when, path) = match rule {
                Rule::Bare(when) => (None, when, path),
                Rule::Named { name, when } => {
                    self.check_name(name.as_deref(), &path);
                    (name.as_ref(), when, path.key("when"))
                }
            };
            let name = name.cloned().unwrap_or_else(|| format!("{key}[{index}]"));
            if !names.insert(name.clone()) {
                let message =
                    format!("two rules are called `{name}`: logs and metrics cannot tell them apart");
                self.context.warning(&rules.index(index), message, "give each rule a name of its own");
            }
            positions.push(path);
            sources.push(RuleSource { name: Some(name), when: when.clone() });
        }
        match Policy::compile(&self.environment, default, &sources) {
            Ok(policy) => Some(policy),
            Err(errors) => {
                for error in errors {
                    self.report(&error, &positions, &sources, &rules);
                }
                None
            }
        }
    }

    fn report(&mut self, error: &RuleError, positions: &[KeyPath], sources: &[RuleSource], rules: &KeyPath) {
        let problem = match (positions.get(error.rule()), sources.get(error.rule())) {
            (Some(path), Some(source)) => {
                self.context.layers.error_within(path, &source.when, error.offset(), error.message())
            }
            _ => self.context.layers.error(rules, Part::Key, error.message()),
        };
        self.context.problems.push(match error.suggestion() {
            Some(suggestion) => problem.with_help(suggestion),
            None => problem,
        });
    }

    /// A name is shown in logs, so it is short and printable.
    fn check_name(&mut self, name: Option<&str>, path: &KeyPath) {
        let is_fit = |name: &str| {
            (1..=RULE_NAME_MAX_BYTES).contains(&name.len()) && !name.chars().any(char::is_control)
        };
        if name.is_some_and(|name| !is_fit(name)) {
            let message =
                format!("the name of a rule has 1 to {RULE_NAME_MAX_BYTES} bytes and no control characters");
            self.context.error(&path.key("name"), Part::Value, message);
        }
    }

    fn default(&mut self, written: &document::AccessPolicy, section: &KeyPath) -> DefaultDecision {
        let (new, old) = (section.key("default"), section.key("default_allow"));
        if self.context.layers.has(&old) {
            if self.context.layers.has(&new) {
                let message = format!("`{new}` and `{old}` are the same setting");
                self.context.error_with_help(&old, Part::Key, message, "keep `default`");
            } else if !self.is_deprecated_reported {
                self.is_deprecated_reported = true;
                let value = if written.default_allow == Some(true) { "allow" } else { "deny" };
                let message = "`default_allow` is the older spelling of `default`, and deprecated";
                self.context.warning(&old, message, format!("write default = \"{value}\""));
            }
        }
        match (written.default, written.default_allow) {
            (Some(Mode::Allow), _) | (None, Some(true)) => DefaultDecision::Allow,
            _ => DefaultDecision::Deny,
        }
    }
}
