//! The client authorities: names, bundles and demands.

use rustls::crypto::WebPkiSupportedAlgorithms;

use super::Loading;
use crate::authorities::{self, Anchor, Authority};
use crate::expiry::ExpiryKind;
use crate::limits;
use crate::load_error::{LoadError, Problem};
use crate::pem;
use crate::settings::{AuthoritySetting, ClientAuth, ClientAuthority, Clients, Setting};
use crate::warning::Concern;

impl Loading<'_> {
    pub(super) fn client_authorities(&mut self, algorithms: &WebPkiSupportedAlgorithms) -> Vec<Authority> {
        let Clients { auth, authorities: written } = &self.settings.clients;
        if written.is_empty() && *auth != ClientAuth::None {
            let problem = Problem::NoClientAuthorities;
            self.errors.push(LoadError::in_setting(Setting::ClientAuth, problem));
        }
        let mut authorities: Vec<Authority> = Vec::new();
        let mut names: Vec<&str> = Vec::new();
        for (place, written) in written.iter().enumerate() {
            self.check_name(place, written, &mut names);
            self.check_trust_domain(place, written);
            if written.crls.as_ref().is_some_and(Vec::is_empty) {
                let setting = Setting::ClientAuthority(place, AuthoritySetting::AllCrls);
                self.errors.push(LoadError::in_setting(setting, Problem::NoRevocationLists));
            }
            let Some(mut anchors) = self.anchors(place, written) else { continue };
            let setting = Setting::ClientAuthority(place, AuthoritySetting::Bundle);
            for other in &authorities {
                if let Some((position, subject)) = authorities::shared(&anchors, &other.anchors) {
                    let other = match &other.name {
                        Some(name) => format!("the client authority \"{name}\""),
                        None => "the client authority without a name".to_owned(),
                    };
                    let problem = Problem::SharedAuthority { position, subject, other };
                    self.errors.push(LoadError::in_file(setting, &written.bundle, problem));
                }
            }
            let lists = written.crls.as_deref();
            let lists = lists.map(|paths| self.lists(place, paths, &anchors, algorithms));
            if let Some(lists) = &lists {
                self.drop_revoked(place, written, &mut anchors, lists);
            }
            let (name, spiffe_trust_domain) = (written.name.clone(), written.spiffe_trust_domain.clone());
            authorities.push(Authority { name, spiffe_trust_domain, anchors, lists });
        }
        let count: usize = authorities.iter().map(|authority| authority.anchors.len()).sum();
        if count > limits::CLIENT_AUTHORITIES_MAX {
            let place = authorities.len().saturating_sub(1);
            let setting = Setting::ClientAuthority(place, AuthoritySetting::Bundle);
            self.errors.push(LoadError::in_setting(setting, Problem::TooManyAuthorities));
        }
        authorities
    }

    fn check_name<'n>(&mut self, place: usize, written: &'n ClientAuthority, names: &mut Vec<&'n str>) {
        let Some(name) = written.name.as_deref() else { return };
        let setting = Setting::ClientAuthority(place, AuthoritySetting::Name);
        let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        if name.is_empty() || name.len() > limits::AUTHORITY_NAME_MAX_BYTES || !name.bytes().all(allowed) {
            self.errors.push(LoadError::in_setting(setting, Problem::BadAuthorityName));
        } else if names.contains(&name) {
            self.errors.push(LoadError::in_setting(setting, Problem::RepeatedAuthorityName));
        }
        names.push(name);
    }

    /// The characters a trust domain may have, by the SPIFFE ID specification, §2.1.
    fn check_trust_domain(&mut self, place: usize, written: &ClientAuthority) {
        let Some(domain) = written.spiffe_trust_domain.as_deref() else { return };
        let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b".-_".contains(&byte);
        if domain.is_empty() || domain.len() > 255 || !domain.bytes().all(allowed) {
            let setting = Setting::ClientAuthority(place, AuthoritySetting::SpiffeTrustDomain);
            self.errors.push(LoadError::in_setting(setting, Problem::BadTrustDomain));
        }
    }

    fn anchors(&mut self, place: usize, written: &ClientAuthority) -> Option<Vec<Anchor>> {
        let (setting, file) = (Setting::ClientAuthority(place, AuthoritySetting::Bundle), &written.bundle);
        let bytes = self.note(setting, file, pem::read(self.files, file))?;
        match authorities::parse(&bytes) {
            Ok(anchors) => {
                let concerns = [Concern::AuthorityExpired, Concern::AuthorityNotYetValid];
                for (anchor, position) in anchors.iter().zip(1..) {
                    let validity = (anchor.not_before, anchor.not_after);
                    self.note_validity(setting, file, position, &anchor.subject, validity, concerns);
                    let subject = anchor.subject.clone();
                    let (kind, at) = (ExpiryKind::ClientAuthority, anchor.not_after);
                    self.note_expiry(kind, file, subject, at, anchor.digest);
                }
                Some(anchors)
            }
            Err(problems) => {
                let errors = problems.into_iter().map(|problem| LoadError::in_file(setting, file, problem));
                self.errors.extend(errors);
                None
            }
        }
    }
}
