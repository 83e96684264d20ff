//! How control can arrive at a function's first bytes, other than by its own direct branches: by
//! jump tables, as a landing pad, from a piece of the function that the compiler put elsewhere, or
//! from another function altogether, as in hand-written code.

use alloc::vec::Vec;
use core::ops::Range;

use iced_x86::{Code, FlowControl, Instruction, OpKind};

use crate::body::Body;
use crate::functions::{Function, Functions};
use crate::{EntryReason, Image, Segment, branches, jump_tables, landing};

/// A table of more entries than this is not believed.
const ENTRIES: usize = 4096;

/// What is known of a function's indirect jumps, and of branches from outside of it.
pub struct Arrivals<'a> {
    image: &'a Image<'a>,
    text: &'a Segment<'a>,
    functions: &'a Functions<'a>,
    body: &'a Body,
    /// What was decoded: branches in it are known.
    range: Range<u64>,
    /// Where its jump tables lead.
    tables: Vec<u64>,
    pads: Vec<u64>,
    /// An indirect jump is not understood.
    indirect: bool,
}

impl<'a> Arrivals<'a> {
    pub fn of(
        image: &'a Image<'a>,
        text: &'a Segment<'a>,
        functions: &'a Functions<'a>,
        function: &Function,
        body: &'a Body,
    ) -> Self {
        let range = function.range.clone();
        let mut tables = Vec::new();
        let indirect = jump_tables::add_targets(image, text, &body.instructions, &mut tables).is_none();
        let mut pads = Vec::new();
        if let Some(table) = function.exceptions {
            // No exception arrives in front of the first call, so a table in an unknown form (of a
            // function in two pieces) tells nothing that matters here.
            let _ = landing::add_pads(image, table, range.start, &mut pads);
        }
        Arrivals { image, text, functions, body, range, tables, pads, indirect }
    }

    /// Checks that nothing but direct branches arrives in `window`, whose instructions are `moved`,
    /// behind the first of them, and that no jump table leads to the entry.
    pub fn check(&self, entry: u64, window: &Range<u64>, moved: &[Instruction]) -> Result<(), EntryReason> {
        // Where a jump table ends is not known: what was read may lead between instructions.
        let known = |target: &u64| self.tables.contains(target) || self.pads.contains(target);
        if let Some(target) = moved[1..].iter().map(Instruction::ip).find(known) {
            return Err(EntryReason::Crowded(target));
        }
        // A loop does not push at each turn, so such an entry of a table is none of it either.
        let pushes = matches!(moved[0].code(), Code::Push_r64 | Code::Push_rm64);
        if !pushes && (self.tables.contains(&entry) || self.tables.contains(&window.start)) {
            let jump = self.body.instructions.iter().find(|jump| jump.flow_control() == FlowControl::IndirectBranch);
            return Err(EntryReason::LoopToEntry(jump.map_or(entry, Instruction::ip)));
        }
        if self.indirect
            && let Some(target) = moved[1..].iter().map(Instruction::ip).find(|&target| self.is_written_down(target))
        {
            return Err(EntryReason::Crowded(target));
        }
        Ok(())
    }

    /// The direct branches of other code that lead into `window` behind its first instruction, or to
    /// the entry if they are those of a piece of this function.
    pub fn foreign_branches(&self, entry: u64, window: &Range<u64>) -> Vec<Instruction> {
        let mut body = Body::default();
        let mut ends = possible_ends(self.text, &(entry..window.end));
        ends.retain(|end| !self.range.contains(&(end - 1)));
        let branch_at = |end: u64| {
            let function = self.functions.containing(end - 1)?;
            body.begin(self.text, &function, end - 1);
            let branch = *body.instructions.iter().rfind(|instruction| instruction.next_ip() == end)?;
            let target = (branch.op0_kind() == OpKind::NearBranch64).then(|| branch.near_branch64())?;
            let inside = window.start < target && target < window.end;
            (inside || !branch.is_call_near() && self.is_piece(&function)).then_some(branch)
        };
        ends.into_iter().filter_map(branch_at).collect()
    }

    /// Whether `other` is a piece of this function: control passes to it by a conditional jump, or
    /// to the middle of it. Of other functions GCC does neither.
    fn is_piece(&self, other: &Function) -> bool {
        self.body.instructions.iter().any(|jump| {
            let target = branches::jump_target(jump).filter(|target| other.range.contains(target));
            target.is_some_and(|target| target != other.range.start || jump.is_jcc_short_or_near())
        })
    }

    /// Whether the image holds `target` where an indirect jump of the function could take it from:
    /// as an address anywhere (or as the addend of a relocation, in a file), or as a distance in a
    /// table that the function refers to.
    fn is_written_down(&self, target: u64) -> bool {
        let address = target.to_le_bytes();
        let finder = memchr::memmem::Finder::new(&address);
        self.image.data.iter().any(|segment| finder.find(segment.bytes).is_some())
            || self
                .body
                .instructions
                .iter()
                .filter(|lea| lea.code() == Code::Lea_r64_m && lea.is_ip_rel_memory_operand())
                .any(|lea| self.table_leads_to(lea.ip_rel_memory_address(), target))
    }

    fn table_leads_to(&self, table: u64, target: u64) -> bool {
        let (entries, _) = self.image.bytes_from(table).unwrap_or_default().as_chunks();
        entries
            .iter()
            .map(|&entry| table.wrapping_add_signed(i64::from(i32::from_le_bytes(entry))))
            .take_while(|&entry| self.text.from(entry).is_some())
            .take(ENTRIES)
            .any(|entry| entry == target)
    }
}

/// Where in `text` an instruction might end whose displacement leads to one of `targets`; sorted.
pub fn possible_ends(text: &Segment<'_>, targets: &Range<u64>) -> Vec<u64> {
    let mut ends = Vec::new();
    let count = targets.end.wrapping_sub(targets.start) as u32;
    // All modulo 2^32: no displacement leads further.
    let mut distance = targets.start.wrapping_sub(text.address + size_of::<i32>() as u64) as u32;
    for (offset, field) in text.bytes.array_windows().enumerate() {
        if u32::from_le_bytes(*field).wrapping_sub(distance) < count {
            ends.push(text.address + (offset + size_of::<i32>()) as u64);
        }
        distance = distance.wrapping_sub(1);
    }
    for target in targets.clone() {
        for distance in i8::MIN..=i8::MAX {
            let end = target.wrapping_add_signed(-i64::from(distance));
            if text.from(end.wrapping_sub(1)).is_some_and(|rest| rest[0] == distance as u8) {
                ends.push(end);
            }
        }
    }
    ends.sort_unstable();
    ends.dedup();
    ends
}
