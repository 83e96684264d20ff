//! Where the indirect jumps of a function lead, when they are a compiler's `switch`.
//!
//! GCC and LLVM write position-independent ones as
//!
//! ```text
//! lea    base, [rip + table]
//! movsxd entry, dword ptr [base + index*4]
//! add    entry, base                          (or the other way round)
//! jmp    entry
//! ```
//!
//! with a table of 32-bit distances from `base`, and others as `jmp [table + index*8]` with a table
//! of addresses. Where a table ends is not written anywhere, so it is read until an entry does not
//! lead into text: too many targets at worst make a window be refused.

use alloc::vec::Vec;

use iced_x86::{Code, FlowControl, Instruction, OpKind, Register};

use crate::{Image, Segment};

/// How far before the jump its `movsxd` is looked for, in instructions: the compiler's scheduler
/// may put others in between.
const DISTANCE: usize = 12;

/// A table of more entries than this is not believed.
const ENTRIES: usize = 4096;

/// Adds to `targets` where the indirect jumps among `instructions` lead. `None` if one of them is
/// not understood.
pub fn add_targets(
    image: &Image<'_>,
    text: &Segment<'_>,
    instructions: &[Instruction],
    targets: &mut Vec<u64>,
) -> Option<()> {
    let mut relative = false;
    for (index, jump) in instructions.iter().enumerate() {
        // A jump through a fixed word of memory goes to another object (`jmp
        // *symbol@GOTPCREL(%rip)`).
        if jump.flow_control() != FlowControl::IndirectBranch || jump.is_ip_rel_memory_operand() {
            continue;
        }
        if jump.op0_kind() == OpKind::Register {
            loads_entry(&instructions[index.saturating_sub(DISTANCE)..index], jump.op0_register())?;
            relative = true;
        } else {
            (jump.memory_base() == Register::None && jump.memory_index_scale() == 8).then_some(())?;
            read_absolute(image, text, jump.memory_displacement64(), targets)?;
        }
    }
    // Which table belongs to which jump does not matter: all of them may be reached.
    let read = |table: u64| read_relative(image, text, table, targets);
    if relative && tables(instructions).map(read).sum::<usize>() == 0 {
        return None;
    }
    Some(())
}

/// Whether the instructions before `jmp target` load a table's entry into it.
fn loads_entry(before: &[Instruction], target: Register) -> Option<()> {
    let add = before.iter().rposition(|add| {
        matches!(add.code(), Code::Add_r64_rm64 | Code::Add_rm64_r64)
            && add.op0_register() == target
            && add.op1_kind() == OpKind::Register
    })?;
    let sum = [target, before[add].op1_register()];
    before[..add]
        .iter()
        .any(|load| {
            load.code() == Code::Movsxd_r64_rm32
                && load.op1_kind() == OpKind::Memory
                && load.memory_index_scale() == 4
                && load.memory_displacement64() == 0
                && (sum == [load.op0_register(), load.memory_base()]
                    || sum == [load.memory_base(), load.op0_register()])
        })
        .then_some(())
}

/// What the function takes the address of: its tables are among it.
fn tables(instructions: &[Instruction]) -> impl Iterator<Item = u64> {
    instructions
        .iter()
        .filter(|lea| lea.code() == Code::Lea_r64_m && lea.is_ip_rel_memory_operand())
        .map(Instruction::ip_rel_memory_address)
}

/// Reads distances from `table`; how many lead into `text`.
fn read_relative(image: &Image<'_>, text: &Segment<'_>, table: u64, targets: &mut Vec<u64>) -> usize {
    let before = targets.len();
    let (entries, _) = image.bytes_from(table).unwrap_or_default().as_chunks();
    let addresses = entries.iter().map(|&entry| table.wrapping_add_signed(i64::from(i32::from_le_bytes(entry))));
    // Distance 0, the table itself, is padding.
    targets.extend(addresses.take_while(|&target| target != table && text.from(target).is_some()).take(ENTRIES));
    targets.len() - before
}

/// Reads addresses from `table`, of which at least one must lead into `text`.
fn read_absolute(image: &Image<'_>, text: &Segment<'_>, table: u64, targets: &mut Vec<u64>) -> Option<()> {
    let before = targets.len();
    let (entries, _) = image.bytes_from(table)?.as_chunks();
    let addresses = entries.iter().map(|&entry| u64::from_le_bytes(entry));
    targets.extend(addresses.take_while(|&target| text.from(target).is_some()).take(ENTRIES));
    (targets.len() > before).then_some(())
}
