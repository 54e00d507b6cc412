//! The same decision as the interpreters of CEL in Rust make it: programs compiled once, a context filled
//! with the caller and the request each time, as their documentation shows.

use angos_identity::Identity;
use serde::Serialize;

#[derive(Serialize)]
struct Caller<'a> {
    username: &'a str,
    certificate: CallerCertificate<'a>,
}

#[derive(Serialize)]
struct CallerCertificate<'a> {
    organizations: &'a [String],
    common_names: &'a [String],
}

#[derive(Serialize)]
struct Asked<'a> {
    action: &'a str,
    namespace: &'a str,
}

const ASKED: Asked<'_> = Asked { action: "get-manifest", namespace: "team/app" };

fn shown(caller: &Identity) -> Caller<'_> {
    let certificate = caller.certificate();
    Caller {
        username: caller.username().unwrap_or(""),
        certificate: CallerCertificate {
            organizations: certificate.map_or(&[], |certificate| certificate.organizations()),
            common_names: certificate.map_or(&[], |certificate| certificate.common_names()),
        },
    }
}

/// The crate `cel`; its lists have no `contains`, so the first rule is written with `in`.
pub(crate) fn cel(rules: &[&str]) -> impl Fn(&Identity) -> bool {
    use cel_parser::{Context, Program, to_value};
    let programs: Vec<Program> = rules
        .iter()
        .map(|rule| Program::compile(&rule.replace(LIST_CONTAINS, LIST_IN)).expect("rule"))
        .collect();
    move |caller| {
        let mut context = Context::default();
        context.add_variable_from_value("identity", to_value(shown(caller)).expect("identity"));
        context.add_variable_from_value("request", to_value(ASKED).expect("request"));
        programs.iter().any(|program| program.execute(&context) == Ok(true.into()))
    }
}

const LIST_CONTAINS: &str = "identity.certificate.organizations.contains('Infrastructure')";
const LIST_IN: &str = "'Infrastructure' in identity.certificate.organizations";

/// The crate `cel-interpreter`.
pub(crate) fn cel_interpreter(rules: &[&str]) -> impl Fn(&Identity) -> bool {
    use cel_interpreter::{Context, Program, to_value};
    let programs: Vec<Program> = rules.iter().map(|rule| Program::compile(rule).expect("rule")).collect();
    move |caller| {
        let mut context = Context::default();
        context.add_variable_from_value("identity", to_value(shown(caller)).expect("identity"));
        context.add_variable_from_value("request", to_value(ASKED).expect("request"));
        programs.iter().any(|program| program.execute(&context) == Ok(true.into()))
    }
}
