//! What a futex address is a part of, and who holds that lock: told from the words around it, as glibc's public headers lay
//! out pthread_mutex_t and pthread_rwlock_t (bits/struct_mutex.h, bits/struct_rwlock.h). A holder is named only if the
//! number found is a live thread's.

use alloc::vec::Vec;

use crate::memory::{Memory, Part, u32_at};
use crate::threads::{Thread, WaitsFor};

/// What the futex belongs to, as far as memory tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LockKind {
    /// Anything: a condition variable, a semaphore, a language's own lock.
    Futex,
    Mutex,
    /// A read-write lock.
    RwLock,
    /// The end of the thread that is its owner.
    Join,
}

/// All live threads, by id.
pub struct Holders {
    /// Id, thread pointer, and place among all, in order.
    threads: Vec<(u32, u64, usize)>,
}

impl Holders {
    pub fn new(threads: &[Thread]) -> Self {
        let mut threads: Vec<_> =
            threads.iter().enumerate().map(|(place, thread)| (thread.tid, thread.fs_base, place)).collect();
        threads.sort_unstable();
        Holders { threads }
    }

    /// Where among all threads the one called `tid` is.
    pub fn place(&self, tid: u32) -> Option<usize> {
        self.find(tid).map(|(.., place)| place)
    }

    fn find(&self, tid: u32) -> Option<(u32, u64, usize)> {
        let place = self.threads.binary_search_by_key(&tid, |&(tid, ..)| tid).ok()?;
        Some(self.threads[place])
    }
}

/// FUTEX_TID_MASK (linux/futex.h).
const TID: u32 = 0x3fff_ffff;
/// Bytes around a futex that are looked at, and how many of them lie before it.
const LENGTH: usize = 40;
const BEFORE: usize = 12;
/// All bits that a mutex's `__kind` may have (nptl/pthreadP.h).
const MUTEX_KINDS: u32 = 0x3ff;
/// A thread's id stands near the start of its `struct pthread`, to which the thread pointer points.
const LARGEST_THREAD: u64 = 4096;

/// Fills in what the futexes that `threads` wait for are.
pub(crate) fn identify(memory: &dyn Memory, threads: &mut [Thread], holders: &Holders) {
    let address_of = |thread: &Thread| match thread.waits_for {
        WaitsFor::Lock { address, .. } => Some(address),
        _ => None,
    };
    let waiting: Vec<(usize, u64)> =
        threads.iter().enumerate().filter_map(|(place, thread)| Some((place, address_of(thread)?))).collect();
    let mut bytes = alloc::vec![0; LENGTH * waiting.len()];
    let mut parts: Vec<Part<'_>> = waiting
        .iter()
        .zip(bytes.chunks_mut(LENGTH))
        .map(|(&(_, address), bytes)| Part::new(address.wrapping_sub(BEFORE as u64), bytes))
        .collect();
    memory.read_parts(&mut parts);
    let are_read: Vec<bool> = parts.iter().map(|part| part.is_read).collect();
    for ((&(place, address), around), is_whole) in waiting.iter().zip(bytes.chunks_mut(LENGTH)).zip(are_read) {
        // At the edge of a mapping the word alone must do.
        if !is_whole {
            around.fill(0);
            memory.read(address, &mut around[BEFORE..BEFORE + 4]);
        }
        let (kind, owner) = what_is(address, around, threads[place].tid, holders);
        threads[place].waits_for = WaitsFor::Lock { address, kind, owner };
    }
}

/// What the futex at `address` is, by the words around it.
fn what_is(address: u64, around: &[u8], waiter: u32, holders: &Holders) -> (LockKind, Option<u32>) {
    let word = |offset: i32| u32_at(around, (BEFORE as i32 + offset) as usize);
    let live = |tid: u32| Some(tid).filter(|&tid| tid != 0 && tid != waiter && holders.place(tid).is_some());
    let value = word(0);
    // pthread_join: the word is the joined thread's id, in its own record.
    let within = holders.find(value).and_then(|(_, record, _)| address.checked_sub(record));
    if within.is_some_and(|offset| offset < LARGEST_THREAD) {
        return (LockKind::Join, Some(value));
    }
    // A plain mutex: __lock, __count, __owner, __nusers, __kind.
    let is_kind = word(16) & !MUTEX_KINDS == 0;
    if (value == 1 || value == 2)
        && is_kind
        && let Some(owner) = live(word(8))
    {
        return (LockKind::Mutex, Some(owner));
    }
    // A robust one, or one with priority inheritance: the holder stands in the futex itself.
    if let Some(owner) = live(value & TID)
        && value & TID > MUTEX_KINDS
    {
        return (LockKind::Mutex, Some(owner));
    }
    // __readers, __writers, __wrphase_futex, __writers_futex, __pad3, __pad4, __cur_writer, __shared: a wait is on either
    // futex.
    for first in [-8, -12] {
        let is_padding = word(first + 16) == 0 && word(first + 20) == 0;
        if is_padding
            && word(first + 28) <= 1
            && let Some(owner) = live(word(first + 24))
        {
            return (LockKind::RwLock, Some(owner));
        }
    }
    (LockKind::Futex, None)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOLDER: u32 = 5_000_001;
    const WAITER: u32 = 5_000_002;
    const RECORD: u64 = 0x7f00_0000_1000;

    fn holders() -> Holders {
        Holders { threads: Vec::from([(HOLDER, RECORD, 0), (WAITER, RECORD + 0x10000, 1)]) }
    }

    /// The words from twelve bytes before the futex on.
    fn found(address: u64, words: [u32; 10]) -> (LockKind, Option<u32>) {
        let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        what_is(address, &bytes, WAITER, &holders())
    }

    #[test]
    fn mutexes_tell_their_holder() {
        assert_eq!(found(0x1000, [0, 0, 0, 2, 0, HOLDER, 1, 0, 0, 0]), (LockKind::Mutex, Some(HOLDER)));
        assert_eq!(found(0x1000, [0, 0, 0, 0x8000_0000 | HOLDER, 0, 0, 1, 33, 0, 0]), (LockKind::Mutex, Some(HOLDER)));
        // Not by a thread that has ended.
        assert_eq!(found(0x1000, [0, 0, 0, 2, 0, 77, 1, 0, 0, 0]), (LockKind::Futex, None));
        // Nor by the one that waits.
        assert_eq!(found(0x1000, [0, 0, 0, 2, 0, WAITER, 1, 0, 0, 0]), (LockKind::Futex, None));
    }

    #[test]
    fn read_write_locks_tell_their_writer() {
        let on_phase = [9, 0, 2, 2, 1, 0, 0, HOLDER, 0, 0];
        assert_eq!(found(0x1000, on_phase), (LockKind::RwLock, Some(HOLDER)));
        let on_writers = [0, 2, 1, 2, 0, 0, HOLDER, 0, 0, 0];
        assert_eq!(found(0x1000, on_writers), (LockKind::RwLock, Some(HOLDER)));
    }

    #[test]
    fn a_join_is_on_the_word_of_the_thread() {
        let words = [0, 0, 0, HOLDER, 0, 0, 0, 0, 0, 0];
        assert_eq!(found(RECORD + 0x2d0, words), (LockKind::Join, Some(HOLDER)));
    }
}
