//! What the tests of the arena share, and the tests of its answers: errors, parts of a stack, ranges over two stacks,
//! memory that is not the arena's. Tests that end a process run themselves again in a child.

mod capacity;
mod guards;

use super::classes::LARGEST_CHUNK;
use super::{PAGE, READ_WRITE, StackArena};
use crate::raw::{self, Errno, Sysno};
use linux_raw_sys::general::PROT_NONE;
use std::io::pipe;
use std::os::fd::AsRawFd;

const PROT_RW: i32 = READ_WRITE as i32;
const KIB: usize = 1 << 10;
const MIB: usize = 1 << 20;

/// Maps a stack as glibc does.
fn map_stack(arena: &mut StackArena, len: usize, guard: usize) -> usize {
    let start = arena.map(len, PROT_NONE as i32).unwrap();
    arena.protect(start + guard, len - guard, PROT_RW).unwrap().unwrap();
    start
}

/// Whether the byte at `address` can be read and written, as the kernel sees it: without a fault.
fn is_accessible(address: usize) -> bool {
    let (reader, writer) = pipe().unwrap();
    let copy = |number: Sysno, fd: i32| {
        // SAFETY: the kernel checks the address, and one byte goes out and the same byte comes back.
        raw::check(unsafe { raw::call(number as u32, [fd as usize, address, 1, 0, 0, 0]) })
    };
    match copy(Sysno::write, writer.as_raw_fd()) {
        Ok(_) => copy(Sysno::read, reader.as_raw_fd()).is_ok(),
        Err(errno) => {
            assert_eq!(errno, Errno::EFAULT);
            false
        }
    }
}

/// Asserts that the lowest `guard` bytes of the slot are inaccessible and the rest is not.
fn assert_guarded(start: usize, len: usize, guard: usize) {
    for address in (start..start + len.min(16 * PAGE)).step_by(PAGE).chain([start + len - 1]) {
        assert_eq!(is_accessible(address), address >= start + guard, "{:#x} into the slot", address - start);
    }
}

fn fill(start: usize, len: usize) {
    // SAFETY: the caller names accessible memory of a slot that the test owns.
    unsafe { core::ptr::write_bytes(start as *mut u8, 0xEE, len) };
}

fn is_zero(start: usize, len: usize) -> bool {
    // SAFETY: as for `fill`.
    unsafe { core::slice::from_raw_parts(start as *const u8, len) }.iter().all(|byte| *byte == 0)
}

/// How many kernel mappings the chunks of the arena consist of.
fn mappings(arena: &StackArena) -> usize {
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
    let ranges = maps.lines().map(|line| {
        let (low, high) = line.split(' ').next().unwrap().split_once('-').unwrap();
        (usize::from_str_radix(low, 16).unwrap(), usize::from_str_radix(high, 16).unwrap())
    });
    ranges.filter(|(low, high)| arena.chunks.iter().any(|chunk| *low < chunk.end() && chunk.base < *high)).count()
}

/// An arena that behaves as on a kernel before Linux 6.13.
fn without_markers() -> StackArena {
    StackArena { has_guard_markers: Some(false), ..StackArena::new() }
}

/// Runs the running test again in a process of its own, with `GRIVET_TEST_CHILD` set to `part`.
fn run_in_child(part: &str) -> std::process::ExitStatus {
    let name = std::thread::current().name().unwrap().to_owned();
    let mut child = std::process::Command::new(std::env::current_exe().unwrap());
    child.args(["--exact", "--nocapture", &name]).env("GRIVET_TEST_CHILD", part);
    child.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null());
    child.status().unwrap()
}

/// Which part of the test this process was started for by `run_in_child`.
fn part_of_child() -> Option<String> {
    std::env::var("GRIVET_TEST_CHILD").ok()
}

#[test]
fn part_of_a_stack_can_be_unmapped_and_later_the_whole() {
    let mut arena = StackArena::new();
    let start = map_stack(&mut arena, 64 * KIB, PAGE);
    arena.unmap(start, 4 * PAGE).unwrap().unwrap();
    assert_guarded(start, 64 * KIB, 4 * PAGE);
    assert_ne!(map_stack(&mut arena, 64 * KIB, PAGE), start);
    arena.unmap(start, 64 * KIB).unwrap().unwrap();
    assert_eq!(arena.unmap(start, 64 * KIB), Some(Ok(())), "unmapping what is unmapped is no error");
    arena.flush();
    assert_eq!(map_stack(&mut arena, 64 * KIB, PAGE), start);
    assert_guarded(start, 64 * KIB, PAGE);
}

#[test]
fn ranges_over_two_stacks_reach_both() {
    let mut arena = StackArena::new();
    let first = map_stack(&mut arena, 64 * KIB, 0);
    let second = map_stack(&mut arena, 64 * KIB, 0);
    assert_eq!(second, first + 64 * KIB);
    arena.protect(second - PAGE, 3 * PAGE, 0).unwrap().unwrap();
    assert!(!is_accessible(second - PAGE) && is_accessible(second - PAGE - 1));
    assert_guarded(second, 64 * KIB, 2 * PAGE);
    arena.unmap(first, 128 * KIB).unwrap().unwrap();
    assert_eq!((arena.slot_of(first), arena.slot_of(second)), (None, None));
    assert_eq!(arena.protect(first, 64 * KIB, PROT_RW), Some(Err(Errno::ENOMEM)));
}

#[test]
fn errors_are_the_kernels_and_foreign_memory_is_left_alone() {
    let mut arena = StackArena::new();
    let foreign = &raw const arena as usize & !(PAGE - 1);
    assert!(!arena.contains(foreign, PAGE));
    let start = map_stack(&mut arena, 64 * KIB, PAGE);
    assert!(arena.contains(start, 64 * KIB));
    assert_eq!(arena.protect(foreign, PAGE, PROT_RW), None);
    assert_eq!(arena.unmap(foreign, PAGE), None);
    assert_eq!(arena.discard(foreign, PAGE), None);
    assert_eq!(arena.slot_of(foreign), None);
    assert!(!arena.contains(start, usize::MAX) && !arena.contains(start, LARGEST_CHUNK));
    assert_eq!(arena.unmap(start, usize::MAX), None);
    assert_eq!(arena.map(0, 0), Err(Errno::EINVAL));
    assert_eq!(arena.map(usize::MAX, 0), Err(Errno::ENOMEM));
    assert_eq!(arena.map(1 << 47, 0), Err(Errno::ENOMEM));
    assert_eq!(arena.protect(start + 1, PAGE, PROT_RW), Some(Err(Errno::EINVAL)));
    assert_eq!(arena.protect(start, 0, PROT_RW), Some(Ok(())));
    assert_eq!(arena.unmap(start + 1, PAGE), Some(Err(Errno::EINVAL)));
    assert_eq!(arena.unmap(start, 0), Some(Err(Errno::EINVAL)));
    assert_guarded(start, 64 * KIB, PAGE);
}

#[test]
fn discarding_zeroes_and_keeps_the_guard() {
    let mut arena = StackArena::new();
    let start = map_stack(&mut arena, 64 * KIB, PAGE);
    fill(start + PAGE, 15 * PAGE);
    assert_eq!(arena.discard(start, 8 * PAGE), Some(Ok(())));
    assert!(is_zero(start + PAGE, 7 * PAGE) && !is_zero(start + 8 * PAGE, PAGE));
    assert_guarded(start, 64 * KIB, PAGE);
}
