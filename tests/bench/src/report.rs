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

/// The costs of one thing in three ways, slice by slice, and the rate of the first as a share of the second's.
pub(crate) struct Shares {
    title: String,
    names: [&'static str; 3],
    target: f64,
    slices: Vec<[f64; 3]>,
}

impl Shares {
    pub(crate) fn new(title: &str, names: [&'static str; 3], target: f64) -> Self {
        Shares { title: title.to_owned(), names, target, slices: Vec::new() }
    }

    pub(crate) fn add(&mut self, slice: [f64; 3]) {
        self.slices.push(slice);
    }

    pub(crate) fn print(&self) {
        println!("\n{} (µs of the server: median [quartiles], least of {})", self.title, self.slices.len());
        for (place, name) in self.names.iter().enumerate() {
            let costs: Vec<f64> = self.slices.iter().map(|slice| slice[place]).collect();
            let (low, high) = quartiles(&costs);
            let least = spread(&costs).0;
            println!("  {name:<18} {:>7.1}   [{low:.1} … {high:.1}]   least {least:.1}", median(&costs));
        }
        let target = self.target;
        let share = self.share(0);
        let verdict = if share >= target { "reached" } else { "MISSED" };
        println!("  rate of {}: {}   target {target:.2}: {verdict}", self.names[0], self.shares(0));
        println!("  rate of {}: {}", self.names[2], self.shares(2));
    }

    /// The rate of one way as a share of the second's, in the median over the slices: what disturbs a slice disturbs
    /// both.
    fn share(&self, place: usize) -> f64 {
        median(&self.each(place))
    }

    fn shares(&self, place: usize) -> String {
        let (low, high) = quartiles(&self.each(place));
        format!("{:.2} of {}   [{low:.2} … {high:.2}]", self.share(place), self.names[1])
    }

    fn each(&self, place: usize) -> Vec<f64> {
        self.slices.iter().map(|slice| slice[1] / slice[place]).collect()
    }
}

fn median(figures: &[f64]) -> f64 {
    let sorted = sorted(figures);
    sorted[sorted.len() / 2]
}

/// Half of the figures lie between these.
fn quartiles(figures: &[f64]) -> (f64, f64) {
    let sorted = sorted(figures);
    (sorted[sorted.len() / 4], sorted[sorted.len() * 3 / 4])
}

fn sorted(figures: &[f64]) -> Vec<f64> {
    let mut sorted = figures.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted
}

fn spread(figures: &[f64]) -> (f64, f64) {
    let low = figures.iter().copied().fold(f64::INFINITY, f64::min);
    let high = figures.iter().copied().fold(0.0, f64::max);
    (low, high)
}
