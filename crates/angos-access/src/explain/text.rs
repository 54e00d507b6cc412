//! An explanation as text: one paragraph for each policy.

use std::fmt::{self, Display, Formatter};

use super::{Explanation, ShadowExplanation};

impl Display for Explanation {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        match self.reason {
            "ca_restriction" => {
                writeln!(
                    out,
                    "  denied: the CA of the certificate may not issue for this request, whatever the policies say"
                )?;
            }
            "unconfigured" => writeln!(out, "  denied: no policy applies to the request")?,
            "identified" => {
                writeln!(out, "  allowed: only repositories have policies, and the caller is authenticated")?;
            }
            _ => {}
        }
        for policy in &self.policies {
            let skipped = if policy.is_asked { "" } else { " (not evaluated: denied before)" };
            writeln!(out, "  policy {}{skipped}", policy.scope.escape_debug())?;
            indented(out, &policy.explanation, 4)?;
            if let Some(shadow) = policy.shadow.as_ref().filter(|shadow| !shadow.rules.is_empty()) {
                writeln!(out, "    shadow rules, not enforced")?;
                shadow.rules.iter().try_for_each(|rule| indented(out, rule, 6))?;
            }
        }
        if let Some(ShadowExplanation { is_allowed, scope, rule, .. }) = &self.shadow {
            let outcome = if *is_allowed { "allowed" } else { "denied" };
            let (scope, rule) = (scope.escape_debug(), rule.escape_debug());
            writeln!(out, "  with the shadow rules it would be {outcome}, by {scope} {rule}")?;
        }
        Ok(())
    }
}

/// Writes `text` with every line indented.
fn indented(out: &mut Formatter<'_>, text: &impl Display, depth: usize) -> fmt::Result {
    text.to_string().lines().try_for_each(|line| writeln!(out, "{:depth$}{line}", ""))
}
