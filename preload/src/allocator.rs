//! The heap of the preload library: `talc` over private anonymous mappings made by raw system calls. Large blocks are
//! mappings of their own, so that vectors grow by mremap(2), without copies left behind, and give their memory back.
//!
//! grivet runs beneath libc: the program may be inside `malloc`, with its locks held, when it enters grivet. So nothing here calls
//! libc, takes a lock that a task could hold while parked, or touches a thread-local. One flag guards the heap. The
//! worker never yields while it holds the flag, so the only contention there can be comes from a kernel thread that is not
//! grivet's, and that one is about to finish: the other side spins.

use crate::raw::{self, Sysno};
use core::alloc::{GlobalAlloc, Layout};
use core::cell::UnsafeCell;
use core::ffi::CStr;
use core::ptr::null_mut;
use core::sync::atomic::{AtomicBool, Ordering};
use linux_raw_sys::general::{MAP_ANONYMOUS, MAP_PRIVATE, MREMAP_MAYMOVE, PROT_READ, PROT_WRITE};
use linux_raw_sys::prctl::{PR_SET_VMA, PR_SET_VMA_ANON_NAME};
use talc::DefaultBinning;
use talc::base::Talc;
use talc::base::binning::Binning;
use talc::source::Source;

/// How much address space the heap asks the kernel for at a time, in bytes. Pages cost memory only once touched.
const GRANULARITY: usize = 1 << 20;

/// Blocks from this size on, in bytes, are mappings of their own.
const LARGE: usize = 128 << 10;

/// More than talc needs for itself in a mapping, in bytes.
const TALCS_OWN: usize = 16 << 10;

const PAGE: usize = 4096;

#[cfg(not(test))]
#[global_allocator]
static HEAP: Heap = Heap::new();

/// Gives a private anonymous mapping the name that /proc/PID/maps shows as `[anon:…]` (prctl(2), PR_SET_VMA).
/// Kernels without CONFIG_ANON_VMA_NAME refuse, which loses nothing but the name.
pub fn name_mapping(address: usize, length: usize, name: &CStr) {
    let arguments = [PR_SET_VMA as usize, PR_SET_VMA_ANON_NAME as usize, address, length, name.as_ptr() as usize, 0];
    // SAFETY: the call changes a label only, and the name is a terminated string that the kernel copies.
    unsafe { raw::call(Sysno::prctl as u32, arguments) };
}

/// Where `talc` gets its memory: one mapping after the other, none of which is given back.
#[derive(Debug)]
struct Mappings;

// SAFETY: `acquire` makes raw system calls only, and reaches the heap through its argument only.
unsafe impl Source for Mappings {
    fn acquire<B: Binning>(talc: &mut Talc<Self, B>, layout: Layout) -> Result<(), ()> {
        // Room for the block, its alignment, and what talc keeps for itself.
        let wanted = layout.size().checked_add(layout.align()).and_then(|size| size.checked_add(TALCS_OWN)).ok_or(())?;
        let size = wanted.checked_next_multiple_of(GRANULARITY).ok_or(())?;
        let base = map(size).ok_or(())?;
        // SAFETY: the mapping is new, and from here on talc's.
        unsafe { talc.claim(base, size) }.map(drop).ok_or(())
    }
}

/// A new private mapping of `size` bytes, all zero.
fn map(size: usize) -> Option<*mut u8> {
    // SAFETY: without MAP_FIXED the kernel picks unused addresses.
    let base = unsafe { raw::mmap(0, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) }.ok()?;
    name_mapping(base, size, c"grivet");
    Some(base as *mut u8)
}

/// Whether blocks of this layout are mappings of their own.
fn is_large(layout: Layout) -> bool {
    layout.size() >= LARGE && layout.align() <= PAGE
}

fn pages(size: usize) -> Option<usize> {
    size.checked_next_multiple_of(PAGE)
}

/// A heap that kernel threads may share.
struct Heap {
    busy: AtomicBool,
    talc: UnsafeCell<Talc<Mappings, DefaultBinning>>,
}

// SAFETY: `with` lets one kernel thread at a time reach the inner heap.
unsafe impl Sync for Heap {}

impl Heap {
    const fn new() -> Self {
        Self { busy: AtomicBool::new(false), talc: UnsafeCell::new(Talc::new(Mappings)) }
    }

    #[inline]
    fn with<T>(&self, action: impl FnOnce(&mut Talc<Mappings, DefaultBinning>) -> T) -> T {
        while self.busy.compare_exchange_weak(false, true, Ordering::Acquire, Ordering::Relaxed).is_err() {
            core::hint::spin_loop();
        }
        // SAFETY: the flag was clear and is now ours, and `action` never allocates, so this is the only reference.
        let result = action(unsafe { &mut *self.talc.get() });
        self.busy.store(false, Ordering::Release);
        result
    }
}

// SAFETY: every block is either talc's, which keeps the same contract, or a mapping of its own; which of the two follows
// from the layout, which callers pass unchanged.
unsafe impl GlobalAlloc for Heap {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if is_large(layout) {
            return pages(layout.size()).and_then(map).unwrap_or(null_mut());
        }
        // SAFETY: the caller vouches for a layout of non-zero size.
        self.with(|talc| unsafe { talc.allocate(layout) }).map_or(null_mut(), |block| block.as_ptr())
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as the caller vouches.
        let block = unsafe { self.alloc(layout) };
        if !block.is_null() && !is_large(layout) {
            // SAFETY: the block has just been allocated with this size; a mapping is zero already.
            unsafe { block.write_bytes(0, layout.size()) };
        }
        block
    }

    unsafe fn dealloc(&self, address: *mut u8, layout: Layout) {
        if is_large(layout) {
            // SAFETY: the caller gives the block up, which is a whole mapping.
            let _ = unsafe { raw::munmap(address as usize, layout.size().next_multiple_of(PAGE)) };
            return;
        }
        // SAFETY: the caller vouches that the block came from this heap with this layout.
        self.with(|talc| unsafe { talc.deallocate(address, layout) });
    }

    unsafe fn realloc(&self, address: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        let Ok(new) = Layout::from_size_align(size, layout.align()) else { return null_mut() };
        match (is_large(layout), is_large(new)) {
            (true, true) => {
                let (Some(old), Some(size)) = (pages(layout.size()), pages(size)) else { return null_mut() };
                let arguments = [address as usize, old, size, MREMAP_MAYMOVE as usize, 0, 0];
                // SAFETY: the block is a whole mapping, and the caller goes on with the address that is returned.
                raw::check(unsafe { raw::call(Sysno::mremap as u32, arguments) }).map_or(null_mut(), |at| at as *mut u8)
            }
            // SAFETY: the caller vouches that the block came from this heap with this layout, and that `size` is not zero.
            (false, false) if self.with(|talc| unsafe { talc.try_realloc_in_place(address, layout, size) }) => address,
            _ => {
                // SAFETY: as above; the blocks do not overlap, and the shorter length is valid in both.
                unsafe {
                    let moved = self.alloc(new);
                    if !moved.is_null() {
                        core::ptr::copy_nonoverlapping(address, moved, layout.size().min(size));
                        self.dealloc(address, layout);
                    }
                    moved
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layout(size: usize, align: usize) -> Layout {
        Layout::from_size_align(size, align).unwrap()
    }

    #[test]
    fn blocks_are_aligned_distinct_and_keep_their_contents() {
        let heap = Heap::new();
        let mut blocks = Vec::new();
        for round in 0..2_000_usize {
            let layout = layout(1 + round * 37 % 5_000, 1 << (round % 8));
            // SAFETY: the layout has a non-zero size and the block is filled to exactly that size.
            let block = unsafe {
                let block = heap.alloc(layout);
                assert!(!block.is_null());
                block.write_bytes(round as u8, layout.size());
                block
            };
            assert_eq!(block as usize % layout.align(), 0);
            blocks.push((block, layout, round as u8));
            if round % 3 == 0 {
                let (block, layout, fill) = blocks.swap_remove(round * 7 % blocks.len());
                check_and_free(&heap, block, layout, fill);
            }
        }
        for (block, layout, fill) in blocks {
            check_and_free(&heap, block, layout, fill);
        }
    }

    fn check_and_free(heap: &Heap, block: *mut u8, layout: Layout, fill: u8) {
        // SAFETY: the block is live, initialised over its whole size, and freed once.
        unsafe {
            assert!(core::slice::from_raw_parts(block, layout.size()).iter().all(|byte| *byte == fill));
            heap.dealloc(block, layout);
        }
    }

    #[test]
    fn growing_a_large_block_keeps_its_contents() {
        let heap = Heap::new();
        let mut size = 100_000;
        // SAFETY: every access stays inside the size last asked for.
        unsafe {
            let mut block = heap.alloc(layout(size, 8));
            block.write_bytes(0x5A, size);
            while size < 64 << 20 {
                block = heap.realloc(block, layout(size, 8), size * 3);
                assert!(!block.is_null());
                assert!(core::slice::from_raw_parts(block, 100_000).iter().all(|byte| *byte == 0x5A));
                size *= 3;
            }
            heap.dealloc(block, layout(size, 8));
        }
    }

    #[test]
    fn contents_survive_growing_and_shrinking_across_the_size_of_mappings() {
        let heap = Heap::new();
        let sizes = [100, LARGE - 1, LARGE, 3 * LARGE, LARGE + 1, LARGE - 8, 500_000, 64];
        // SAFETY: every access stays inside the smaller of the sizes before and after.
        unsafe {
            let mut block = heap.alloc(layout(sizes[0], 8));
            block.write_bytes(0x5A, sizes[0]);
            for pair in sizes.windows(2) {
                block = heap.realloc(block, layout(pair[0], 8), pair[1]);
                assert!(!block.is_null());
                assert!(core::slice::from_raw_parts(block, 64).iter().all(|byte| *byte == 0x5A));
                block.write_bytes(0x5A, pair[1]);
            }
            heap.dealloc(block, layout(64, 8));
        }
    }

    #[test]
    fn zeroed_blocks_are_zero_after_dirty_ones_were_freed() {
        let heap = Heap::new();
        for size in [24, 4_000, 70_000, 3 << 20] {
            // SAFETY: every access stays inside the block's size, and each block is freed once.
            unsafe {
                let dirty = heap.alloc(layout(size, 8));
                dirty.write_bytes(0xFF, size);
                heap.dealloc(dirty, layout(size, 8));
                let clean = heap.alloc_zeroed(layout(size, 8));
                assert!(core::slice::from_raw_parts(clean, size).iter().all(|byte| *byte == 0));
                heap.dealloc(clean, layout(size, 8));
            }
        }
    }

    #[test]
    fn a_request_beyond_the_address_space_answers_null() {
        let heap = Heap::new();
        // SAFETY: the layout has a non-zero size.
        assert!(unsafe { heap.alloc(layout(1 << 60, 8)) }.is_null());
        // SAFETY: as above; the heap still works.
        assert!(!unsafe { heap.alloc(layout(64, 8)) }.is_null());
    }

    #[test]
    fn kernel_threads_share_a_heap() {
        let heap = Heap::new();
        std::thread::scope(|scope| {
            for fill in 1..=4 {
                let heap = &heap;
                scope.spawn(move || {
                    for round in 0..5_000_usize {
                        let layout = layout(1 + round % 300, 16);
                        // SAFETY: the layout has a non-zero size and the block is filled to exactly that size.
                        let block = unsafe { heap.alloc(layout) };
                        // SAFETY: as above.
                        unsafe { block.write_bytes(fill, layout.size()) };
                        check_and_free(heap, block, layout, fill);
                    }
                });
            }
        });
    }
}
