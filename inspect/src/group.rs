//! Threads that are alike: in the same state, waiting for the same kind of thing and, where
//! it is known, the same holder of a lock, at the same place in their code.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use crate::cause::{self, Kind};
use crate::report::Report;
use crate::symbols::Symbols;
use crate::threads::{State, WaitsFor};

/// Threads that are alike.
pub struct Group {
    /// Their places among the report's threads; at least one.
    pub members: Vec<usize>,
    pub kind: Kind,
}

impl Group {
    /// The groups of all threads of `report`, the largest first; those of one size in the order of their first threads.
    pub fn all(report: &Report<'_>, symbols: &mut Symbols<'_>) -> Vec<Group> {
        let mut kinds: BTreeMap<(State, Kind, Option<u32>, u32), usize> = BTreeMap::new();
        let mut groups: Vec<Group> = Vec::new();
        for place in 0..report.threads.len() {
            let kind = Self::kind(report, place, symbols);
            let thread = &report.threads[place];
            let holder = match thread.waits_for {
                WaitsFor::Lock { owner, .. } => owner,
                _ => None,
            };
            let key = (thread.state, kind, holder, report.backtraces.of[place]);
            let group = *kinds.entry(key).or_insert_with(|| {
                groups.push(Group { members: Vec::new(), kind });
                groups.len() - 1
            });
            groups[group].members.push(place);
        }
        groups.sort_by_key(|group| core::cmp::Reverse(group.members.len()));
        groups
    }

    /// Each thread by itself.
    pub fn single(report: &Report<'_>, symbols: &mut Symbols<'_>) -> Vec<Group> {
        let places = 0..report.threads.len();
        places.map(|place| Group { members: Vec::from([place]), kind: Self::kind(report, place, symbols) }).collect()
    }

    fn kind(report: &Report<'_>, place: usize, symbols: &mut Symbols<'_>) -> Kind {
        const INNERMOST: usize = 8;
        let frames = report.backtraces.of(place).frames.iter().take(INNERMOST);
        let places: Vec<_> = frames.map(|frame| symbols.place(frame)).collect();
        let names = places.iter().flat_map(|place| &place.functions).filter_map(|function| function.name.as_deref());
        cause::kind(&report.threads[place], names)
    }
}
