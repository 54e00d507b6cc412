//! The client authorities: names, bundles and demands.

use rustls::crypto::WebPkiSupportedAlgorithms;

use super::Loading;
use crate::ca_bundle::{self, Anchor, CaBundle};
use crate::expiry::ExpiryKind;
use crate::limits;
use crate::load_error::{LoadError, Problem};
use crate::pem;
use crate::settings::{ClientAuth, ClientCa, ClientCaSetting, Clients, Setting};
use crate::warning::WarningKind;

impl Loading<'_> {
    pub(super) fn client_cas(&mut self, algorithms: &WebPkiSupportedAlgorithms) -> Vec<CaBundle> {
        let Clients { auth, cas: written } = &self.settings.clients;
        if written.is_empty() && *auth != ClientAuth::None {
            let problem = Problem::NoClientCas;
            self.errors.push(LoadError::in_setting(Setting::ClientAuth, problem));
        }
        let mut authorities: Vec<CaBundle> = Vec::new();
        let mut names: Vec<&str> = Vec::new();
        for (place, written) in written.iter().enumerate() {
            self.check_name(place, written, &mut names);
            self.check_trust_domain(place, written);
            if written.crls.as_ref().is_some_and(Vec::is_empty) {
                let setting = Setting::ClientCa(place, ClientCaSetting::AllCrls);
                self.errors.push(LoadError::in_setting(setting, Problem::NoCrls));
            }
            let Some(mut anchors) = self.anchors(place, written) else { continue };
            let setting = Setting::ClientCa(place, ClientCaSetting::Bundle);
            for other in &authorities {
                if let Some((position, subject)) = ca_bundle::shared(&anchors, &other.anchors) {
                    let other = match &other.name {
                        Some(name) => format!("the client authority \"{name}\""),
                        None => "the client authority without a name".to_owned(),
                    };
                    let problem = Problem::SharedCa { position, subject, other };
                    self.errors.push(LoadError::in_file(setting, &written.bundle, problem));
                }
            }
            let lists = written.crls.as_deref();
            let lists = lists.map(|paths| self.lists(place, paths, &anchors, algorithms));
            if let Some(lists) = &lists {
                self.drop_revoked(place, written, &mut anchors, lists);
            }
            let (name, spiffe_trust_domain) = (written.name.clone(), written.spiffe_trust_domain.clone());
            authorities.push(CaBundle { name, spiffe_trust_domain, anchors, lists });
        }
        let count: usize = authorities.iter().map(|authority| authority.anchors.len()).sum();
        if count > limits::CLIENT_CAS_MAX {
            let place = authorities.len().saturating_sub(1);
            let setting = Setting::ClientCa(place, ClientCaSetting::Bundle);
            self.errors.push(LoadError::in_setting(setting, Problem::TooManyCas));
        }
        authorities
    }

    fn check_name<'n>(&mut self, place: usize, written: &'n ClientCa, names: &mut Vec<&'n str>) {
        let Some(name) = written.name.as_deref() else { return };
        let setting = Setting::ClientCa(place, ClientCaSetting::Name);
        let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        if name.is_empty() || name.len() > limits::CA_NAME_MAX_BYTES || !name.bytes().all(allowed) {
            self.errors.push(LoadError::in_setting(setting, Problem::BadCaName));
        } else if names.contains(&name) {
            self.errors.push(LoadError::in_setting(setting, Problem::RepeatedCaName));
        }
        names.push(name);
    }

    /// The characters a trust domain may have, by the SPIFFE ID specification, §2.1.
    fn check_trust_domain(&mut self, place: usize, written: &ClientCa) {
        let Some(domain) = written.spiffe_trust_domain.as_deref() else { return };
        let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b".-_".contains(&byte);
        if domain.is_empty() || domain.len() > 255 || !domain.bytes().all(allowed) {
            let setting = Setting::ClientCa(place, ClientCaSetting::SpiffeTrustDomain);
            self.errors.push(LoadError::in_setting(setting, Problem::BadTrustDomain));
        }
    }

    fn anchors(&mut self, place: usize, written: &ClientCa) -> Option<Vec<Anchor>> {
        let (setting, file) = (Setting::ClientCa(place, ClientCaSetting::Bundle), &written.bundle);
        let bytes = self.note(setting, file, pem::read(self.files, file))?;
        match ca_bundle::parse(&bytes) {
            Ok(anchors) => {
                let concerns = [WarningKind::CaExpired, WarningKind::CaNotYetValid];
                for (anchor, position) in anchors.iter().zip(1..) {
                    let validity = (anchor.not_before, anchor.not_after);
                    self.note_validity(setting, file, position, &anchor.subject, validity, concerns);
                    let subject = anchor.subject.clone();
                    let (kind, at) = (ExpiryKind::ClientCa, anchor.not_after);
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
