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
mod stand_ins;
mod stubs;

use alloc::vec::Vec;
use core::fmt;
use core::mem;

use grivet_sites::{Verdict, answered, encode, find, jump};

use crate::raw::Errno;
use object::Object;
use patch::{Patch, PatchedText};
use stubs::{Gate, Region};

pub use stand_ins::stand_in;
pub use stubs::original;

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
        rewritings.extend(Rewriting::prepare(&object, &answered, &mut summary)?);
    }
    apply(rewritings)?;
    Ok(summary)
}

/// Rewrites the vDSO's own calls that read clocks, which are those that it cannot read in memory: CPU time. A kernel
/// that does not let it be changed keeps them.
pub fn activate_vdso() -> Result<(), Refused> {
    const CLOCK_GETTIME: u32 = 228;
    const CLOCK_GETRES: u32 = 229;
    let is_of_clocks = |number| matches!(number, CLOCK_GETTIME | CLOCK_GETRES);
    let Some(vdso) = object::vdso() else { return Ok(()) };
    let rewriting = Rewriting::prepare(&vdso, &is_of_clocks, &mut Summary::default())?;
    apply(rewriting.into_iter().collect())
}

fn apply(mut rewritings: Vec<Rewriting>) -> Result<(), Refused> {
    let mut texts: Vec<&mut PatchedText> = rewritings.iter_mut().flat_map(|rewriting| &mut rewriting.texts).collect();
    patch::apply(&mut texts)?;
    // Objects loaded at the start are never unloaded, or by the time they are their code has long
    // been left.
    for mut rewriting in rewritings {
        rewriting.stubs.enlist();
        mem::forget(rewriting.stubs);
    }
    Ok(())
}

/// One object's stubs, ready to run, and the jumps to them, not yet written.
struct Rewriting {
    stubs: Region,
    texts: Vec<PatchedText>,
}

impl Rewriting {
    /// Finds the sites of `object` whose calls are wanted, adding to `summary`, and makes their stubs. `None` if there is
    /// nothing to rewrite.
    fn prepare(
        object: &Object,
        is_wanted: &dyn Fn(u32) -> bool,
        summary: &mut Summary,
    ) -> Result<Option<Self>, Refused> {
        let mut windows = Vec::new();
        find(&object.image(), is_wanted, &mut |site| match site.verdict {
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
                    stubs.push_stub(&stub);
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
