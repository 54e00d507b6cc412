//! Collects one figure a round and server, and prints medians and round-by-round ratios.

use std::collections::BTreeMap;

/// The figures of one workload: server name to one figure a round.
pub(crate) struct Table {
    title: String,
    unit: &'static str,
    rounds: BTreeMap<&'static str, Vec<f64>>,
    order: Vec<&'static str>,
}

impl Table {
    pub(crate) fn new(title: &str, unit: &'static str) -> Self {
        Table { title: title.to_owned(), unit, rounds: BTreeMap::new(), order: Vec::new() }
    }

    pub(crate) fn add(&mut self, server: &'static str, figure: f64) {
        if !self.order.contains(&server) {
            self.order.push(server);
        }
        self.rounds.entry(server).or_default().push(figure);
    }

    pub(crate) fn print(&self) {
        println!("\n{} ({})", self.title, self.unit);
        let ours = &self.rounds[self.order[0]];
        for server in &self.order {
            let figures = &self.rounds[server];
            let ratios: Vec<f64> = ours.iter().zip(figures).map(|(a, b)| a / b).collect();
            let (low, high) = spread(figures);
            print!("  {server:<18} {:>9.2}   [{low:.2} … {high:.2}]", median(figures));
            if *server == self.order[0] {
                println!();
            } else {
                println!("   angos is {:.2} ×", median(&ratios));
            }
        }
    }
}

/// The costs of one thing in three ways, and the rate of the first as a share of the second's.
pub(crate) struct Ratios {
    title: String,
    names: [&'static str; 3],
    target: f64,
    rounds: Vec<[f64; 3]>,
}

impl Ratios {
    pub(crate) fn new(title: &str, names: [&'static str; 3], target: f64) -> Self {
        Ratios { title: title.to_owned(), names, target, rounds: Vec::new() }
    }

    pub(crate) fn add(&mut self, round: [f64; 3]) {
        self.rounds.push(round);
    }

    pub(crate) fn print(&self) {
        println!("\n{} (µs of the server)", self.title);
        for (place, name) in self.names.iter().enumerate() {
            let figures: Vec<f64> = self.rounds.iter().map(|round| round[place]).collect();
            let (low, high) = spread(&figures);
            println!("  {name:<18} {:>9.2}   [{low:.2} … {high:.2}]", median(&figures));
        }
        let shares: Vec<f64> = self.rounds.iter().map(|[ours, theirs, _]| theirs / ours).collect();
        let (low, high) = spread(&shares);
        let (share, target) = (median(&shares), self.target);
        let verdict = if share >= target { "reached" } else { "MISSED" };
        println!(
            "  rate: {share:.2} of {}   [{low:.2} … {high:.2}]   target {target:.2}: {verdict}",
            self.names[1]
        );
    }
}

fn median(figures: &[f64]) -> f64 {
    let mut sorted = figures.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[sorted.len() / 2]
}

fn spread(figures: &[f64]) -> (f64, f64) {
    let low = figures.iter().copied().fold(f64::INFINITY, f64::min);
    let high = figures.iter().copied().fold(0.0, f64::max);
    (low, high)
}
