//! How often stored bytes were found to be damaged, read from the registry when somebody scrapes.

use std::fmt;

use angos_registry::Damage;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;

/// The counts of one moment.
#[derive(Debug)]
pub(crate) struct DamageMetrics(pub(crate) Damage);

impl Collector for DamageMetrics {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let help = "Stored content found to be damaged and answered as missing, by what is wrong with it";
        let mut family = encoder.encode_descriptor("damaged_content", help, None, MetricType::Counter)?;
        let Damage { missing, length, content } = self.0;
        for (damage, count) in [("missing", missing), ("length", length), ("content", content)] {
            ConstCounter::new(count).encode(family.encode_family(&[("damage", damage)])?)?;
        }
        Ok(())
    }
}
