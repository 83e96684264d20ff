//! Rewriting: the `syscall` instructions of the loaded objects become jumps to stubs, and the stubs
//! enter the gate.
//!
//! [`activate`] does it once for all that is loaded at that time; [`late`] for what `dlopen` brings
//! afterwards. Finding sites and encoding stubs is `grivet_sites`; here memory is mapped and
//! changed. Nothing here calls the program's libc, which is being rewritten, except for
//! `dl_iterate_phdr`, which is asked for the list of objects before anything is changed.
//!
//! No page is ever writable and executable at once: stubs are written before they become
//! executable, and text loses its execute permission while jumps are written into it.

mod entries;
pub mod late;
mod object;
mod patch;
mod stubs;

use alloc::vec::Vec;
use core::fmt;
use core::mem;

use grivet_sites::{Verdict, answered, encode, find, jump};

use crate::raw::Errno;
use object::Object;
use patch::{Patch, PatchedText};
use stubs::{Gate, Region};

pub use entries::{EntryPatch, rewrite_entries};
pub use object::{DlIteratePhdr, Loaded, all_loaded, has_go, own_span};

/// What was found and done.
#[derive(Clone, Copy, Debug, Default)]
pub struct Summary {
    /// Objects that were searched.
    pub objects: usize,
    pub sites_rewritten: usize,
    /// Sites of system calls that grivet has no interest in.
    pub sites_left: usize,
    /// Sites that could not be rewritten.
    pub sites_refused: usize,
}

/// Why rewriting was refused: a system call failed, nothing was changed.
#[derive(Clone, Copy, Debug)]
pub struct Refused {
    /// What was being done, as in "making code writable".
    pub step: &'static str,
    pub errno: Errno,
}

impl fmt::Display for Refused {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} failed: {}", self.step, self.errno)
    }
}

/// Rewrites every object loaded now. To be called once, outside of the dynamic linker, while the
/// process has one kernel thread: another one could be waiting in a system call, to return into the
/// middle of a jump.
pub fn activate() -> Result<Summary, Refused> {
    let mut summary = Summary::default();
    patch::probe()?;
    let mut rewritings = Vec::new();
    for object in object::loaded() {
        rewritings.extend(Rewriting::prepare(&object, &mut summary)?);
    }
    let mut texts: Vec<&mut PatchedText> = rewritings.iter_mut().flat_map(|rewriting| &mut rewriting.texts).collect();
    patch::apply(&mut texts)?;
    // Objects loaded at the start are never unloaded, or by the time they are their code has long
    // been left.
    rewritings.into_iter().for_each(|rewriting| mem::forget(rewriting.stubs));
    Ok(summary)
}

/// One object's stubs, ready to run, and the jumps to them, not yet written.
struct Rewriting {
    stubs: Region,
    texts: Vec<PatchedText>,
}

impl Rewriting {
    /// Finds the sites of `object`, adding to `summary`, and makes their stubs. `None` if there is
    /// nothing to rewrite.
    fn prepare(object: &Object, summary: &mut Summary) -> Result<Option<Self>, Refused> {
        let mut windows = Vec::new();
        find(&object.image(), &answered, &mut |site| match site.verdict {
            Verdict::Leave => summary.sites_left += 1,
            Verdict::Refused(_) => summary.sites_refused += 1,
            Verdict::Rewrite(window) => windows.push(window),
        });
        summary.objects += 1;
        if windows.is_empty() {
            return Ok(None);
        }
        let gate = if object.is_c_library() { Gate::Narrow } else { Gate::Wide };
        let mut stubs = Region::near(object.span(), windows.len())?;
        let mut texts: Vec<PatchedText> = object.text().map(PatchedText::new).collect();
        for window in windows {
            let Some(text) = texts.iter_mut().find(|text| text.contains(&window)) else {
                continue;
            };
            let stub_address = stubs.next() as u64;
            let stub = encode(&window, text.code(&window), stub_address, stubs.slot(gate) as u64);
            match (stub, jump(&window, stub_address)) {
                (Ok(stub), Some(jump)) => {
                    stubs.push(&stub.bytes);
                    text.patches.push(Patch { address: window.start as usize, bytes: jump });
                    summary.sites_rewritten += 1;
                }
                _ => summary.sites_refused += 1,
            }
        }
        stubs.seal()?;
        Ok(Some(Rewriting { stubs, texts }))
    }
}
