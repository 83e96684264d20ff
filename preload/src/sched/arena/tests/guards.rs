//! Guards and protections, with guard markers and as on a kernel before Linux 6.13, which has none.

use super::super::{PAGE, Slot, StackArena};
use super::{
    KIB, MIB, PROT_RW, assert_guarded, fill, is_accessible, is_zero, map_stack, mappings, part_of_child, run_in_child,
    without_markers,
};
use linux_raw_sys::general::PROT_EXEC;
use std::os::unix::process::ExitStatusExt;

#[test]
fn a_stack_has_a_guard_below_and_zeros_above() {
    for mut arena in [StackArena::new(), without_markers()] {
        for guard in [PAGE, 5 * PAGE, 0] {
            let start = map_stack(&mut arena, 256 * KIB, guard);
            assert_guarded(start, 256 * KIB, guard);
            assert!(is_zero(start + guard, 256 * KIB - guard));
            assert_eq!(arena.slot_of(start + 9), Some(Slot { start, len: 256 * KIB, guard_len: guard }));
        }
        let start = arena.map(256 * KIB, PROT_RW).unwrap();
        assert_guarded(start, 256 * KIB, 0);
    }
}

#[test]
fn touching_a_guard_kills_the_process() {
    if let Some(part) = part_of_child() {
        let start = map_stack(&mut StackArena::new(), 64 * KIB, PAGE);
        fill(start + PAGE, 1);
        if part == "guard" {
            fill(start + PAGE - 1, 1);
        }
        return;
    }
    assert!(run_in_child("stack").success());
    assert_eq!(run_in_child("guard").signal(), Some(11));
}

#[test]
fn a_guard_grows_and_shrinks_as_the_jvm_asks() {
    for mut arena in [StackArena::new(), without_markers()] {
        let start = arena.map(MIB, PROT_RW).unwrap();
        for (low, high, prot, guard) in
            [(0, 6, 0, 6), (2, 6, PROT_RW, 2), (2, 6, 0, 6), (1, 3, 0, 6), (0, 6, PROT_RW, 0)]
        {
            assert_eq!(arena.protect(start + low * PAGE, (high - low) * PAGE, prot), Some(Ok(())));
            assert_guarded(start, MIB, guard * PAGE);
            assert_eq!(arena.slot_of(start).unwrap().guard_len, guard * PAGE);
        }
        assert!(!arena.chunks[0].records[0].irregular);
    }
}

#[test]
fn protection_in_the_middle_is_real_and_gone_at_the_next_use() {
    for mut arena in [StackArena::new(), without_markers()] {
        let left = arena.protections_left;
        let start = map_stack(&mut arena, 64 * KIB, PAGE);
        fill(start + PAGE, 15 * PAGE);
        arena.protect(start + 3 * PAGE, PAGE, 0).unwrap().unwrap();
        let accessible: Vec<bool> = (0..16).map(|page| is_accessible(start + page * PAGE)).collect();
        assert_eq!(accessible.iter().filter(|page| !**page).count(), 2);
        assert!(!accessible[0] && !accessible[3]);
        // mprotect keeps contents.
        arena.protect(start + 3 * PAGE, PAGE, PROT_RW).unwrap().unwrap();
        // SAFETY: the page is accessible again.
        assert_eq!(unsafe { *((start + 3 * PAGE) as *const u8) }, 0xEE);
        arena.protect(start, PAGE, PROT_RW).unwrap().unwrap();
        assert_guarded(start, 64 * KIB, 0);
        arena.unmap(start, 64 * KIB).unwrap().unwrap();
        arena.flush();
        assert_eq!(arena.protections_left, left);
        assert_eq!(map_stack(&mut arena, 64 * KIB, PAGE), start);
        assert_guarded(start, 64 * KIB, PAGE);
        assert!(is_zero(start + PAGE, 15 * PAGE));
    }
}

#[test]
fn an_executable_stack_runs_code_and_the_next_one_does_not() {
    if let Some(part) = part_of_child() {
        let mut arena = StackArena::new();
        let start = arena.map(64 * KIB, 0).unwrap();
        let run = || {
            let code = (start + 2 * PAGE) as *mut u8;
            // SAFETY: the page is writable; the code is `ret`, and the process is meant to die if it may not run.
            unsafe {
                code.write(0xC3);
                core::mem::transmute::<*mut u8, extern "C" fn()>(code)();
            }
        };
        arena.protect(start + PAGE, 15 * PAGE, PROT_RW | PROT_EXEC as i32).unwrap().unwrap();
        run();
        assert_guarded(start, 64 * KIB, PAGE);
        assert_eq!(arena.slot_of(start).unwrap().guard_len, PAGE);
        arena.unmap(start, 64 * KIB).unwrap().unwrap();
        arena.flush();
        assert_eq!(map_stack(&mut arena, 64 * KIB, PAGE), start);
        if part == "next" {
            run();
        }
        return;
    }
    assert!(run_in_child("executable").success());
    assert_eq!(run_in_child("next").signal(), Some(11));
}

#[test]
fn without_markers_guards_stop_before_mappings_run_out() {
    let mut arena = StackArena { protections_left: 10, ..without_markers() };
    let stacks: Vec<usize> = (0..15).map(|_| map_stack(&mut arena, 64 * KIB, PAGE)).collect();
    assert_eq!(arena.unguarded(), 5);
    assert_guarded(stacks[9], 64 * KIB, PAGE);
    assert_guarded(stacks[10], 64 * KIB, 0);
    assert!(mappings(&arena) <= 22);
    for start in stacks {
        arena.unmap(start, 64 * KIB).unwrap().unwrap();
    }
    arena.flush();
    // Guards stay for the next user, who needs no further protection.
    assert_eq!(arena.protections_left, 0);
    arena.drop_chunk(0, 0);
    assert_eq!(arena.protections_left, 10);
}
