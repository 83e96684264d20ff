//! Which `syscall` instructions of an x86-64 ELF image can be replaced by a jump, and by what code.
//!
//! The crate reads bytes that its caller gives it and answers with addresses and bytes: it opens no
//! file, maps no memory and patches nothing, so the preload library (on loaded objects) and `grivet
//! check` (on files) share it.
//!
//! A `syscall` instruction is two bytes long and a jump that reaches anywhere is five, so
//! neighbours must move out of the way with it. [`find`] decides for each site which whole
//! instructions form the [`Window`] that the jump overwrites; [`encode`] makes the stub that runs
//! them elsewhere; [`jump`] makes the bytes that lead there.
//!
//! A window is safe when no control flow can arrive strictly inside it. What is known of control
//! flow: the function's extent (`functions`, from `.eh_frame_hdr`), its own branches (`body`) and
//! jump tables (`jump_tables`), the ways back from a part that the compiler put elsewhere
//! (`branches`), and the landing pads of exceptions (`landing`).

#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;
#[cfg(test)]
extern crate std;

mod answered;
#[cfg(test)]
mod awkward_neighbours;
mod body;
mod branches;
mod entry;
mod entry_callers;
#[cfg(test)]
mod entry_callers_tests;
mod entry_flow;
mod entry_padding;
mod entry_stub;
#[cfg(test)]
mod entry_stub_tests;
#[cfg(test)]
mod entry_synthetic;
#[cfg(test)]
mod entry_tests;
mod functions;
mod go;
mod jump_tables;
mod landing;
mod number;
mod stub;
mod stub_search;
#[cfg(test)]
mod synthetic;
mod window;

use alloc::vec::Vec;
use core::fmt;
use core::ops::Range;

use body::Body;
use branches::Outside;
use functions::{Function, Functions};

pub use answered::answered;
pub use entry::{Entry, EntryReason, Redirect, entry};
pub use entry_callers::{CallKind, CallSite, callers};
pub use entry_stub::{ENTRY_STUB_LIMIT, EntryStub, Patch, encode_entry};
pub use go::is_go;
pub use number::number_before;
pub use stub::{GATE_ENTRY, STUB_LIMIT, Stub, encode, jump, original};
pub use stub_search::original_within;

/// Part of an image, at the address where it is (or will be) loaded.
#[derive(Clone, Copy)]
pub struct Segment<'a> {
    pub address: u64,
    pub bytes: &'a [u8],
}

impl<'a> Segment<'a> {
    /// The bytes from `address` to the segment's end, if `address` lies in it.
    fn from(&self, address: u64) -> Option<&'a [u8]> {
        let offset = usize::try_from(address.checked_sub(self.address)?).ok()?;
        self.bytes.get(offset..).filter(|rest| !rest.is_empty())
    }
}

/// An ELF object as its program headers describe it.
pub struct Image<'a> {
    /// Executable segments.
    pub text: &'a [Segment<'a>],
    /// Readable segments; they hold `.eh_frame_hdr`, `.eh_frame` and jump tables, and may repeat
    /// `text`.
    pub data: &'a [Segment<'a>],
    /// Address of PT_GNU_EH_FRAME, biased like the segments.
    pub eh_frame_hdr: Option<u64>,
}

impl<'a> Image<'a> {
    /// The bytes from `address` to the end of the segment it lies in.
    fn bytes_from(&self, address: u64) -> Option<&'a [u8]> {
        self.data.iter().chain(self.text).find_map(|segment| segment.from(address))
    }
}

/// The system call number in eax when a site is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Number {
    Known(u32),
    Unknown,
}

/// The whole instructions that the jump to a stub overwrites: at least five bytes, the site's two
/// among them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    pub start: u64,
    /// Address of the `syscall` instruction; instructions from `start` up to it are the lead.
    pub syscall: u64,
    /// First address after the window; instructions between `syscall + 2` and it are the tail.
    pub end: u64,
}

/// What is to be done with a site.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The number is known and not wanted.
    Leave,
    Rewrite(Window),
    Refused(Reason),
}

/// A `syscall` instruction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Site {
    pub address: u64,
    pub number: Number,
    /// The function around it; empty if none is known.
    pub function: Range<u64>,
    pub verdict: Verdict,
}

/// Why a site cannot be rewritten.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// No `.eh_frame` entry covers the site.
    NoFunction,
    /// The function holds bytes that are not instructions.
    Undecodable,
    /// Fewer than five bytes of movable instructions around the site.
    NoRoom,
    /// A branch leads between the site and its neighbours.
    Crowded,
    /// An indirect jump in the function may lead anywhere in it.
    IndirectJump,
    /// An instruction of the window would mean something else at another address.
    NotMovable,
    /// A displacement of 32 bits does not reach from the stub.
    TooFar,
}

impl fmt::Display for Reason {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Reason::NoFunction => "no unwind entry covers it",
            Reason::Undecodable => "its function holds bytes that are not instructions",
            Reason::NoRoom => "fewer than five bytes of movable instructions",
            Reason::Crowded => "a branch leads in between",
            Reason::IndirectJump => "an indirect jump may lead in between",
            Reason::NotMovable => "a neighbour cannot be moved",
            Reason::TooFar => "the stub is more than 2 GiB away",
        })
    }
}

/// Calls `each` with every `syscall` instruction of `image`, in the order of addresses within each
/// text segment. `wanted` tells which system call numbers are to be rewritten; sites whose number
/// is not known always are.
pub fn find(image: &Image<'_>, wanted: &dyn Fn(u32) -> bool, each: &mut dyn FnMut(Site)) {
    let functions = Functions::of(image);
    let mut body = Body::default();
    let mut outside = Outside::default();
    // End of the last window: windows must not overlap.
    let mut free_from = 0;
    for text in image.text {
        let hits: Vec<u64> =
            memchr::memmem::find_iter(text.bytes, &SYSCALL).map(|offset| text.address + offset as u64).collect();
        if hits.is_empty() {
            continue;
        }
        let mut rest = &hits[..];
        while let Some(&hit) = rest.first() {
            let number = number::plausible(text, hit);
            let function = functions.containing(hit).or_else(|| number.and_then(|_| functions.around_gap(hit)));
            let Some(function) = function.filter(|function| text.from(function.range.start).is_some()) else {
                rest = &rest[1..];
                if let Some(number) = number {
                    each(Site {
                        address: hit,
                        number,
                        function: hit..hit,
                        verdict: Verdict::Refused(Reason::NoFunction),
                    });
                }
                continue;
            };
            let inside;
            (inside, rest) = rest.split_at(rest.partition_point(|&hit| hit < function.range.end));
            // Most of the hits in large programs are parts of other instructions, which a look at
            // the function's beginning shows.
            body.begin(text, &function, inside[inside.len() - 1]);
            if !body.undecodable && !inside.iter().any(|&hit| body.index_of(hit).is_some()) {
                continue;
            }
            body.finish(image, text, &functions, &function, &mut outside);
            judge(text, &function, &body, inside, wanted, &mut free_from, each);
        }
    }
}

/// The instruction.
pub const SYSCALL: [u8; 2] = [0x0f, 0x05];

/// Decides on the `hits` in one decoded function. A hit that is not an instruction of it is no
/// site.
fn judge(
    text: &Segment<'_>,
    function: &Function,
    body: &Body,
    hits: &[u64],
    wanted: &dyn Fn(u32) -> bool,
    free_from: &mut u64,
    each: &mut dyn FnMut(Site),
) {
    for &address in hits {
        let site = |number, verdict| Site { address, number, function: function.range.clone(), verdict };
        if body.undecodable {
            if let Some(number) = number::plausible(text, address) {
                each(site(number, Verdict::Refused(Reason::Undecodable)));
            }
            continue;
        }
        let Some(index) = body.index_of(address) else {
            continue;
        };
        let number = number::at(body, index);
        if let Number::Known(known) = number
            && !wanted(known)
        {
            each(site(number, Verdict::Leave));
            continue;
        }
        each(site(
            number,
            match window::choose(body, index, *free_from) {
                Ok(window) => {
                    *free_from = window.end;
                    Verdict::Rewrite(window)
                }
                Err(reason) => Verdict::Refused(reason),
            },
        ));
    }
}
