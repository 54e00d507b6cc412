//! A model of garbage collection: one blob, two repositories, pushes, a mount, deletions, two collectors and a crash, in
//! every order of their steps.
//!
//! The steps are those of `push.rs`, `blobs.rs`, `uploads.rs` and `collect/removal.rs`. A switch of the model removes one
//! protection at a time; each must then be missed. `docs/explanation/garbage-collection.md` numbers the invariants.

#![allow(clippy::indexing_slicing, reason = "test code")]

use stateright::{Checker, HasDiscoveries, Model, Property};

const A: usize = 0;
const B: usize = 1;

/// What is left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Without {
    Nothing,
    /// A push does not look for the mark in its batch.
    MarkCheck,
    /// A push does not write the candidate key.
    CandidateWrite,
    /// A collector marks although the candidate key was written since it looked.
    CandidateCas,
    /// A collector does not look for publishers.
    PublisherCheck,
    /// A publisher does not wait for the mark before it publishes.
    PublisherWait,
    /// A manifest does not require its blobs in its batch.
    OwnershipCheck,
    /// A collector removes what became garbage after it looked, too.
    ExaminedSet,
    /// Deleting a blob does not compare the candidate key.
    DeleteCas,
    /// A collector does not wait for batches under way, on an engine whose batches are not atomic.
    Fence,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Kind {
    Pusher,
    Mounter,
    Deleter,
    Collector,
}

/// Who takes part, in each scenario. A second pusher uploads the same blob again.
const SCENARIOS: [&[Kind]; 4] = [
    &[Kind::Pusher, Kind::Deleter, Kind::Collector, Kind::Collector],
    &[Kind::Pusher, Kind::Pusher, Kind::Collector],
    &[Kind::Pusher, Kind::Mounter, Kind::Deleter, Kind::Collector],
    &[Kind::Pusher, Kind::Pusher, Kind::Deleter, Kind::Collector],
];

/// What a process knows of the candidate key it read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Seen {
    Absent,
    Current,
    Stale,
}

#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Process {
    kind: Kind,
    step: u8,
    /// How many operations of the current batch are applied, on an engine whose batches are not atomic.
    applied: u8,
    seen: Seen,
    pinned: bool,
    /// Whether it holds the right to collect the digest.
    collecting: bool,
    /// What was found when the candidate was examined.
    unneeded: [bool; 2],
    needed: bool,
    /// Whether the grace time has passed since its last batch that was applied wrote the candidate key.
    aged: bool,
    /// The same for its last batch, applied or not.
    batch_aged: bool,
    failed_early: bool,
}

const END: u8 = 99;

#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
struct State {
    bytes: bool,
    /// The candidate key: whether the grace time has passed.
    candidate: Option<bool>,
    mark: bool,
    owner: [bool; 2],
    ownership: [bool; 2],
    reference: [bool; 2],
    /// Manifests that were acknowledged and that no request deletes.
    acknowledged: [bool; 2],
    processes: Vec<Process>,
    crashes_left: u8,
    ages_left: u8,
    removed_fresh: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Action {
    Step(usize),
    /// The grace time passes.
    Age,
    Crash,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operation {
    WriteCandidate,
    RequireNoMark,
    RequireOwnership(usize),
    AddOwner(usize),
    AddOwnership(usize),
    AddReference(usize),
    RemoveReference(usize),
    RemoveOwnership(usize),
    RemoveOwner(usize),
    CreateMark,
    /// Conflicts if the candidate key was written since this process read it.
    CompareCandidate,
    /// Removes the candidate key if it was not written since the mark; never conflicts.
    EndCandidate,
    RemoveMark,
}

struct Collection {
    kinds: &'static [Kind],
    is_atomic: bool,
    without: Without,
    ages: u8,
}

impl State {
    fn write_candidate(&mut self) {
        self.candidate = Some(false);
        self.outdate();
    }

    fn outdate(&mut self) {
        // Others do not compare it.
        for process in &mut self.processes {
            if matches!(process.kind, Kind::Deleter | Kind::Collector) {
                process.seen = Seen::Stale;
            }
        }
    }

    fn is_abandoned(&self) -> bool {
        self.mark && !self.processes.iter().any(|process| process.collecting)
    }

    /// Waits for a collector: removes the mark of a process that ended. True if the blob has no mark now.
    fn mark_is_gone(&mut self) -> bool {
        if self.is_abandoned() {
            self.mark = false;
        }
        !self.mark
    }
}

impl Collection {
    /// Applies one operation; `false` for a conflict.
    fn apply(&self, state: &mut State, me: usize, operation: Operation) -> bool {
        match operation {
            Operation::WriteCandidate => {
                state.processes[me].batch_aged = false;
                if self.without != Without::CandidateWrite {
                    state.write_candidate();
                }
            }
            Operation::RequireNoMark => return !state.mark || self.without == Without::MarkCheck,
            Operation::RequireOwnership(name) => {
                return state.ownership[name] || self.without == Without::OwnershipCheck;
            }
            Operation::AddOwner(name) => state.owner[name] = true,
            Operation::AddOwnership(name) => state.ownership[name] = true,
            Operation::AddReference(name) => state.reference[name] = true,
            Operation::RemoveReference(name) => state.reference[name] = false,
            Operation::RemoveOwnership(name) => state.ownership[name] = false,
            Operation::RemoveOwner(name) => state.owner[name] = false,
            Operation::CreateMark if state.mark => return false,
            Operation::CreateMark => state.mark = true,
            Operation::CompareCandidate => {
                let is_same = match state.processes[me].seen {
                    Seen::Absent => state.candidate.is_none(),
                    Seen::Current => state.candidate.is_some(),
                    Seen::Stale => false,
                };
                let is_collector = state.processes[me].kind == Kind::Collector;
                let ignored = if is_collector { Without::CandidateCas } else { Without::DeleteCas };
                if !is_same && self.without != ignored {
                    return false;
                }
                // A collector writes the age it found; a deletion starts the grace time.
                let age = is_collector && state.candidate.unwrap_or(true);
                state.write_candidate();
                state.candidate = Some(age);
                state.processes[me].seen = Seen::Current;
            }
            Operation::EndCandidate => {
                if state.processes[me].seen == Seen::Current {
                    state.candidate = None;
                    state.outdate();
                }
            }
            Operation::RemoveMark => state.mark = false,
        }
        true
    }

    /// Runs a batch, whole or one operation at a time. `Some`: it has ended, and whether it was applied.
    fn batch(&self, state: &mut State, me: usize, batch: &[Operation]) -> Option<bool> {
        if self.is_atomic {
            let mut changed = state.clone();
            let holds = batch.iter().all(|operation| self.apply(&mut changed, me, *operation));
            if holds {
                *state = changed;
            }
            return Some(holds);
        }
        let position = usize::from(state.processes[me].applied);
        let holds = batch.get(position).is_none_or(|operation| self.apply(state, me, *operation));
        if holds && position + 1 < batch.len() {
            state.processes[me].applied += 1;
            return None;
        }
        state.processes[me].applied = 0;
        if !holds && batch.first() == Some(&Operation::CreateMark) && position > 0 {
            state.mark = false;
        }
        Some(holds)
    }

    /// One step of a process; `false` if it has to wait.
    fn step(&self, state: &mut State, me: usize) -> bool {
        match state.processes[me].kind {
            Kind::Pusher => self.push(state, me),
            Kind::Mounter => self.mount(state, me),
            Kind::Deleter => self.delete(state, me),
            Kind::Collector => self.collect(state, me),
        }
    }

    /// Goes on with a batch: to `applied` or, after a conflict, to `conflict`.
    fn run(&self, state: &mut State, me: usize, batch: &[Operation], applied: u8, conflict: u8) -> bool {
        if let Some(holds) = self.batch(state, me, batch) {
            state.processes[me].step = if holds { applied } else { conflict };
            if holds {
                state.processes[me].aged = state.processes[me].batch_aged;
            }
        }
        true
    }

    fn push(&self, state: &mut State, me: usize) -> bool {
        use Operation as Op;
        let next = |state: &mut State, step| state.processes[me].step = step;
        match state.processes[me].step {
            0 => {
                state.processes[me].pinned = true;
                next(state, if self.without == Without::PublisherWait { 2 } else { 1 });
            }
            1 => {
                if !state.mark_is_gone() {
                    return false;
                }
                next(state, 2);
            }
            2 => {
                state.bytes = true;
                next(state, 3);
            }
            3 => {
                let batch = [Op::WriteCandidate, Op::RequireNoMark, Op::AddOwner(A), Op::AddOwnership(A)];
                return self.run(state, me, &batch, 5, 4);
            }
            4 => {
                if !state.mark_is_gone() {
                    return false;
                }
                next(state, 3);
            }
            5 => {
                state.processes[me].pinned = false;
                next(state, 6);
            }
            _ => return self.push_manifest(state, me, A, 6),
        }
        true
    }

    /// Steps `first` to `first + 3`: look, commit, acknowledge, wait.
    fn push_manifest(&self, state: &mut State, me: usize, name: usize, first: u8) -> bool {
        use Operation as Op;
        match state.processes[me].step - first {
            0 if state.ownership[name] && state.bytes => state.processes[me].step = first + 1,
            0 => {
                // The blob was acknowledged: it may be missing only after a deletion by a client, or its grace time.
                let deletes = |process: &Process| process.kind == Kind::Deleter && process.step > 0;
                let was_deleted = name == A && state.processes.iter().any(deletes);
                state.processes[me].failed_early = !state.processes[me].aged && !was_deleted;
                state.processes[me].step = END;
            }
            1 => {
                let batch = [
                    Op::WriteCandidate,
                    Op::RequireNoMark,
                    Op::RequireOwnership(name),
                    Op::AddReference(name),
                ];
                return self.run(state, me, &batch, first + 2, first + 3);
            }
            2 => {
                // A deletion that began meanwhile may have removed it already.
                state.acknowledged[name] = state.reference[name];
                state.processes[me].step = END;
            }
            _ => {
                if !state.mark_is_gone() {
                    return false;
                }
                state.processes[me].step = first;
            }
        }
        true
    }

    fn mount(&self, state: &mut State, me: usize) -> bool {
        use Operation as Op;
        match state.processes[me].step {
            0 => state.processes[me].step = if state.ownership[A] && state.bytes { 1 } else { return false },
            1 => {
                let batch = [
                    Op::WriteCandidate,
                    Op::RequireNoMark,
                    Op::RequireOwnership(A),
                    Op::AddOwner(B),
                    Op::AddOwnership(B),
                ];
                return self.run(state, me, &batch, 2, END);
            }
            _ => return self.push_manifest(state, me, B, 2),
        }
        true
    }

    fn delete(&self, state: &mut State, me: usize) -> bool {
        use Operation as Op;
        match state.processes[me].step {
            0 if !state.reference[A] => return false,
            0 | 1 => {
                state.acknowledged[A] = false;
                state.processes[me].step = 1;
                return self.run(state, me, &[Op::WriteCandidate, Op::RemoveReference(A)], 2, 2);
            }
            2 => {
                if !state.mark_is_gone() || state.processes.iter().any(|process| process.collecting) {
                    return false;
                }
                let seen = if state.candidate.is_some() { Seen::Current } else { Seen::Absent };
                state.processes[me].collecting = true;
                state.processes[me].seen = seen;
                state.processes[me].step = 3;
            }
            3 => {
                let refused = state.reference[A];
                state.processes[me].collecting = !refused;
                state.processes[me].step = if refused { END } else { 4 };
            }
            4 if self.is_atomic => {
                let batch = [
                    Op::CreateMark,
                    Op::CompareCandidate,
                    Op::RemoveOwnership(A),
                    Op::RemoveOwner(A),
                    Op::RemoveMark,
                ];
                self.run(state, me, &batch, END, 2);
                state.processes[me].collecting = false;
            }
            4 => {
                self.run(state, me, &[Op::CreateMark, Op::CompareCandidate], 5, 2);
                if state.processes[me].step == 2 {
                    state.processes[me].collecting = false;
                }
            }
            5 => {
                if state.processes.iter().any(|process| process.applied > 0) {
                    return false;
                }
                state.processes[me].step = if state.reference[A] { 7 } else { 6 };
            }
            step => {
                let batch = [Op::RemoveOwnership(A), Op::RemoveOwner(A), Op::RemoveMark];
                self.run(state, me, if step == 6 { &batch } else { &batch[2..] }, END, END);
                if state.processes[me].step == END {
                    state.processes[me].collecting = false;
                }
            }
        }
        true
    }

    #[expect(clippy::too_many_lines, reason = "one script, step by step")]
    fn collect(&self, state: &mut State, me: usize) -> bool {
        use Operation as Op;
        match state.processes[me].step {
            0 => {
                if state.is_abandoned() {
                    state.mark = false;
                    if state.candidate.is_none() {
                        state.write_candidate();
                    }
                } else if state.candidate == Some(true) {
                    state.processes[me].seen = Seen::Current;
                    state.processes[me].step = 1;
                } else {
                    return false;
                }
            }
            1 => {
                let needed = (0..2).any(|name| state.owner[name] && state.reference[name]);
                let unneeded = [A, B].map(|name| state.owner[name] && !state.reference[name]);
                state.processes[me].needed = needed;
                state.processes[me].unneeded = unneeded;
                state.processes[me].step = if needed && unneeded == [false; 2] { 9 } else { 2 };
            }
            2 => {
                if state.processes.iter().any(|process| process.collecting) {
                    return false;
                }
                state.processes[me].collecting = true;
                state.processes[me].step = 3;
            }
            3 => {
                self.run(state, me, &[Op::CreateMark, Op::CompareCandidate], 4, END);
                if state.processes[me].step == END {
                    state.processes[me].collecting = false;
                }
            }
            4 => {
                // The fence: every batch that began before the mark has ended.
                if self.without != Without::Fence && state.processes.iter().any(|process| process.applied > 0)
                {
                    return false;
                }
                let is_pinned = state.processes.iter().any(|process| process.pinned);
                let keep = is_pinned && self.without != Without::PublisherCheck;
                state.processes[me].step = if keep { 8 } else { 5 };
            }
            5 => {
                let process = state.processes[me];
                let found = [A, B].map(|name| state.owner[name] && !state.reference[name]);
                let removable = if self.without == Without::ExaminedSet { found } else { process.unneeded };
                let removed = [A, B].map(|name| found[name] && removable[name]);
                // What an owner was promised since the candidate was examined.
                state.removed_fresh |= (0..2).any(|name| removed[name] && !process.unneeded[name]);
                let is_needed = (0..2).any(|name| state.owner[name] && state.reference[name]);
                state.processes[me].needed |= is_needed || found != removed;
                state.processes[me].unneeded = removed;
                state.processes[me].step = 6;
            }
            6 => {
                let unneeded = state.processes[me].unneeded;
                for name in [A, B].into_iter().filter(|name| unneeded[*name]) {
                    self.apply(state, me, Op::RemoveOwnership(name));
                    self.apply(state, me, Op::RemoveOwner(name));
                }
                state.processes[me].step = if state.processes[me].needed { 8 } else { 7 };
            }
            7 => {
                state.bytes = false;
                state.processes[me].step = 8;
            }
            8 => {
                self.run(state, me, &[Op::EndCandidate, Op::RemoveMark], END, END);
                if state.processes[me].step == END {
                    state.processes[me].collecting = false;
                }
            }
            _ => return self.run(state, me, &[Op::CompareCandidate, Op::EndCandidate], END, END),
        }
        true
    }
}

impl Model for Collection {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        let processes = self.kinds.iter().map(|kind| Process::new(*kind)).collect();
        vec![State { processes, crashes_left: 1, ages_left: self.ages, ..State::default() }]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        let live = (0..state.processes.len()).filter(|process| state.processes[*process].step != END);
        actions.extend(live.map(Action::Step));
        if state.ages_left > 0 && state.candidate == Some(false) {
            actions.push(Action::Age);
        }
        if state.crashes_left > 0 && state.processes.iter().any(|process| process.step > 0) {
            actions.push(Action::Crash);
        }
    }

    fn next_state(&self, last: &State, action: Action) -> Option<State> {
        let mut state = last.clone();
        match action {
            Action::Step(process) => {
                if !self.step(&mut state, process) {
                    return None;
                }
            }
            Action::Age => {
                state.ages_left -= 1;
                state.candidate = Some(true);
                for process in &mut state.processes {
                    process.aged = true;
                    process.batch_aged = true;
                }
            }
            Action::Crash => {
                state.crashes_left -= 1;
                for process in &mut state.processes {
                    // Collectors start again; a request that had begun is lost.
                    let starts = process.step == 0 || process.kind == Kind::Collector;
                    *process = Process { step: if starts { 0 } else { END }, ..Process::new(process.kind) };
                }
            }
        }
        Some(state)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always("1: owned bytes are there", |_, state: &State| {
                (0..2).all(|name| !state.ownership[name] || (state.bytes && state.owner[name]))
            }),
            Property::always("2: what an acknowledged manifest references is owned", |_, state: &State| {
                (0..2).all(|name| {
                    !state.acknowledged[name]
                        || (state.reference[name] && state.ownership[name] && state.bytes)
                })
            }),
            Property::always("3: nothing goes before its grace time", |_, state: &State| {
                !state.removed_fresh && !state.processes.iter().any(|process| process.failed_early)
            }),
            Property::sometimes("4: garbage goes", |_, state: &State| {
                let is_done = |process: &Process| process.kind == Kind::Collector && process.step == 8;
                let collected = state.processes.iter().any(is_done);
                collected && !state.bytes && state.candidate == Some(true)
            }),
        ]
    }
}

impl Process {
    fn new(kind: Kind) -> Self {
        Self {
            kind,
            step: 0,
            applied: 0,
            seen: Seen::Absent,
            pinned: false,
            collecting: false,
            unneeded: [false; 2],
            needed: false,
            aged: false,
            batch_aged: false,
            failed_early: false,
        }
    }
}

/// The first invariant that is broken, with the steps to it.
fn broken(is_atomic: bool, without: Without) -> Option<String> {
    SCENARIOS.into_iter().find_map(|kinds| {
        let model = Collection { kinds, is_atomic, without, ages: 2 };
        let checker = model.checker().finish_when(HasDiscoveries::AnyFailures).spawn_bfs().join();
        let mut found = checker.discoveries();
        let collects = found.remove("4: garbage goes").is_some();
        assert!(collects || without != Without::Nothing, "nothing is collected");
        let (property, path) = found.into_iter().next()?;
        let (last, steps) = (path.last_state().clone(), path.into_actions());
        Some(format!("{property}: {steps:?}\n{last:#?}"))
    })
}

#[test]
fn the_protocol_holds_on_an_engine_with_atomic_batches() {
    assert_eq!(broken(true, Without::Nothing), None);
}

#[test]
fn the_protocol_holds_on_an_engine_without_atomic_batches() {
    assert_eq!(broken(false, Without::Nothing), None);
}

/// Each protection is needed: without it the model finds steps that break an invariant.
#[test]
fn each_protection_is_missed() {
    let rows = [
        (true, Without::MarkCheck),
        (true, Without::CandidateWrite),
        (true, Without::CandidateCas),
        (true, Without::PublisherCheck),
        (true, Without::PublisherWait),
        (true, Without::OwnershipCheck),
        (true, Without::ExaminedSet),
        (true, Without::DeleteCas),
        (false, Without::Fence),
    ];
    let useless: Vec<Without> = rows
        .iter()
        .filter(|(is_atomic, without)| broken(*is_atomic, *without).is_none())
        .map(|row| row.1)
        .collect();
    assert_eq!(useless, []);
}
