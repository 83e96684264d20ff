//! The heap of the preload library: `dlmalloc` over private anonymous mappings made by raw system calls.
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
use dlmalloc::{Allocator, Dlmalloc};
use linux_raw_sys::general::{MAP_ANONYMOUS, MAP_PRIVATE, MREMAP_MAYMOVE, PROT_READ, PROT_WRITE};
use linux_raw_sys::prctl::{PR_SET_VMA, PR_SET_VMA_ANON_NAME};

/// How much address space the heap asks the kernel for at a time, in bytes. Pages cost memory only once touched.
const GRANULARITY: usize = 1 << 20;

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

/// Where `dlmalloc` gets its memory: mmap(2), mremap(2) and munmap(2).
struct Mappings;

impl Mappings {
    /// mremap(2); false means that nothing changed.
    fn resize(address: *mut u8, old: usize, new: usize, flags: u32) -> Option<*mut u8> {
        // SAFETY: dlmalloc passes only mappings that this file made, and goes on with the address that is returned.
        let answer = unsafe { raw::call(Sysno::mremap as u32, [address as usize, old, new, flags as usize, 0, 0]) };
        raw::check(answer).ok().map(|address| address as *mut u8)
    }
}

// SAFETY: `alloc` returns fresh memory of the size asked for or null; the others act on exactly the given range.
unsafe impl Allocator for Mappings {
    fn alloc(&self, size: usize) -> (*mut u8, usize, u32) {
        // SAFETY: without MAP_FIXED the kernel picks unused addresses.
        match unsafe { raw::mmap(0, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) } {
            Ok(address) => {
                name_mapping(address, size, c"grivet");
                (address as *mut u8, size, 0)
            }
            Err(_) => (null_mut(), 0, 0),
        }
    }

    fn remap(&self, address: *mut u8, old: usize, new: usize, can_move: bool) -> *mut u8 {
        Self::resize(address, old, new, if can_move { MREMAP_MAYMOVE } else { 0 }).unwrap_or(null_mut())
    }

    fn free_part(&self, address: *mut u8, old: usize, new: usize) -> bool {
        // SAFETY: dlmalloc gives up the range between `new` and `old`.
        unsafe { raw::munmap(address as usize + new, old - new) }.is_ok()
    }

    fn free(&self, address: *mut u8, size: usize) -> bool {
        // SAFETY: dlmalloc gives up the whole range.
        unsafe { raw::munmap(address as usize, size) }.is_ok()
    }

    fn can_release_part(&self, _flags: u32) -> bool {
        true
    }

    fn allocates_zeros(&self) -> bool {
        true
    }

    fn page_size(&self) -> usize {
        4096
    }
}

/// A heap that kernel threads may share.
struct Heap {
    busy: AtomicBool,
    dlmalloc: UnsafeCell<Dlmalloc<Mappings>>,
}

// SAFETY: `with` lets one kernel thread at a time reach the inner heap.
unsafe impl Sync for Heap {}

impl Heap {
    const fn new() -> Self {
        let mut dlmalloc = Dlmalloc::new_with_allocator(Mappings);
        assert!(dlmalloc.set_granularity(GRANULARITY));
        Self { busy: AtomicBool::new(false), dlmalloc: UnsafeCell::new(dlmalloc) }
    }

    #[inline]
    fn with<T>(&self, action: impl FnOnce(&mut Dlmalloc<Mappings>) -> T) -> T {
        while self.busy.compare_exchange_weak(false, true, Ordering::Acquire, Ordering::Relaxed).is_err() {
            core::hint::spin_loop();
        }
        // SAFETY: the flag was clear and is now ours, and `action` never allocates, so this is the only reference.
        let result = action(unsafe { &mut *self.dlmalloc.get() });
        self.busy.store(false, Ordering::Release);
        result
    }
}

// SAFETY: every method passes the layout on unchanged to an allocator that keeps the same contract.
unsafe impl GlobalAlloc for Heap {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller vouches for a layout of non-zero size.
        self.with(|heap| unsafe { heap.malloc(layout.size(), layout.align()) })
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller vouches for a layout of non-zero size.
        self.with(|heap| unsafe { heap.calloc(layout.size(), layout.align()) })
    }

    unsafe fn dealloc(&self, address: *mut u8, layout: Layout) {
        // SAFETY: the caller vouches that the block came from this heap with this layout.
        self.with(|heap| unsafe { heap.free(address, layout.size(), layout.align()) });
    }

    unsafe fn realloc(&self, address: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: the caller vouches that the block came from this heap with this layout, and that `size` is not zero.
        self.with(|heap| unsafe { heap.realloc(address, layout.size(), layout.align(), size) })
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
