//! Stubs for `syscall` instructions that no search has found: those of code that was made at run time, and those that could
//! not be rewritten. The instruction stays as it is. A thread that has been caught in its call is sent to the stub
//! instead, and from there the call takes the same way as one that was rewritten (`kernel::unseen`).

use alloc::vec::Vec;
use core::cell::UnsafeCell;

use grivet_sites::{SYSCALL, Window, encode};

use super::stubs::{Gate, Region};

/// Stubs for which a region has room at least.
const ROOM: usize = 64;
/// Stubs that are made at most: code that is made anew again and again has its instructions at ever new places.
const MOST: usize = 1 << 16;

/// A stub, and what it stands for.
struct StandIn {
    site: u64,
    stub: u64,
}

struct StandIns {
    regions: Vec<Region>,
    all: Vec<StandIn>,
}

struct Cell(UnsafeCell<StandIns>);

// SAFETY: only the worker's kernel thread touches it, while the program's own code is interrupted.
unsafe impl Sync for Cell {}

static STAND_INS: Cell = Cell(UnsafeCell::new(StandIns { regions: Vec::new(), all: Vec::new() }));

/// Where the `syscall` instruction at `site` is made through the gate: at this address rax must hold the call's number. None if
/// there is no room for it. To be called on the worker's kernel thread while the program's own code is interrupted.
pub fn stand_in(site: u64) -> Option<u64> {
    // SAFETY: see `Cell`; nothing called here comes back to it.
    let known = unsafe { &mut *STAND_INS.0.get() };
    if let Some(known) = known.all.iter().find(|known| known.site == site) {
        return Some(known.stub);
    }
    if known.all.len() >= MOST || known.all.try_reserve(1).is_err() {
        return None;
    }
    let stub = known.make(site)?;
    known.all.push(StandIn { site, stub });
    Some(stub)
}

impl StandIns {
    fn make(&mut self, site: u64) -> Option<u64> {
        let span = site as usize..site as usize + SYSCALL.len();
        let place = match self.regions.iter().position(|region| region.has_room_for(&span)) {
            Some(place) => {
                self.regions[place].open().ok()?;
                place
            }
            None => {
                self.regions.try_reserve(1).ok()?;
                self.regions.push(Region::near(span, ROOM).ok()?);
                self.regions.len() - 1
            }
        };
        let region = &mut self.regions[place];
        let window = Window { start: site, syscall: site, end: site + SYSCALL.len() as u64 };
        let stub_address = region.next() as u64;
        let stub = encode(&window, &SYSCALL, stub_address, region.slot(Gate::Wide) as u64);
        if let Ok(stub) = &stub {
            region.push_stub(stub);
        }
        let sealed = region.seal();
        region.enlist();
        (stub.is_ok() && sealed.is_ok()).then_some(stub_address)
    }
}
