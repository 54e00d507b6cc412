//! `[auth.identity.<id>]`: user names and password hashes. Nothing read here is ever quoted.

use std::collections::BTreeMap;
use std::path::Path;

use angos_auth::{Credentials, PasswordHash};
use angos_tls::Files;
use secrecy::{ExposeSecret, SecretString};

use crate::context::Context;
use crate::document::{Auth, Identity};
use crate::key_path::KeyPath;
use crate::layers::Part;
use crate::limits::{IDENTITIES_MAX, SECRET_FILE_MAX_BYTES, USERNAME_MAX_BYTES};
use crate::sections::permissions;
use crate::summary::fingerprint;

/// All credentials; `None` when something in them was wrong and is among the problems.
pub(crate) fn credentials(auth: &Auth, context: &mut Context<'_>) -> Option<Credentials> {
    let section = KeyPath::of(&["auth", "identity"]);
    if auth.identity.len() > IDENTITIES_MAX {
        context.error(&section, Part::Key, format!("more than {IDENTITIES_MAX} identities are configured"));
        return None;
    }
    let mut owners: BTreeMap<&str, &str> = BTreeMap::new();
    let mut builder = Credentials::builder();
    let mut is_valid = true;
    for (id, identity) in &auth.identity {
        let path = section.key(id);
        let username = username(id, identity, &path, context);
        let hash = hash(identity, &path, context);
        if let Some(username) = username
            && let Some(other) = owners.insert(username, id)
        {
            let message = format!("`{path}` has the user name of `{}`", section.key(other));
            context.error(&path.key("username"), Part::Key, message);
            is_valid = false;
        }
        match username.zip(hash) {
            Some((username, (hash, text))) => {
                context.users.push((id.clone(), fingerprint(&(username, text.expose_secret()))));
                builder = builder.add(id.as_str(), username, hash);
            }
            None => is_valid = false,
        }
    }
    is_valid.then(|| builder.build())
}

fn username<'a>(
    id: &str,
    identity: &'a Identity,
    path: &KeyPath,
    context: &mut Context<'_>,
) -> Option<&'a str> {
    if !is_fit(id) {
        context.error(path, Part::Key, "an identity's id has 1 to 255 bytes and no control characters");
    }
    let key = path.key("username");
    let Some(username) = identity.username.as_deref() else {
        if !context.layers.has(&key) {
            let help = "write username = \"...\"";
            context.error_with_help(path, Part::Key, format!("`{path}` has no `username`"), help);
        }
        return None;
    };
    if !is_fit(username) || username.contains(':') {
        let message = "a user name has 1 to 255 bytes, no colon (it ends the name in a Basic credential) and no control characters";
        context.error(&key, Part::Key, message);
        return None;
    }
    Some(username)
}

fn is_fit(name: &str) -> bool {
    (1..=USERNAME_MAX_BYTES).contains(&name.len()) && !name.chars().any(char::is_control)
}

/// The hash, and as it is written.
fn hash(
    identity: &Identity,
    path: &KeyPath,
    context: &mut Context<'_>,
) -> Option<(PasswordHash, SecretString)> {
    let (direct, file) = (path.key("password"), path.key("password_file"));
    if context.layers.has(&direct) && context.layers.has(&file) {
        let help = "keep one of the two";
        context.error_with_help(
            &file,
            Part::Key,
            format!("`{path}` has both `password` and `password_file`"),
            help,
        );
        return None;
    }
    let (text, key) = match (&identity.password, &identity.password_file) {
        (Some(text), _) => (text.clone(), direct),
        (None, Some(written)) => {
            let written = context.layers.resolve(&file, written);
            match read(context.files, &written) {
                Ok(text) => {
                    permissions::warn_if_secret_is_readable(&written, "password file", &file, context);
                    (text, file)
                }
                Err(message) => {
                    context.error(&file, Part::Key, message);
                    return None;
                }
            }
        }
        (None, None) => {
            if !context.layers.has(&direct) && !context.layers.has(&file) {
                let help = "write password = \"<hash>\" with the output of `angos hash-password`";
                context.error_with_help(path, Part::Key, format!("`{path}` has no `password`"), help);
            }
            return None;
        }
    };
    match text.expose_secret().trim_start_matches('\u{feff}').trim().parse() {
        Ok(hash) => Some((hash, text)),
        Err(error) => {
            let hash = text.expose_secret().split_once(':').map(|(_, hash)| hash.trim());
            let message = format!("`{key}`: {error}");
            match hash.filter(|hash| hash.parse::<PasswordHash>().is_ok()) {
                Some(_) => {
                    let help = "this is a line of an htpasswd file: keep only the part after the colon";
                    context.error_with_help(&key, Part::Key, message, help);
                }
                None => context.error(&key, Part::Key, message),
            }
            None
        }
    }
}

fn read(files: &Files, path: &Path) -> Result<SecretString, String> {
    let shown = crate::problem::escape(&path.to_string_lossy());
    let cannot = |error: &dyn std::fmt::Display| format!("cannot read {shown}: {error}");
    let bytes = files.read(path, SECRET_FILE_MAX_BYTES).map_err(|error| cannot(&error))?;
    // The error would hold the bytes.
    let text = String::from_utf8(bytes).map_err(|_| cannot(&"the file is not UTF-8"))?;
    Ok(SecretString::from(text))
}
