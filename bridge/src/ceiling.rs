//! Keeps the number of kernel threads below what std survives.
//!
//! A thread of std's needs a signal stack besides its own stack, each with a guard: four mappings. std asks for the signal
//! stack when the thread already runs, and when the system has no mapping left it ends the process. So natively a thread
//! that would come near that is refused here, as an error. Under grivet stacks share mappings, and there is no ceiling.

use crate::green::is_green;
use std::fs;
use std::io;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Mappings of one thread.
const MAPPINGS: usize = 4;

/// vm.max_map_count as kernels come, where it can't be read.
const USUAL_MAPPINGS: usize = 65_530;

static ALIVE: AtomicUsize = AtomicUsize::new(0);

/// Counts one thread of a call while it lives.
pub(crate) struct Counted(());

impl Counted {
    /// For a thread that is about to be made; an error if there are too many.
    pub(crate) fn new() -> io::Result<Counted> {
        let counted = Counted(());
        if ALIVE.fetch_add(1, Ordering::Relaxed) < ceiling() {
            Ok(counted)
        } else {
            // As pthread_create puts it. The count is put right when `counted` is dropped.
            Err(io::Error::from_raw_os_error(libc::EAGAIN))
        }
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        ALIVE.fetch_sub(1, Ordering::Relaxed);
    }
}

fn ceiling() -> usize {
    static CEILING: OnceLock<usize> = OnceLock::new();
    *CEILING.get_or_init(|| {
        if is_green() {
            return usize::MAX;
        }
        let read = fs::read_to_string("/proc/sys/vm/max_map_count").ok().and_then(|text| text.trim().parse().ok());
        for_mappings(read.unwrap_or(USUAL_MAPPINGS))
    })
}

/// Threads of calls for which `mappings` are enough, with an eighth left to all else and to threads that are about to end.
fn for_mappings(mappings: usize) -> usize {
    (mappings - mappings / 8) / MAPPINGS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_usual_number_of_mappings_lets_10000_calls_through() {
        assert_eq!(for_mappings(USUAL_MAPPINGS), 14_334);
        assert_eq!(for_mappings(0), 0);
    }

    #[test]
    fn a_thread_is_counted_while_it_lives() {
        let before = ALIVE.load(Ordering::Relaxed);
        let counted = Counted::new().expect("a few threads");
        assert_eq!(ALIVE.load(Ordering::Relaxed), before + 1);
        drop(counted);
        assert_eq!(ALIVE.load(Ordering::Relaxed), before);
    }
}
