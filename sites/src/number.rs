//! Which system call a site makes: the constant that the straight line of code before it puts into
//! eax.

use iced_x86::{
    Code, FlowControl, Instruction, InstructionInfoFactory, InstructionInfoOptions, OpAccess, OpKind, Register,
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
