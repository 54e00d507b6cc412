//! How the facts of a request are spelled, and what other tools write in their place.

use angos_oci::{Digest, Name, Tag};
use angos_policy::StringForm;

pub(crate) static NAMESPACE: StringForm = StringForm {
    description: "a repository name is lower-case components between single slashes, without host and tag",
    is_value: is::<Name>,
    is_prefix: begins::<Name>,
    is_part: |text| {
        let allowed = |byte: u8| {
            byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'.' | b'_' | b'-' | b'/')
        };
        text.bytes().all(allowed)
    },
    respell: |text| {
        let name = text.trim().trim_matches('/').to_ascii_lowercase();
        let before_tag = name.rfind(':').map_or(&*name, |colon| name.get(..colon).unwrap_or_default());
        // A first component with a port is the host of an image reference.
        let path = match before_tag.split_once('/') {
            Some((host, path)) if host.contains(':') => path,
            _ => before_tag,
        };
        Some(path.to_owned())
    },
};

pub(crate) static TAG: StringForm = StringForm {
    description: "a tag is letters, digits, `_`, `.` and `-`, and begins with none of the last two",
    is_value: is::<Tag>,
    is_prefix: is::<Tag>,
    is_part: is_tag_part,
    respell: |text| text.trim().rsplit(':').next().map(str::to_owned),
};

pub(crate) static DIGEST: StringForm = StringForm {
    description: "a digest is `sha256:` or `sha512:` and the hash in lower-case hexadecimal digits",
    is_value: is::<Digest>,
    is_prefix: begins_digest,
    is_part: is_digest_part,
    respell: digest_of,
};

pub(crate) static REFERENCE: StringForm = StringForm {
    description: "a reference is a tag or a digest in lower case",
    is_value: |text| is::<Tag>(text) || is::<Digest>(text),
    is_prefix: |text| is::<Tag>(text) || begins_digest(text),
    is_part: |text| is_tag_part(text) || is_digest_part(text),
    respell: |text| digest_of(text).or_else(|| text.trim().rsplit(':').next().map(str::to_owned)),
};

fn is<T: std::str::FromStr>(text: &str) -> bool {
    text.parse::<T>().is_ok()
}

/// Whether a name can begin so, the last component being complete or not.
fn begins<T: std::str::FromStr>(text: &str) -> bool {
    is::<T>(text) || is::<T>(&format!("{text}a"))
}

fn is_tag_part(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-'))
}

fn is_hex(text: &str) -> bool {
    text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

fn begins_digest(text: &str) -> bool {
    [("sha256:", 64), ("sha512:", 128)].iter().any(|(algorithm, digits)| {
        algorithm.starts_with(text)
            || text.strip_prefix(algorithm).is_some_and(|hash| hash.len() <= *digits && is_hex(hash))
    })
}

fn is_digest_part(text: &str) -> bool {
    match text.rsplit_once(':') {
        Some((algorithm, hash)) => {
            is_hex(hash) && ["sha256", "sha512"].iter().any(|of| of.ends_with(algorithm))
        }
        None => is_hex(text) || ["sha256", "sha512"].iter().any(|of| of.contains(text)),
    }
}

/// The digest meant by a hash in capitals, without its algorithm, or behind `name@`.
fn digest_of(text: &str) -> Option<String> {
    let text = text.trim().rsplit('@').next()?.to_ascii_lowercase();
    let text = text.replacen("sha-", "sha", 1);
    let hash = text.strip_prefix("sha256:").or_else(|| text.strip_prefix("sha512:")).unwrap_or(&text);
    match hash.len() {
        64 if is_hex(hash) => Some(format!("sha256:{hash}")),
        128 if is_hex(hash) => Some(format!("sha512:{hash}")),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use crate::environment;
    use angos_policy::{DefaultDecision, Policy, RuleSource};

    /// The suggestion for each rule; none for a rule that loads.
    #[test]
    fn literals_in_another_spelling_do_not_load() {
        let hash = "0123456789abcdef".repeat(4);
        let upper = hash.to_uppercase();
        let digest = format!("sha256:{hash}");
        let check = |rule: &str, expected: Result<(), &str>| {
            for default in [DefaultDecision::Deny, DefaultDecision::Allow] {
                let rules = [RuleSource::from(rule)];
                let loaded = Policy::compile(&environment(), default, &rules).map(|_| ());
                match (loaded, expected) {
                    (Ok(()), Ok(())) => {}
                    (Err(errors), Err(part)) => {
                        let text = errors.first().map(ToString::to_string).unwrap_or_default();
                        assert!(text.contains(part), "{rule}: {text}");
                    }
                    (loaded, _) => panic!("{rule}: {loaded:?}"),
                }
            }
        };
        let meant = |spelling: &str| format!("did you mean '{spelling}'?");
        for rule in [
            "request.namespace == 'team/app' || request.namespace != ''",
            "request.repository.startsWith('team/') || request.namespace.startsWith('team-')",
            "request.namespace.endsWith('/app') || request.namespace in ['a', 'b/c']",
            "request.tag.startsWith('v1.') || request.tag == '_A' || 'latest' in request.tags",
            "request.digest.startsWith('sha256:00') || request.reference.startsWith('sha')",
            "request.digest_algorithm == 'sha512' && request.method in ['GET', 'HEAD']",
            "request.tags.exists(t, t.startsWith('v')) || request.tag.endsWith('-rc.1')",
        ] {
            check(rule, Ok(()));
        }
        check(&format!("request.digest == '{digest}' || request.reference == '{digest}'"), Ok(()));
        check("request.namespace == 'Team/App'", Err(&meant("team/app")));
        check("request.repository != '/team/app/'", Err(&meant("team/app")));
        check("request.from == 'localhost:5000/team/app:v1'", Err(&meant("team/app")));
        check("request.namespace in ['a', 'B']", Err(&meant("b")));
        check("request.namespace in {'B': 1}", Err(&meant("b")));
        check("request.namespace.startsWith('/team/')", Err("no value starts with '/team/'"));
        check("request.namespace.endsWith('/App')", Err("no value ends with"));
        check("request.tag == 'app:v1'", Err(&meant("v1")));
        check("'app:v1' in request.tags", Err(&meant("v1")));
        check("request.tags.exists(t, t == 'app:v1')", Err(&meant("v1")));
        check("request.tag.contains('*')", Err("no value contains '*'"));
        check(&format!("request.digest == 'sha256:{upper}'"), Err(&meant(&digest)));
        check(&format!("request.digest == '{hash}'"), Err(&meant(&digest)));
        check(&format!("request.digest == 'team/app@{digest}'"), Err(&meant(&digest)));
        check(&format!("request.reference == 'sha256:{upper}'"), Err(&meant(&digest)));
        check("request.digest.startsWith('SHA256:')", Err("no value starts with"));
        check("request.digest == 'sha256:abc'", Err("hexadecimal digits"));
        check("request.method == 'get'", Err(&meant("GET")));
        check("request.digest_algorithm == 'SHA-256'", Err(&meant("sha256")));
    }
}
