//! Which instructions around a site make room for the jump.

use iced_x86::{Code, FlowControl, Instruction};

use crate::body::Body;
use crate::stub::is_movable;
use crate::{Reason, Window};

/// Length of `jmp rel32`, in bytes.
pub const JUMP_LENGTH: u64 = 5;

/// No window needs more neighbours than this to either side: each has at least one byte.
pub const NEIGHBOURS: usize = 4;

/// The window of the site at instruction `site` of `body`, wholly at or above `free_from`.
///
/// Instructions before the site are preferred: without a tail the code after the call runs where it
/// was written.
pub fn choose(body: &Body, site: usize, free_from: u64) -> Result<Window, Reason> {
    let mut crowded = false;
    let leads = count_leads(body, site, free_from, &mut crowded);
    let tails = count_tails(body, site, &mut crowded);
    if body.indirect {
        return after_constant(body, site).filter(|_| leads > 0).ok_or(Reason::IndirectJump);
    }
    let lead_only = (0..=leads).map(|lead| (lead, 0));
    let tail_only = (1..=tails).map(|tail| (0, tail));
    let both = (1..=leads).flat_map(|lead| (1..=tails).map(move |tail| (lead, tail)));
    lead_only
        .chain(tail_only)
        .chain(both)
        .map(|(lead, tail)| Window {
            start: body.instructions[site - lead].ip(),
            syscall: body.instructions[site].ip(),
            end: body.instructions[site + tail].next_ip(),
        })
        .find(|window| window.end - window.start >= JUMP_LENGTH)
        .ok_or(if crowded { Reason::Crowded } else { Reason::NoRoom })
}

/// How many instructions before the site can be moved with it. Sets `crowded` if a branch target
/// ends the row.
fn count_leads(body: &Body, site: usize, free_from: u64, crowded: &mut bool) -> usize {
    for lead in 0..NEIGHBOURS {
        if body.is_target(body.instructions[site - lead].ip()) {
            *crowded = true;
            return lead;
        }
        let Some(previous) = (site - lead).checked_sub(1).map(|index| &body.instructions[index]) else {
            return lead;
        };
        if previous.ip() < free_from
            || previous.flow_control() == FlowControl::UnconditionalBranch
            || !is_movable(previous)
        {
            return lead;
        }
    }
    NEIGHBOURS
}

/// How many instructions after the site can be moved with it. Sets `crowded` if a branch target
/// ends the row.
fn count_tails(body: &Body, site: usize, crowded: &mut bool) -> usize {
    for tail in 0..NEIGHBOURS {
        // Nothing runs on from a jump into what stands behind it.
        if tail > 0 && body.instructions[site + tail].flow_control() == FlowControl::UnconditionalBranch {
            return tail;
        }
        let Some(next) = body.instructions.get(site + tail + 1) else {
            return tail;
        };
        if body.is_target(next.ip()) {
            *crowded = true;
            return tail;
        }
        if !is_movable(next) {
            return tail;
        }
    }
    NEIGHBOURS
}

/// In a function whose jump table may lead anywhere, the pair `mov eax, constant; syscall` is still
/// safe: nothing jumps to a system call past the instruction that says which.
fn after_constant(body: &Body, site: usize) -> Option<Window> {
    let previous = &body.instructions[site.checked_sub(1)?];
    let syscall: &Instruction = &body.instructions[site];
    (previous.code() == Code::Mov_r32_imm32 && previous.op0_register() == iced_x86::Register::EAX).then(|| Window {
        start: previous.ip(),
        syscall: syscall.ip(),
        end: syscall.next_ip(),
    })
}
