//! Slots that come back clean, many slots in few mappings, and what happens where address space ends.

use super::super::chunk::{FIRST_SLOTS, Record, TABLE_REACH};
use super::super::reuse::{DIRTY_BYTES, DIRTY_SLOTS};
use super::super::{PAGE, Slot, StackArena};
use super::{
    KIB, MIB, PROT_RW, assert_guarded, fill, is_zero, map_stack, mappings, part_of_child, run_in_child, without_markers,
};
use crate::raw::{self, Errno, Sysno};
use linux_raw_sys::general::RLIMIT_AS;

#[test]
fn a_reused_slot_reads_as_zeros_and_has_the_new_guard() {
    for mut arena in [StackArena::new(), without_markers()] {
        let mut guard = 0;
        for next in [PAGE, PAGE, 4 * PAGE, 0, 2 * PAGE, PAGE] {
            let start = map_stack(&mut arena, 128 * KIB, guard);
            fill(start + guard, 128 * KIB - guard);
            assert_eq!(arena.unmap(start, 128 * KIB), Some(Ok(())));
            assert_eq!(arena.slot_of(start), None);
            arena.flush();
            assert_eq!(map_stack(&mut arena, 128 * KIB, next), start, "used slots before fresh ones");
            assert!(is_zero(start + next, 128 * KIB - next));
            assert_guarded(start, 128 * KIB, next);
            arena.unmap(start, 128 * KIB).unwrap().unwrap();
            arena.flush();
            guard = next;
        }
        let start = arena.map(128 * KIB, PROT_RW).unwrap();
        assert_guarded(start, 128 * KIB, 0);
    }
}

#[test]
fn unmapped_slots_wait_in_bounded_number_and_come_back_clean_in_order() {
    let mut arena = StackArena::new();
    let stacks: Vec<usize> = (0..200).map(|_| map_stack(&mut arena, 64 * KIB, PAGE)).collect();
    let capacity = arena.classes[0].slots;
    for (index, turn) in (0..200).map(|turn| turn * 77 % 200).enumerate() {
        fill(stacks[turn] + PAGE, 15 * PAGE);
        arena.unmap(stacks[turn], 64 * KIB).unwrap().unwrap();
        assert!(arena.dirty_count < DIRTY_SLOTS && arena.slot_of(stacks[turn]).is_none(), "after {index}");
    }
    assert!(arena.dirty_count > 0);
    let again: Vec<usize> = (0..capacity).map(|_| map_stack(&mut arena, 64 * KIB, PAGE)).collect();
    assert_eq!(arena.classes[0].slots, capacity, "dirty slots were used before a new chunk was made");
    assert!(again.iter().all(|start| is_zero(start + PAGE, 15 * PAGE)));
    assert!(again.iter().collect::<std::collections::BTreeSet<_>>().len() == capacity);
    let lowest = *again.iter().min().unwrap();
    arena.unmap(lowest, 128 * KIB).unwrap().unwrap();
    arena.flush();
    assert_eq!(arena.map(64 * KIB, 0), Ok(lowest));
    assert_eq!(arena.map(64 * KIB, 0), Ok(lowest + 64 * KIB));
    let large = arena.map(DIRTY_BYTES, 0).unwrap();
    arena.unmap(large, DIRTY_BYTES).unwrap().unwrap();
    assert_eq!((arena.dirty_count, arena.dirty_bytes), (0, 0), "a large slot does not wait");
}

#[test]
fn one_call_unmaps_more_slots_than_may_wait() {
    let mut arena = StackArena::new();
    let stacks: Vec<usize> = (0..1_000).map(|_| arena.map(64 * KIB, PROT_RW).unwrap()).collect();
    let chunk = arena.chunks.iter().max_by_key(|chunk| chunk.capacity).unwrap();
    let (base, len) = (chunk.base, chunk.end() - chunk.base);
    assert!(chunk.capacity > 3 * DIRTY_SLOTS);
    assert_eq!(arena.unmap(base, len), Some(Ok(())));
    let left = stacks.iter().filter(|start| arena.slot_of(**start).is_some()).count();
    assert_eq!(left, stacks.iter().filter(|start| !(base..base + len).contains(start)).count());
}

#[test]
fn sizes_mix_and_slots_never_overlap() {
    let mut arena = StackArena::new();
    let mut slots = std::collections::BTreeMap::new();
    for round in 0..5_000_usize {
        let len = [16 * KIB, 20 * KIB, 64 * KIB, MIB, 8 * MIB, 100 * KIB + 1][round * 31 % 6];
        let rounded = len.next_multiple_of(PAGE);
        let start = arena.map(len, PROT_RW).unwrap();
        assert!(is_zero(start + rounded - PAGE, PAGE), "round {round}");
        fill(start + rounded - PAGE, PAGE);
        assert_eq!(slots.insert(start, rounded), None);
        if round % 3 != 0 {
            let (start, len) = slots.iter().nth(round * 17 % slots.len()).map(|(start, len)| (*start, *len)).unwrap();
            assert_eq!(arena.unmap(start, len), Some(Ok(())));
            slots.remove(&start);
        }
    }
    let ends = slots.iter().map(|(start, len)| start + len);
    assert!(ends.zip(slots.keys().skip(1)).all(|(end, next)| end <= *next));
    for (start, len) in slots {
        assert_eq!(arena.slot_of(start + len - 1).unwrap(), Slot { start, len, guard_len: 0 });
        arena.unmap(start, len).unwrap().unwrap();
    }
    arena.flush();
    assert!(arena.chunks.iter().all(|chunk| chunk.taken == 0));
    assert_eq!(arena.chunks.len(), arena.classes.len(), "one empty chunk a class is kept");
}

#[test]
fn a_million_stacks_take_few_mappings_and_can_be_given_back() {
    const COUNT: usize = 1_000_000;
    let mut arena = StackArena::new();
    let stacks: Vec<usize> = (0..COUNT).map(|_| arena.map(64 * KIB, 0).unwrap()).collect();
    for start in stacks.iter().step_by(10) {
        arena.protect(start + PAGE, 60 * KIB, PROT_RW).unwrap().unwrap();
    }
    assert!(arena.chunks.len() < 32, "{} chunks", arena.chunks.len());
    if arena.has_guard_markers == Some(true) {
        assert!(mappings(&arena) < 40, "{} mappings for {} chunks", mappings(&arena), arena.chunks.len());
        assert_eq!(arena.unguarded(), 0);
    }
    let records = size_of::<Record>() * arena.chunks.iter().map(|chunk| chunk.records.capacity()).sum::<usize>();
    assert!(size_of::<Record>() <= 16 && records <= 32 * COUNT);
    for start in stacks {
        arena.unmap(start, 64 * KIB).unwrap().unwrap();
    }
    arena.flush();
    assert_eq!((arena.chunks.len(), arena.chunks[0].taken), (1, 0));
    assert_eq!(arena.classes[0].slots, arena.chunks[0].capacity);
}

#[test]
fn the_top_of_a_large_stack_shares_a_page_table_with_the_next_guard() {
    let mut arena = StackArena::new();
    let mut last = arena.map(8 * MIB, 0).unwrap();
    for _ in 1..FIRST_SLOTS {
        let start = arena.map(8 * MIB, 0).unwrap();
        assert_eq!(start, last + 8 * MIB);
        assert_eq!((start - PAGE) / TABLE_REACH, start / TABLE_REACH);
        last = start;
    }
}

#[test]
fn a_limit_on_address_space_ends_in_enomem_close_to_the_limit() {
    if part_of_child().is_some() {
        const LIMIT: u64 = 1 << 30;
        let limit = [LIMIT, LIMIT];
        let arguments = [0, RLIMIT_AS as usize, limit.as_ptr() as usize, 0, 0, 0];
        // SAFETY: `limit` holds the soft and the hard limit.
        raw::check(unsafe { raw::call(Sysno::prlimit64 as u32, arguments) }).unwrap();
        let status = std::fs::read_to_string("/proc/self/statm").unwrap();
        let before: usize = status.split(' ').next().unwrap().parse().unwrap();
        let possible = (LIMIT as usize - before * PAGE) / MIB;
        let mut arena = StackArena::new();
        let (mut count, mut frugal) = (0, true);
        let errno = loop {
            match arena.map(MIB, 0) {
                Ok(_) => {
                    count += 1;
                    // What is set aside for later stacks could be missed by the program.
                    frugal &= arena.classes[0].slots <= count + count / 8;
                }
                Err(errno) => break errno,
            }
        };
        let last = arena.chunks[0].base;
        let given_back = arena.unmap(last, MIB) == Some(Ok(())) && arena.map(MIB, 0).is_ok();
        let good = errno == Errno::ENOMEM && frugal && count <= possible && count + 4 >= possible && given_back;
        std::process::exit(if good { 7 } else { 8 });
    }
    assert_eq!(run_in_child("limited").code(), Some(7));
}
