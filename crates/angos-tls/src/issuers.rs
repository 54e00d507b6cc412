//! Which of the certificates a client sent can matter for its path: what keeps the search for one short.
//!
//! webpki tries every path through all certificates it is given, within a budget of steps and not of time. Ten of one
//! name among a hundred others, none of them signed by anybody, take seconds; and whoever reaches the port can send
//! them. So it is given those only that a path can lead through, and no labyrinth of them.

use std::collections::BTreeSet;

use rustls_pki_types::CertificateDer;
use webpki::EndEntityCert;

use crate::failure_class::FailureClass;
use crate::limits;
use crate::refusal::Refusal;

/// Those of `offered` that lie on a path up from `leaf` as far as names tell, each once, in the order they came. Those
/// that cannot be read stay, so that the refusal can speak of them.
pub(crate) fn possible<'a>(
    leaf: &EndEntityCert<'_>,
    offered: &'a [CertificateDer<'_>],
) -> Result<Vec<CertificateDer<'a>>, Refusal> {
    let mut seen = BTreeSet::new();
    let offered: Vec<_> = offered
        .iter()
        .filter(|&der| seen.insert(der.as_ref()))
        .map(|der| (CertificateDer::from(der.as_ref()), EndEntityCert::try_from(der).ok()))
        .collect();
    let readable = || offered.iter().filter_map(|(_, entity)| entity.as_ref());

    let mut subjects = BTreeSet::new();
    let mut wanted = vec![leaf.issuer()];
    while let Some(subject) = wanted.pop() {
        if !subjects.insert(subject) {
            continue;
        }
        let namesakes = readable().filter(|entity| entity.subject() == subject);
        let before = wanted.len();
        wanted.extend(namesakes.map(|entity| entity.issuer()));
        if wanted.len() - before > limits::SAME_SUBJECT_MAX {
            return Err(too_many_paths());
        }
    }
    let matters = |entity: &Option<EndEntityCert<'_>>| {
        entity.as_ref().is_none_or(|entity| subjects.contains(entity.subject()))
    };
    let kept: Vec<_> =
        offered.iter().filter(|(_, entity)| matters(entity)).map(|(der, _)| der.clone()).collect();
    if kept.len() > limits::POSSIBLE_ISSUERS_MAX { Err(too_many_paths()) } else { Ok(kept) }
}

fn too_many_paths() -> Refusal {
    Refusal::new(FailureClass::BadCertificate, "too many paths lead through the intermediates that were sent")
}

#[cfg(test)]
mod tests {
    use angos_test_ca::{Authority, Leaf};

    use super::*;

    fn check(leaf: &Authority, offered: &[&Authority], expected: Option<&[usize]>) {
        let leaf = CertificateDer::from(leaf.issue(&Leaf::client("alice")).certificate_der);
        let leaf = EndEntityCert::try_from(&leaf).unwrap();
        let offered: Vec<_> = offered.iter().map(|it| CertificateDer::from(it.certificate_der())).collect();
        let kept = possible(&leaf, &offered).ok();
        let expected = expected.map(|places| places.iter().map(|place| offered[*place].clone()).collect());
        assert_eq!(kept, expected);
    }

    #[test]
    fn what_lies_on_no_path_is_left_out() {
        let [root, stranger] = ["Root", "Stranger"].map(Authority::new);
        let upper = root.intermediate("Upper");
        let lower = upper.intermediate("Lower");
        check(&lower, &[], Some(&[]));
        check(&lower, &[&lower, &upper], Some(&[0, 1]));
        check(&lower, &[&upper, &stranger, &lower, &root], Some(&[0, 2, 3]));
        check(&lower, &[&lower, &upper, &lower, &lower], Some(&[0, 1]));
        check(&lower, &[&upper, &stranger], Some(&[]));
    }

    #[test]
    fn labyrinths_are_refused() {
        let root = Authority::new("Root");
        let namesakes: Vec<_> = (0..=limits::SAME_SUBJECT_MAX).map(|_| root.intermediate("CA")).collect();
        let namesakes: Vec<_> = namesakes.iter().collect();
        check(namesakes[0], &namesakes, None);
        check(namesakes[0], &namesakes[1..], Some(&[0, 1, 2, 3]));
        check(&root, &namesakes, Some(&[]));
        let mut tower = vec![root];
        for number in 0..=limits::POSSIBLE_ISSUERS_MAX {
            tower.push(tower[number].intermediate(&format!("CA {number}")));
        }
        let tower: Vec<_> = tower.iter().skip(1).collect();
        check(tower[tower.len() - 1], &tower, None);
    }

    #[test]
    fn what_cannot_be_read_stays() {
        let root = Authority::new("Root");
        let leaf = CertificateDer::from(root.issue(&Leaf::client("alice")).certificate_der);
        let leaf = EndEntityCert::try_from(&leaf).unwrap();
        let offered = [CertificateDer::from(b"nonsense".to_vec())];
        assert_eq!(possible(&leaf, &offered).unwrap(), offered);
    }
}
