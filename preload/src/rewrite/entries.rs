//! Function entries: the first bytes of the functions that spawn rules name become jumps to stubs, which enter a hook.

use super::object::Loaded;
use super::patch::{self, Patch, PatchedText};
use super::stubs::Region;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::mem;
use core::ops::Range;
use core::slice;
use grivet_sites::{encode_entry, entry};

/// A function whose entry is to be rewritten.
pub struct EntryPatch {
    pub loaded: Loaded,
    /// Its run-time addresses; empty if its size is not known.
    pub function: Range<u64>,
    /// A word that the stub hands to the hook.
    pub rule: u64,
    pub name: String,
    /// Where the address is to be written at which the function goes on behind its rewritten entry.
    pub body: *mut u64,
}

/// Rewrites all of them, or none, with a line that says why not.
pub fn rewrite_entries(patches: Vec<EntryPatch>, hook: u64) -> Result<(), String> {
    let mut done: Vec<(Region, Vec<PatchedText>)> = Vec::new();
    for patch in patches {
        // One after the other: each must see the padding that the ones before it have used.
        match rewrite_entry(&patch, hook) {
            Ok(rewritten) => done.push(rewritten),
            Err(reason) => {
                for (_, texts) in done.iter_mut().rev() {
                    // Applied once more, patches take themselves back.
                    let _ = patch::apply(&mut texts.iter_mut().collect::<Vec<_>>());
                }
                return Err(format!("{}: its entry cannot be rewritten: {reason}", patch.name));
            }
        }
    }
    // The stubs are in use from here on.
    mem::forget(done);
    Ok(())
}

fn rewrite_entry(wanted: &EntryPatch, hook: u64) -> Result<(Region, Vec<PatchedText>), String> {
    let object = wanted.loaded.object().ok_or("its object is not to be touched")?;
    let entry = entry(&object.image(), wanted.function.clone()).map_err(|reason| reason.to_string())?;
    let mut region = Region::near(object.span(), 2).map_err(|refused| refused.to_string())?;
    let slot = region.next() as u64;
    region.push(&hook.to_le_bytes());
    let at = region.next() as u64;
    let window = entry.window.clone();
    // SAFETY: the window lies in the object's mapped text.
    let code = unsafe { slice::from_raw_parts(window.start as *const u8, (window.end - window.start) as usize) };
    let stub = encode_entry(&entry, code, at, wanted.rule, slot).map_err(|reason| reason.to_string())?;
    region.push(&stub.bytes);
    region.seal().map_err(|refused| refused.to_string())?;
    let mut texts: Vec<PatchedText> = Vec::new();
    for change in stub.patches {
        let holds = |text: &PatchedText| text.holds(change.address as usize, change.bytes.len());
        let place = match texts.iter().position(holds) {
            Some(place) => place,
            None => {
                let segment = object.text().map(PatchedText::new).find(holds);
                texts.push(segment.ok_or("it is not in the object's code")?);
                texts.len() - 1
            }
        };
        texts[place].patches.push(Patch { address: change.address as usize, bytes: change.bytes });
    }
    patch::apply(&mut texts.iter_mut().collect::<Vec<_>>()).map_err(|refused| refused.to_string())?;
    // SAFETY: the rule lives as long as the process, and no call has come to the entry yet.
    unsafe { wanted.body.write(at + u64::from(stub.body_offset)) };
    Ok((region, texts))
}
