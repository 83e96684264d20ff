//! Which system call a site makes: the constant that the straight line of code before it puts into
//! eax.

use iced_x86::{
    Code, Decoder, DecoderOptions, FlowControl, Instruction, InstructionInfoFactory, InstructionInfoOptions, OpAccess,
    OpKind, Register,
};

use crate::body::Body;
use crate::{Number, Segment};

/// The number at instruction `site` of `body`.
pub fn at(body: &Body, site: usize) -> Number {
    let mut register = Register::RAX;
    let mut following = site;
    let mut factory = InstructionInfoFactory::new();
    while following > 0 && !body.is_target(body.instructions[following].ip()) {
        let instruction = &body.instructions[following - 1];
        // What comes before a call need not hold after it; what comes before a jump does not lead
        // here.
        if !matches!(instruction.flow_control(), FlowControl::Next | FlowControl::ConditionalBranch) {
            break;
        }
        if writes(&mut factory, instruction, register) {
            match source(instruction) {
                Some(Source::Constant(number)) => return Number::Known(number),
                Some(Source::Register(from)) if !body.indirect => register = from,
                _ => break,
            }
        }
        if body.indirect {
            break;
        }
        following -= 1;
    }
    Number::Unknown
}

/// Where an instruction that only moves a value takes it from.
enum Source {
    Constant(u32),
    Register(Register),
}

fn source(instruction: &Instruction) -> Option<Source> {
    match instruction.code() {
        Code::Mov_r32_imm32 | Code::Mov_rm32_imm32 | Code::Mov_rm64_imm32 | Code::Mov_r64_imm64 => {
            u32::try_from(instruction.immediate(1)).ok().map(Source::Constant)
        }
        Code::Xor_rm32_r32 | Code::Xor_r32_rm32 | Code::Xor_rm64_r64 | Code::Xor_r64_rm64
            if instruction.op0_register() == instruction.op1_register() =>
        {
            Some(Source::Constant(0))
        }
        Code::Mov_rm32_r32 | Code::Mov_r32_rm32 | Code::Mov_rm64_r64 | Code::Mov_r64_rm64
            if instruction.op1_kind() == OpKind::Register =>
        {
            Some(Source::Register(instruction.op1_register().full_register()))
        }
        _ => None,
    }
}

fn writes(factory: &mut InstructionInfoFactory, instruction: &Instruction, register: Register) -> bool {
    let info = factory.info_options(instruction, InstructionInfoOptions::NO_MEMORY_USAGE);
    info.used_registers().iter().any(|used| {
        used.register().full_register() == register
            && matches!(
                used.access(),
                OpAccess::Write | OpAccess::CondWrite | OpAccess::ReadWrite | OpAccess::ReadCondWrite
            )
    })
}

/// The number at `address` if the two bytes there stand behind an instruction that sets eax: the
/// only evidence that they are a site where no function is known to begin.
pub fn plausible(text: &Segment<'_>, address: u64) -> Option<Number> {
    let before = &text.bytes[..(address - text.address) as usize];
    let number = match before {
        [.., 0x48, 0xc7, 0xc0, a, b, c, d] | [.., 0xb8, a, b, c, d] => u32::from_le_bytes([*a, *b, *c, *d]),
        [.., 0x31, 0xc0] => 0,
        _ => return None,
    };
    // Numbers have been given out to 470; what is far above them is no number.
    (number < 1024).then_some(Number::Known(number))
}

/// The number with which a system call behind the bytes `before` was made, of code of which nothing else is known: the
/// nearest `mov $NR,%eax` from which straight code leads to the end and leaves eax as it is.
pub fn number_before(before: &[u8]) -> Option<u32> {
    (0..before.len()).rev().find_map(|start| number_from(before, start))
}

/// The same if that instruction begins at `start`.
fn number_from(before: &[u8], start: usize) -> Option<u32> {
    /// A prefix that makes another register of eax.
    const EXTENDS: fn(u8) -> bool = |prefix| prefix & 0xf1 == 0x41;
    const LIMIT: u32 = 1024;
    let code = &before[start..];
    if !matches!(code, [0xb8, ..] | [0x48, 0xc7, 0xc0, ..])
        || start.checked_sub(1).is_some_and(|earlier| EXTENDS(before[earlier]))
    {
        return None;
    }
    let mut decoder = Decoder::new(64, code, DecoderOptions::NONE);
    let number = match source(&decoder.decode()) {
        Some(Source::Constant(number)) if number < LIMIT => number,
        _ => return None,
    };
    let mut factory = InstructionInfoFactory::new();
    while decoder.can_decode() {
        let instruction = decoder.decode();
        if instruction.is_invalid()
            || instruction.flow_control() != FlowControl::Next
            || writes(&mut factory, &instruction, Register::RAX)
        {
            return None;
        }
    }
    Some(number)
}

#[cfg(test)]
mod tests {
    use super::number_before;

    const MOV_EAX_202: [u8; 5] = [0xb8, 202, 0, 0, 0];

    #[test]
    fn number_stands_right_before_the_call_or_before_its_arguments() {
        assert_eq!(number_before(&MOV_EAX_202), Some(202));
        assert_eq!(number_before(&[0x90, 0x48, 0xc7, 0xc0, 35, 0, 0, 0]), Some(35));
        let arguments = [0x48, 0x89, 0xfe, 0x31, 0xd2]; // mov rsi, rdi; xor edx, edx
        assert_eq!(number_before(&[&MOV_EAX_202[..], &arguments].concat()), Some(202));
    }

    #[test]
    fn number_is_not_taken_from_another_register_or_from_before_a_change() {
        assert_eq!(number_before(&[0x41, 0xb8, 202, 0, 0, 0]), None); // mov r8d, 202
        assert_eq!(number_before(&[&MOV_EAX_202[..], &[0x89, 0xf8]].concat()), None); // mov eax, edi
        assert_eq!(number_before(&[&MOV_EAX_202[..], &[0xeb, 0x00]].concat()), None); // jmp
        assert_eq!(number_before(&[0xb8, 0, 0, 0x40, 0]), None);
        assert_eq!(number_before(&[]), None);
    }
}
