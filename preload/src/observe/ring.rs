//! The events of a timeline, in private memory of a fixed size: when it is full, the oldest make room.

use crate::raw;
use core::slice;
use grivet_timeline::event::Event;
use linux_raw_sys::general::{MAP_ANONYMOUS, MAP_NORESERVE, MAP_PRIVATE, PROT_READ, PROT_WRITE};
use syscalls::Errno;

/// A buffer that goes round.
pub struct Ring {
    base: *mut Event,
    capacity: usize,
    /// Where the next event goes.
    next: usize,
    /// How many were recorded, those included that are gone.
    recorded: u64,
}

impl Ring {
    /// Room for as many events as `bytes` hold, at least one. Pages cost memory only once they are written.
    pub fn new(bytes: usize) -> Result<Ring, Errno> {
        let flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
        // SAFETY: a new private mapping.
        let base = unsafe { raw::mmap(0, bytes, PROT_READ | PROT_WRITE, flags, -1, 0) }?;
        crate::allocator::name_mapping(base, bytes, c"grivet trace");
        Ok(Ring { base: base as *mut Event, capacity: bytes / size_of::<Event>(), next: 0, recorded: 0 })
    }

    /// Records one event.
    #[inline(always)]
    pub fn push(&mut self, event: Event) {
        // SAFETY: `next` is below the capacity that is mapped.
        unsafe { self.base.add(self.next).write(event) };
        self.recorded += 1;
        self.next += 1;
        if self.next == self.capacity {
            self.next = 0;
        }
    }

    /// What is there, oldest first, in two parts.
    pub fn events(&self) -> [&[Event]; 2] {
        let is_full = self.recorded >= self.capacity as u64;
        let older = if is_full { self.capacity - self.next } else { 0 };
        // SAFETY: all events up to the capacity, or up to `next`, have been written.
        unsafe {
            [
                slice::from_raw_parts(self.base.add(self.next * usize::from(is_full)), older),
                slice::from_raw_parts(self.base, self.next),
            ]
        }
    }

    /// How many had to make room.
    pub fn dropped(&self) -> u64 {
        self.recorded.saturating_sub(self.capacity as u64)
    }

    /// Forgets all, in the child of a fork.
    pub fn clear(&mut self) {
        self.next = 0;
        self.recorded = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use grivet_timeline::event::Kind;

    fn times(ring: &Ring) -> Vec<u64> {
        ring.events().into_iter().flatten().map(|event| event.time).collect()
    }

    #[test]
    fn the_oldest_make_room() {
        let mut ring = Ring::new(4 * size_of::<Event>()).unwrap();
        assert_eq!(times(&ring), []);
        for time in 0..3 {
            ring.push(Event::new(time, 0, Kind::Running, 0));
        }
        assert_eq!((times(&ring), ring.dropped()), (vec![0, 1, 2], 0));
        ring.push(Event::new(3, 0, Kind::Running, 0));
        assert_eq!((times(&ring), ring.dropped()), (vec![0, 1, 2, 3], 0));
        for time in 4..10 {
            ring.push(Event::new(time, 0, Kind::Running, 0));
        }
        assert_eq!((times(&ring), ring.dropped()), (vec![6, 7, 8, 9], 6));
        ring.clear();
        assert_eq!((times(&ring), ring.dropped()), (vec![], 0));
    }
}
