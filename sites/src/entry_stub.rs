//! The code that a rewritten function entry jumps to.
//!
//! ```text
//! stub:   push  qword ptr [rip -> rule]          6 bytes
//!         jmp   qword ptr [rip -> hook_slot]     6 bytes
//! rule:   .quad rule_address                     8 bytes
//! body:   moved instructions
//!         jmp   window.end                       5 bytes, or 14: jmp [rip]; .quad window.end
//! ```
//!
//! The hook finds the rule's address at `[rsp]`, the return address of the call at `[rsp + 8]`, and
//! every register as the call left it. Having taken the rule's address off the stack, it goes on
//! with the original function at `body`.
//!
//! A call that ends the window must return to the original code, where unwinders and debuggers know
//! their way. So it becomes
//!
//! ```text
//!         push  qword ptr [rip -> back]
//!         jmp   target
//! back:   .quad window.end
//! ```
//!
//! (Hardware shadow stacks, which Linux 6.6 and glibc 2.39 brought for programs built for them,
//! would object.) A call in the middle of a window, of which only `call reg` and `call [reg]` are
//! short enough, returns into the stub; an exception that leaves the callee ends the program there,
//! for want of unwind tables. [`entry`](crate::entry) chooses such a window only if there is no
//! other.

use alloc::vec::Vec;

use iced_x86::{Decoder, DecoderOptions, FlowControl, Instruction, OpKind};

use crate::window::JUMP_LENGTH;
use crate::{Entry, EntryReason};

const INT3: u8 = 0xcc;
const PUSH_RIP: [u8; 2] = [0xff, 0x35];
const JMP_RIP: [u8; 2] = [0xff, 0x25];

/// No stub is longer, in bytes: what is fixed, the longest window (four bytes, and an instruction
/// of 15), three jumps in it that get longer by as much as twelve bytes, and a call at its end.
pub const ENTRY_STUB_LIMIT: usize = 20 + 19 + 3 * 12 + 28;

/// Bytes to be written over those of the image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Patch {
    pub address: u64,
    pub bytes: Vec<u8>,
}

/// A stub's machine code, for the address it was encoded for, and all that must change in the image
/// for it to be entered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EntryStub {
    pub bytes: Vec<u8>,
    /// Where in `bytes` the moved instructions begin.
    pub body_offset: u32,
    /// In the order in which they are to be written: whoever runs the function meanwhile finds each
    /// relay in place before a branch leads to it. The last one is the window.
    pub patches: Vec<Patch>,
}

/// Makes the stub of `entry`, whose window's original bytes are `code`, to stand at `stub_address`,
/// to push `rule_address` and to enter the hook whose address the 8-byte word at `hook_slot` holds.
pub fn encode_entry(
    entry: &Entry,
    code: &[u8],
    stub_address: u64,
    rule_address: u64,
    hook_slot: u64,
) -> Result<EntryStub, EntryReason> {
    let window = &entry.window;
    // Padding does not move.
    let moved_end = window.end.min(entry.function.end);
    let moved = code.get(..(moved_end - window.start) as usize).ok_or(EntryReason::Undecodable)?;
    let mut writer = Writer { address: stub_address, bytes: Vec::with_capacity(ENTRY_STUB_LIMIT) };
    writer.bytes.extend_from_slice(&PUSH_RIP);
    writer.bytes.extend_from_slice(&(JMP_RIP.len() as u32 + 4).to_le_bytes());
    writer.bytes.extend_from_slice(&JMP_RIP);
    writer.displacement(hook_slot)?;
    writer.bytes.extend_from_slice(&rule_address.to_le_bytes());

    let body_offset = writer.bytes.len();
    let instructions = Moved::append(&mut writer, entry, moved)?;
    if instructions.run_on {
        writer.jump(window.end);
    }

    let mut patches = Vec::with_capacity(2 + 2 * entry.redirects.len());
    if let Some(relay) = entry.relay {
        patches.push(wide_jump(relay, stub_address)?);
    }
    for redirect in &entry.redirects {
        let target = instructions.now_at(entry, redirect.target).ok_or(EntryReason::Undecodable)?;
        match redirect.relay {
            None => {
                let field = redirect.end - size_of::<i32>() as u64;
                let distance = wide_distance(target, redirect.end)?;
                patches.push(Patch { address: field, bytes: distance.to_vec() });
            }
            Some(relay) => {
                patches.push(wide_jump(relay, target)?);
                let distance = short_distance(relay, redirect.end)?;
                patches.push(Patch { address: redirect.end - 1, bytes: [distance].to_vec() });
            }
        }
    }
    patches.push(window_patch(entry, stub_address)?);
    Ok(EntryStub { bytes: writer.bytes, body_offset: body_offset as u32, patches })
}

/// The jump in the window, then breakpoints, which nothing reaches.
fn window_patch(entry: &Entry, stub_address: u64) -> Result<Patch, EntryReason> {
    let start = entry.window.start;
    let mut patch = match entry.relay {
        None => wide_jump(start, stub_address)?,
        Some(relay) => Patch { address: start, bytes: [0xeb, short_distance(relay, start + 2)?].to_vec() },
    };
    patch.bytes.resize((entry.window.end - start) as usize, INT3);
    Ok(patch)
}

/// `jmp target`, at `address`.
fn wide_jump(address: u64, target: u64) -> Result<Patch, EntryReason> {
    let mut bytes = Vec::with_capacity(JUMP_LENGTH as usize);
    bytes.push(0xe9);
    bytes.extend_from_slice(&wide_distance(target, address + JUMP_LENGTH)?);
    Ok(Patch { address, bytes })
}

fn wide_distance(target: u64, end: u64) -> Result<[u8; 4], EntryReason> {
    i32::try_from(target.wrapping_sub(end) as i64).map(i32::to_le_bytes).map_err(|_| EntryReason::TooFar)
}

fn short_distance(target: u64, end: u64) -> Result<u8, EntryReason> {
    i8::try_from(target.wrapping_sub(end) as i64).map(|distance| distance as u8).map_err(|_| EntryReason::TooFar)
}

/// The instructions of a window in their new place.
struct Moved {
    /// Where each stood and stands.
    places: Vec<(u64, u64)>,
    /// Whether control runs on behind the last.
    run_on: bool,
}

impl Moved {
    /// Appends the instructions `code` of the window of `entry` to the stub.
    fn append(writer: &mut Writer, entry: &Entry, code: &[u8]) -> Result<Self, EntryReason> {
        let mut moved = Moved { places: Vec::new(), run_on: true };
        // Displacements to instructions that move as well, by the offset of the field.
        let mut inner = Vec::new();
        let mut decoder = Decoder::with_ip(64, code, entry.window.start, DecoderOptions::NONE);
        while decoder.can_decode() {
            let original = &code[decoder.position()..];
            let instruction = decoder.decode();
            if instruction.is_invalid() {
                return Err(EntryReason::Undecodable);
            }
            let original = &original[..instruction.len()];
            moved.places.push((instruction.ip(), writer.here()));
            moved.run_on = !matches!(
                instruction.flow_control(),
                FlowControl::Return
                    | FlowControl::UnconditionalBranch
                    | FlowControl::IndirectBranch
                    | FlowControl::Exception
            );
            let calls = instruction.is_call_near() || instruction.is_call_near_indirect();
            if calls && instruction.next_ip() == entry.window.end {
                writer.call(&instruction, original, &decoder, entry.window.end)?;
                moved.run_on = false;
            } else if instruction.op0_kind() == OpKind::NearBranch64 {
                let target = instruction.near_branch64();
                let opcode = Opcode::of(&instruction).ok_or(EntryReason::NotMovable(instruction.ip()))?;
                if target == entry.function.start || entry.window.contains(&target) {
                    writer.bytes.extend_from_slice(opcode.bytes());
                    inner.push((writer.bytes.len(), target));
                    writer.bytes.extend_from_slice(&[0; 4]);
                } else if opcode.is_jump() {
                    writer.jump(target);
                } else {
                    writer.bytes.extend_from_slice(opcode.bytes());
                    writer.displacement(target)?;
                }
            } else {
                writer.copy(&instruction, original, &decoder)?;
            }
        }
        for (field, target) in inner {
            let target = moved.now_at(entry, target).ok_or(EntryReason::Undecodable)?;
            let distance = writer.distance(target, field + size_of::<i32>())?;
            writer.bytes[field..field + size_of::<i32>()].copy_from_slice(&distance);
        }
        Ok(moved)
    }

    /// Where the instruction now is that stood at `address`, or behind the `endbr64` there.
    fn now_at(&self, entry: &Entry, address: u64) -> Option<u64> {
        let address = if address == entry.function.start { entry.window.start } else { address };
        self.places.iter().find(|&&(stood, _)| stood == address).map(|&(_, stands)| stands)
    }
}

/// Opcode of a direct jump with a displacement of 32 bits.
struct Opcode([u8; 2]);

impl Opcode {
    const JUMP: [u8; 2] = [0xe9, 0];

    /// That of the jump `instruction` in its long form; `None` for loops and `jrcxz`, which have
    /// none.
    fn of(instruction: &Instruction) -> Option<Self> {
        if instruction.is_jmp_short_or_near() {
            return Some(Opcode(Self::JUMP));
        }
        // Condition codes are numbered as in the opcode, from 1.
        instruction.is_jcc_short_or_near().then(|| Opcode([0x0f, 0x80 + instruction.condition_code() as u8 - 1]))
    }

    fn is_jump(&self) -> bool {
        self.0 == Self::JUMP
    }

    fn bytes(&self) -> &[u8] {
        if self.is_jump() { &self.0[..1] } else { &self.0 }
    }
}

/// Machine code in the making, to stand at `address`.
struct Writer {
    address: u64,
    bytes: Vec<u8>,
}

impl Writer {
    /// Address of the next byte.
    fn here(&self) -> u64 {
        self.address + self.bytes.len() as u64
    }

    /// Distance to `target` from the byte at `offset`.
    fn distance(&self, target: u64, offset: usize) -> Result<[u8; 4], EntryReason> {
        wide_distance(target, self.address + offset as u64)
    }

    /// Appends the 32-bit distance from the end of that field to `target`.
    fn displacement(&mut self, target: u64) -> Result<(), EntryReason> {
        let field = self.distance(target, self.bytes.len() + size_of::<i32>())?;
        self.bytes.extend_from_slice(&field);
        Ok(())
    }

    /// Appends `jmp target`.
    fn jump(&mut self, target: u64) {
        match self.distance(target, self.bytes.len() + JUMP_LENGTH as usize) {
            Ok(distance) => {
                self.bytes.push(0xe9);
                self.bytes.extend_from_slice(&distance);
            }
            Err(_) => {
                self.bytes.extend_from_slice(&JMP_RIP);
                self.bytes.extend_from_slice(&[0; 4]);
                self.bytes.extend_from_slice(&target.to_le_bytes());
            }
        }
    }

    /// Appends the code of the instruction just decoded, with its address in memory unchanged.
    fn copy(&mut self, instruction: &Instruction, original: &[u8], decoder: &Decoder<'_>) -> Result<(), EntryReason> {
        let copy = self.bytes.len();
        self.bytes.extend_from_slice(original);
        if instruction.is_ip_rel_memory_operand() {
            let field = copy + decoder.get_constant_offsets(instruction).displacement_offset();
            let distance = self.distance(instruction.ip_rel_memory_address(), self.bytes.len())?;
            self.bytes[field..field + size_of::<i32>()].copy_from_slice(&distance);
        }
        Ok(())
    }

    /// Appends the call just decoded so that it returns to `back`.
    fn call(
        &mut self,
        call: &Instruction,
        original: &[u8],
        decoder: &Decoder<'_>,
        back: u64,
    ) -> Result<(), EntryReason> {
        self.bytes.extend_from_slice(&PUSH_RIP);
        let field = self.bytes.len();
        self.bytes.extend_from_slice(&[0; 4]);
        if call.is_call_near() {
            self.jump(call.near_branch64());
        } else {
            let copy = self.bytes.len();
            self.copy(call, original, decoder)?;
            // `call` is FF /2, `jmp` FF /4; what stands in front of FF are prefixes.
            let opcode = original.iter().position(|&byte| byte == 0xff).ok_or(EntryReason::Undecodable)?;
            self.bytes[copy + opcode + 1] ^= (2 ^ 4) << 3;
        }
        let distance = self.distance(self.here(), field + size_of::<i32>())?;
        self.bytes[field..field + size_of::<i32>()].copy_from_slice(&distance);
        self.bytes.extend_from_slice(&back.to_le_bytes());
        Ok(())
    }
}
