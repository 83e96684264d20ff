//! The code that a rewritten site jumps to.
//!
//! ```text
//! stub:          lead instructions
//!                lea   rcx, [rip -> syscall_here]      7 bytes
//!                jmp   qword ptr [rip -> gate_slot]    6 bytes
//!                .quad window.start                    8 bytes
//!                .quad window.syscall + 2              8 bytes
//!                .quad back_address                    8 bytes
//! syscall_here:  syscall                               2 bytes
//!                tail instructions
//!                jmp   window.end                      5 bytes
//! ```
//!
//! The system call clobbers rcx anyway, so rcx may tell the gate where it was entered from. A gate
//! that does not answer the call jumps to rcx. One that answered jumps to `[rcx - 8]`: with no tail
//! that is the original code, so that unwinding and debuggers see the program's own addresses.
//! Going on at the `lea` with the call's number in rax makes the call again. The other two words tell where the original
//! code was ([`original`]): what handlers of signals and unwinders are shown.
//!
//! Instructions are moved by copying their bytes; only displacements relative to the instruction
//! pointer change.

use alloc::vec::Vec;

use iced_x86::{Code, Decoder, DecoderOptions, FlowControl, Instruction, OpKind};

use crate::window::{JUMP_LENGTH, NEIGHBOURS};
use crate::{Reason, SYSCALL, Window};

const INT3: u8 = 0xcc;

/// No stub is longer, in bytes: what is fixed, and the most neighbours that move, none of which
/// gets longer than 15 bytes.
pub const STUB_LIMIT: usize = 44 + 2 * NEIGHBOURS * 15;

/// Bytes from the `lea` to the `syscall`.
pub const GATE_ENTRY: u64 = 13 + 3 * 8;

/// A stub's machine code, for the address it was encoded for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stub {
    pub bytes: Vec<u8>,
    /// Where in `bytes` the moved `syscall` instruction is.
    pub syscall_offset: u32,
}

/// Makes the stub of `window`, whose original bytes are `code`, to stand at `stub_address` and to
/// enter the gate whose address the 8-byte word at `gate_slot` holds.
pub fn encode(window: &Window, code: &[u8], stub_address: u64, gate_slot: u64) -> Result<Stub, Reason> {
    let lead_length = (window.syscall - window.start) as usize;
    let lead = code.get(..lead_length).ok_or(Reason::Undecodable)?;
    let tail =
        code.get(lead_length + SYSCALL.len()..(window.end - window.start) as usize).ok_or(Reason::Undecodable)?;
    let mut writer = Writer { address: stub_address, bytes: Vec::with_capacity(64) };

    writer.moved(lead, window.start)?;
    writer.bytes.extend_from_slice(&[0x48, 0x8d, 0x0d, 30, 0, 0, 0]);
    writer.bytes.extend_from_slice(&[0xff, 0x25]);
    writer.displacement(gate_slot)?;
    let syscall_offset = writer.bytes.len() + 3 * size_of::<u64>();
    let after_syscall = stub_address + (syscall_offset + SYSCALL.len()) as u64;
    let back_address = if tail.is_empty() { window.end } else { after_syscall };
    writer.bytes.extend_from_slice(&window.start.to_le_bytes());
    writer.bytes.extend_from_slice(&(window.syscall + SYSCALL.len() as u64).to_le_bytes());
    writer.bytes.extend_from_slice(&back_address.to_le_bytes());
    writer.bytes.extend_from_slice(&SYSCALL);
    writer.moved(tail, window.syscall + SYSCALL.len() as u64)?;
    writer.bytes.push(0xe9);
    writer.displacement(window.end)?;
    Ok(Stub { bytes: writer.bytes, syscall_offset: syscall_offset as u32 })
}

/// The bytes to put into `window`: a jump to the stub, then breakpoints, which nothing reaches.
/// `None` if the stub is too far.
pub fn jump(window: &Window, stub_address: u64) -> Option<Vec<u8>> {
    let mut writer = Writer { address: window.start, bytes: Vec::with_capacity(16) };
    writer.bytes.push(0xe9);
    writer.displacement(stub_address).ok()?;
    writer.bytes.resize((window.end - window.start) as usize, INT3);
    Some(writer.bytes)
}

/// The address in the original code of what stands at `offset` in `stub`, the bytes of a stub at `address` whose system
/// call is at `syscall`. The whole way from the `lea` to the system call is that call. `None` inside a row of moved
/// instructions that have other lengths than before.
pub fn original(stub: &[u8], address: u64, syscall: usize, offset: usize) -> Option<u64> {
    let word = |place: usize| Some(u64::from_le_bytes(stub.get(place..place + 8)?.try_into().ok()?));
    let entry = syscall.checked_sub(GATE_ENTRY as usize)?;
    let (start, behind) = (word(syscall - 24)?, word(syscall - 16)?);
    if offset < entry {
        let same_length = behind - SYSCALL.len() as u64 - start == entry as u64;
        return (same_length || offset == 0).then_some(start + offset as u64);
    }
    if offset <= syscall {
        return Some(behind - SYSCALL.len() as u64);
    }
    let (tail, jump) = (syscall + SYSCALL.len(), stub.len().checked_sub(JUMP_LENGTH as usize)?);
    let displacement = i32::from_le_bytes(stub.get(jump + 1..jump + 5)?.try_into().ok()?);
    let end = (address + stub.len() as u64).wrapping_add_signed(i64::from(displacement));
    if offset == jump {
        return Some(end);
    }
    let same_length = end - behind == (jump - tail) as u64;
    (same_length || offset == tail).then_some(behind + (offset - tail) as u64)
}

/// Whether `instruction` does the same at another address once its displacement is adapted.
pub fn is_movable(instruction: &Instruction) -> bool {
    match instruction.flow_control() {
        // Where indirect branches must land on `endbr64`, it must stay where it is.
        FlowControl::Next => instruction.code() != Code::Endbr64,
        FlowControl::ConditionalBranch | FlowControl::UnconditionalBranch => far_opcode(instruction).is_some(),
        _ => false,
    }
}

/// The opcode of the 32-bit form of a direct jump; `None` for loops, for `jrcxz` and for jumps with
/// prefixes, which compilers do not write.
fn far_opcode(instruction: &Instruction) -> Option<&'static [u8]> {
    const CONDITIONAL: [[u8; 2]; 16] = {
        let mut opcodes = [[0x0f, 0x80]; 16];
        let mut condition = 0;
        while condition < opcodes.len() {
            opcodes[condition][1] += condition as u8;
            condition += 1;
        }
        opcodes
    };
    if instruction.is_jmp_short_or_near() {
        let plain = instruction.len() == if instruction.is_jmp_short() { 2 } else { 5 };
        return plain.then_some(&[0xe9]);
    }
    if !instruction.is_jcc_short_or_near() || instruction.len() != if instruction.is_jcc_short() { 2 } else { 6 } {
        return None;
    }
    // Condition codes are numbered as in the opcode, from 1 (iced's `ConditionCode::o` = opcode
    // 0x80).
    Some(&CONDITIONAL[instruction.condition_code() as usize - 1])
}

/// Machine code in the making, to stand at `address`.
struct Writer {
    address: u64,
    bytes: Vec<u8>,
}

impl Writer {
    /// Appends the 32-bit distance from the end of that field to `target`.
    fn displacement(&mut self, target: u64) -> Result<(), Reason> {
        let field = self.distance(target, self.bytes.len() + size_of::<i32>())?;
        self.bytes.extend_from_slice(&field);
        Ok(())
    }

    /// Distance to `target` from the byte at `offset`.
    fn distance(&self, target: u64, offset: usize) -> Result<[u8; 4], Reason> {
        let distance = target.wrapping_sub(self.address + offset as u64) as i64;
        i32::try_from(distance).map(i32::to_le_bytes).map_err(|_| Reason::TooFar)
    }

    /// Appends the instructions `code`, which stood at `origin`.
    fn moved(&mut self, code: &[u8], origin: u64) -> Result<(), Reason> {
        let mut decoder = Decoder::with_ip(64, code, origin, DecoderOptions::NONE);
        while decoder.can_decode() {
            let start = decoder.position();
            let instruction = decoder.decode();
            if instruction.is_invalid() {
                return Err(Reason::Undecodable);
            }
            if !is_movable(&instruction) {
                return Err(Reason::NotMovable);
            }
            if instruction.op0_kind() == OpKind::NearBranch64 {
                self.bytes.extend_from_slice(far_opcode(&instruction).ok_or(Reason::NotMovable)?);
                self.displacement(instruction.near_branch64())?;
                continue;
            }
            let copy = self.bytes.len();
            self.bytes.extend_from_slice(&code[start..start + instruction.len()]);
            if instruction.is_ip_rel_memory_operand() {
                let field = copy + decoder.get_constant_offsets(&instruction).displacement_offset();
                let distance = self.distance(instruction.ip_rel_memory_address(), self.bytes.len())?;
                self.bytes[field..field + size_of::<i32>()].copy_from_slice(&distance);
            }
        }
        Ok(())
    }
}

const _: () = assert!(JUMP_LENGTH == 1 + size_of::<i32>() as u64);

#[cfg(test)]
mod tests {
    use iced_x86::{Code, ConditionCode, Register};

    use super::*;
    use crate::Verdict;
    use crate::synthetic::{MOV_FUTEX, RET, SYSCALL, Synthetic, TEXT};

    const STUB: u64 = TEXT - 0x12345;
    const SLOT: u64 = TEXT - 0x20000;

    fn stub_of(code: &[&[u8]]) -> (Window, Stub) {
        let image = Synthetic::function(code);
        let Verdict::Rewrite(window) = image.site().verdict else { panic!("refused") };
        let stub = encode(&window, image.code(window.start..window.end), STUB, SLOT).unwrap();
        assert!(stub.bytes.len() <= STUB_LIMIT);
        (window, stub)
    }

    fn instructions(bytes: &[u8], address: u64) -> Vec<Instruction> {
        Decoder::with_ip(64, bytes, address, DecoderOptions::NONE).into_iter().collect()
    }

    /// The moved instructions before and after the system call. Checks that all that stands between
    /// them is as the file's head describes it.
    fn moved(window: &Window, stub: &Stub) -> (Vec<Instruction>, Vec<Instruction>) {
        let syscall = stub.syscall_offset as usize;
        let fixed = syscall - GATE_ENTRY as usize;
        let entry = instructions(&stub.bytes[fixed..syscall - 24], STUB + fixed as u64);
        assert_eq!((entry[0].code(), entry[0].op0_register()), (Code::Lea_r64_m, Register::RCX));
        assert_eq!(entry[0].ip_rel_memory_address(), STUB + syscall as u64);
        assert_eq!((entry[1].code(), entry[1].ip_rel_memory_address()), (Code::Jmp_rm64, SLOT));
        assert_eq!(entry.len(), 2);
        assert_eq!(&stub.bytes[syscall..syscall + 2], SYSCALL);
        let mut tail = instructions(&stub.bytes[syscall + 2..], STUB + syscall as u64 + 2);
        let last = tail.pop().unwrap();
        assert_eq!((last.code(), last.near_branch64()), (Code::Jmp_rel32_64, window.end));
        let start = u64::from_le_bytes(stub.bytes[syscall - 24..syscall - 16].try_into().unwrap());
        assert_eq!(start, window.start);
        let back = u64::from_le_bytes(stub.bytes[syscall - 8..syscall].try_into().unwrap());
        assert_eq!(back, if tail.is_empty() { window.end } else { STUB + syscall as u64 + 2 });
        (instructions(&stub.bytes[..fixed], STUB), tail)
    }

    #[test]
    fn without_a_tail_the_answer_goes_back_to_the_original_code() {
        let (window, stub) = stub_of(&[MOV_FUTEX, SYSCALL, RET]);
        let (lead, tail) = moved(&window, &stub);
        assert_eq!((lead.len(), tail.len()), (1, 0));
        assert_eq!((lead[0].op0_register(), lead[0].immediate32()), (Register::EAX, 202));
    }

    #[test]
    fn every_place_in_a_stub_has_its_original() {
        // mov $202, %eax; syscall
        let (window, stub) = stub_of(&[MOV_FUTEX, SYSCALL, RET]);
        let syscall = stub.syscall_offset as usize;
        let at = |offset| original(&stub.bytes, STUB, syscall, offset);
        assert_eq!(at(0), Some(window.start));
        assert_eq!(at(5), Some(window.syscall));
        assert_eq!(at(syscall), Some(window.syscall));
        assert_eq!(at(syscall + 2), Some(window.end));
        // syscall; test eax, eax; jne, which becomes longer; ret
        let (window, stub) = stub_of(&[SYSCALL, &[0x85, 0xc0], &[0x75, 0x40], RET]);
        let syscall = stub.syscall_offset as usize;
        let at = |offset| original(&stub.bytes, STUB, syscall, offset);
        assert_eq!(at(0), Some(window.syscall));
        assert_eq!(at(syscall + 2), Some(window.syscall + 2));
        assert_eq!(at(syscall + 4), None);
        assert_eq!(at(stub.bytes.len() - 5), Some(window.end));
    }

    #[test]
    fn addresses_relative_to_the_instruction_stay_the_same() {
        // lea rsi, [rip + 0x100]; syscall
        let (window, stub) = stub_of(&[&[0x48, 0x8d, 0x35, 0, 1, 0, 0], SYSCALL, RET]);
        let (lead, _) = moved(&window, &stub);
        assert_eq!((lead[0].op0_register(), lead[0].ip_rel_memory_address()), (Register::RSI, TEXT + 7 + 0x100));
        // syscall; mov dword ptr [rip - 16], 7: an immediate follows the displacement
        let (window, stub) = stub_of(&[SYSCALL, &[0xc7, 0x05, 0xf0, 0xff, 0xff, 0xff, 7, 0, 0, 0], RET]);
        let (_, tail) = moved(&window, &stub);
        assert_eq!((tail[0].ip_rel_memory_address(), tail[0].immediate32()), (TEXT + 12 - 16, 7));
    }

    #[test]
    fn every_short_conditional_jump_becomes_a_far_one_to_the_same_place() {
        for condition in 0..16 {
            // syscall; test eax, eax; j.. +0x40; ret
            let (window, stub) = stub_of(&[SYSCALL, &[0x85, 0xc0], &[0x70 + condition, 0x40], RET]);
            let (_, tail) = moved(&window, &stub);
            let original = instructions(&[0x70 + condition, 0x40], TEXT + 4)[0];
            assert_ne!(original.condition_code(), ConditionCode::None);
            assert_eq!(tail[1].condition_code(), original.condition_code());
            assert_eq!(tail[1].near_branch64(), TEXT + 6 + 0x40);
            assert!(tail[1].is_jcc_near());
        }
    }

    #[test]
    fn a_jump_back_to_the_window_leads_to_the_window() {
        // mov eax, edx; syscall; jmp to the start
        let (window, stub) = stub_of(&[&[0x89, 0xd0], SYSCALL, &[0xeb, 0xfa]]);
        let (lead, tail) = moved(&window, &stub);
        assert_eq!(lead.len(), 1);
        assert_eq!(tail[0].near_branch64(), window.start);
    }

    #[test]
    fn far_branches_keep_their_target() {
        // syscall; jne far; ret
        let (window, stub) = stub_of(&[SYSCALL, &[0x0f, 0x85, 0, 2, 0, 0], RET]);
        let (_, tail) = moved(&window, &stub);
        assert_eq!(tail[0].near_branch64(), TEXT + 8 + 0x200);
    }

    #[test]
    fn what_would_change_its_meaning_is_not_moved() {
        // jrcxz; loop; a jump with a prefix; call; ret; syscall
        for code in [&[0xe3, 0][..], &[0xe2, 0], &[0x2e, 0x75, 0], &[0xe8, 0, 0, 0, 0], &[0xc3], SYSCALL] {
            let instruction = instructions(code, TEXT)[0];
            assert!(!is_movable(&instruction), "{code:x?}");
            let code = [SYSCALL, code, &[0x90; 3]].concat();
            let window = Window { start: TEXT, syscall: TEXT, end: TEXT + code.len() as u64 };
            assert_eq!(encode(&window, &code, STUB, SLOT), Err(Reason::NotMovable));
        }
    }

    #[test]
    fn the_jump_fills_the_window() {
        let window = Window { start: TEXT, syscall: TEXT + 5, end: TEXT + 8 };
        let bytes = jump(&window, STUB).unwrap();
        assert_eq!(bytes.len(), 8);
        assert_eq!(instructions(&bytes, TEXT)[0].near_branch64(), STUB);
        assert_eq!(&bytes[5..], [INT3; 3]);
    }

    #[test]
    fn what_is_out_of_reach_is_refused() {
        let window = Window { start: TEXT, syscall: TEXT + 5, end: TEXT + 7 };
        let code = [MOV_FUTEX, SYSCALL].concat();
        let far = TEXT + (1 << 31) + 16;
        assert_eq!(jump(&window, far), None);
        assert_eq!(encode(&window, &code, far, far + 64), Err(Reason::TooFar));
        assert_eq!(encode(&window, &code, STUB, far), Err(Reason::TooFar));
    }
}
