//! Where a function is called, and what can be seen there of how its result and its arguments are
//! used: the warnings of `grivet check --spawn`.
//!
//! A call that is made to run as a task returns at once, so a caller that uses the result, or has
//! passed the address of a local variable, may go wrong. Both are judged from the few instructions
//! around the call. What cannot be seen so is not reported: calls through pointers, a result that is
//! returned in turn or passed on in xmm0, an address that was computed far away or kept in memory.

use alloc::vec::Vec;
use core::ops::Range;

use iced_x86::{
    Code, FlowControl, Instruction, InstructionInfoFactory, InstructionInfoOptions, OpAccess, OpKind, Register,
};

use crate::body::Body;
use crate::entry_flow::possible_ends;
use crate::functions::{Function, Functions};
use crate::{Image, Segment, branches};

/// How many instructions behind a call are searched for a use of its result.
const AFTER: usize = 64;

/// How many instructions in front of a call are searched for an argument's origin.
const BEFORE: usize = 64;

/// The registers of the first six integer and pointer arguments (System V ABI, AMD64, 3.2.3).
const ARGUMENTS: [Register; 6] =
    [Register::RDI, Register::RSI, Register::RDX, Register::RCX, Register::R8, Register::R9];

/// The registers that a function gives back as it got them.
const PRESERVED: [Register; 5] = [Register::RBX, Register::R12, Register::R13, Register::R14, Register::R15];

/// An instruction that calls a function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CallSite {
    pub address: u64,
    /// What the call leaves in rax or xmm0 is read before it is overwritten.
    pub result_used: bool,
    /// Which argument, counted from 0, is the address of something in the caller's frame: the first
    /// one that is.
    pub stack_argument: Option<u8>,
    pub kind: CallKind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallKind {
    Call,
    /// A jump from another function: its caller gets the result.
    TailJump,
}

/// Calls `each` with the direct calls of `callee`, in the order of addresses within each text
/// segment. `callee` is the address of a function, of its stub in a procedure linkage table, or of
/// the word that it is called through (`call *function@GOTPCREL(%rip)`).
pub fn callers(image: &Image<'_>, callee: u64, each: &mut dyn FnMut(CallSite)) {
    let functions = Functions::of(image);
    let own = functions.containing(callee).filter(|own| own.range.start == callee);
    let own = own.map_or(callee..callee, |own| own.range);
    let mut around = Around::new();
    for text in image.text {
        for end in possible_ends(text, &(callee..callee + 1)) {
            let Some(function) = functions.containing(end - 1) else {
                continue;
            };
            if around.range != function.range {
                around.decode(text, function.range);
            }
            let Some(index) = around.ending_at(end) else {
                continue;
            };
            let instruction = &around.body.instructions[index];
            let Some(kind) = call_of(instruction, callee) else {
                continue;
            };
            if kind == CallKind::TailJump && own.contains(&instruction.ip()) {
                continue;
            }
            each(CallSite {
                address: instruction.ip(),
                result_used: kind == CallKind::Call && around.uses_result(index),
                stack_argument: around.stack_argument(index),
                kind,
            });
        }
    }
}

/// Whether and how `instruction` calls `callee`.
fn call_of(instruction: &Instruction, callee: u64) -> Option<CallKind> {
    let through_word = instruction.is_ip_rel_memory_operand() && instruction.ip_rel_memory_address() == callee;
    match instruction.flow_control() {
        FlowControl::Call if instruction.is_call_near() && instruction.near_branch64() == callee => {
            Some(CallKind::Call)
        }
        FlowControl::IndirectCall if through_word => Some(CallKind::Call),
        FlowControl::IndirectBranch if through_word => Some(CallKind::TailJump),
        _ => (branches::jump_target(instruction) == Some(callee)).then_some(CallKind::TailJump),
    }
}

/// The function around a call.
struct Around {
    range: Range<u64>,
    body: Body,
    /// Where its jumps lead; sorted.
    targets: Vec<u64>,
    /// rbp is the frame pointer.
    frame_pointer: bool,
    factory: InstructionInfoFactory,
}

impl Around {
    fn new() -> Self {
        Around {
            range: 0..0,
            body: Body::default(),
            targets: Vec::new(),
            frame_pointer: false,
            factory: InstructionInfoFactory::new(),
        }
    }

    fn decode(&mut self, text: &Segment<'_>, range: Range<u64>) {
        let function = Function { range: range.clone(), exceptions: None };
        self.body.begin(text, &function, range.end - 1);
        self.range = range;
        self.targets.clear();
        self.targets.extend(self.body.instructions.iter().filter_map(branches::jump_target));
        self.targets.sort_unstable();
        self.frame_pointer = self.body.instructions.iter().any(|instruction| {
            moves(instruction) == Some(Register::RSP) && instruction.op0_register() == Register::RBP
        });
    }

    /// Index of the instruction that ends at `end`.
    fn ending_at(&self, end: u64) -> Option<usize> {
        self.body.instructions.binary_search_by_key(&end, Instruction::next_ip).ok()
    }

    /// Whether some way on from the call at `call` reads what it left in rax or xmm0.
    fn uses_result(&mut self, call: usize) -> bool {
        let mut ways = Vec::from([(call + 1, Live { rax: true, xmm0: true })]);
        let mut seen = Vec::new();
        while let Some((index, mut live)) = ways.pop() {
            let Some(&instruction) = self.body.instructions.get(index) else {
                continue;
            };
            if seen.len() == AFTER || seen.contains(&(index, live)) {
                continue;
            }
            seen.push((index, live));
            match self.follow(&instruction, &mut live) {
                Use::Read => return true,
                Use::Overwritten => continue,
                Use::Open => {}
            }
            let flow = instruction.flow_control();
            if let Some(target) = branches::jump_target(&instruction)
                && let Some(index) = self.body.index_of(target)
            {
                ways.push((index, live));
            }
            if matches!(flow, FlowControl::Next | FlowControl::ConditionalBranch) {
                ways.push((index + 1, live));
            }
        }
        false
    }

    /// What `instruction` does to the part of the result that is `live`.
    fn follow(&mut self, instruction: &Instruction, live: &mut Live) -> Use {
        let info = self.factory.info_options(instruction, InstructionInfoOptions::NO_MEMORY_USAGE);
        let (mut rax, mut xmm0) = (live.rax, live.xmm0);
        for used in info.used_registers() {
            let register = used.register();
            match used.access() {
                OpAccess::Read | OpAccess::CondRead | OpAccess::ReadWrite | OpAccess::ReadCondWrite
                    if live.holds(register.full_register()) =>
                {
                    return Use::Read;
                }
                // Writing al or ax leaves the rest.
                OpAccess::Write if register.full_register() == Register::RAX && register.size() >= 4 => rax = false,
                OpAccess::Write if register.full_register() == Register::ZMM0 => xmm0 = false,
                _ => {}
            }
        }
        *live = Live { rax, xmm0 };
        if rax || xmm0 { Use::Open } else { Use::Overwritten }
    }

    /// Which argument of the call at `call` is an address in the frame.
    fn stack_argument(&mut self, call: usize) -> Option<u8> {
        (0..ARGUMENTS.len()).find(|&argument| self.is_stack_address(ARGUMENTS[argument], call)).map(|index| index as u8)
    }

    /// Whether `register` holds an address in the frame when instruction `before` is reached.
    fn is_stack_address(&mut self, mut register: Register, before: usize) -> bool {
        for index in (before.saturating_sub(BEFORE)..before).rev() {
            // What comes before a branch target, or before a call, need not hold after it.
            let next = &self.body.instructions[index + 1];
            let instruction = self.body.instructions[index];
            let flow = instruction.flow_control();
            if self.targets.binary_search(&next.ip()).is_ok()
                || !matches!(flow, FlowControl::Next | FlowControl::ConditionalBranch)
            {
                return PRESERVED.contains(&register) && self.is_always_stack_address(register);
            }
            if !writes(&mut self.factory, &instruction, register) {
                continue;
            }
            if self.is_frame_address(&instruction) {
                return true;
            }
            match moves(&instruction) {
                Some(from) => register = from,
                None => return false,
            }
        }
        false
    }

    /// Whether the function puts nothing but addresses in its frame into `register`.
    fn is_always_stack_address(&mut self, register: Register) -> bool {
        let mut found = false;
        for instruction in &self.body.instructions {
            let saves = matches!(instruction.code(), Code::Pop_r64 | Code::Pop_rm64);
            if saves || !writes(&mut self.factory, instruction, register) {
                continue;
            }
            if !self.is_frame_address(instruction) {
                return false;
            }
            found = true;
        }
        found
    }

    /// Whether `instruction` computes an address in the frame.
    fn is_frame_address(&self, instruction: &Instruction) -> bool {
        let base = match instruction.code() {
            Code::Lea_r64_m => instruction.memory_base(),
            _ => moves(instruction).unwrap_or(Register::None),
        };
        base == Register::RSP || base == Register::RBP && self.frame_pointer
    }
}

/// Which parts of a result have not been overwritten.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Live {
    rax: bool,
    xmm0: bool,
}

impl Live {
    fn holds(self, full_register: Register) -> bool {
        full_register == Register::RAX && self.rax || full_register == Register::ZMM0 && self.xmm0
    }
}

enum Use {
    Read,
    Overwritten,
    Open,
}

/// The register that `instruction` copies to another, whole.
fn moves(instruction: &Instruction) -> Option<Register> {
    (matches!(instruction.code(), Code::Mov_rm64_r64 | Code::Mov_r64_rm64)
        && instruction.op0_kind() == OpKind::Register
        && instruction.op1_kind() == OpKind::Register)
        .then(|| instruction.op1_register())
}

fn writes(factory: &mut InstructionInfoFactory, instruction: &Instruction, register: Register) -> bool {
    let info = factory.info_options(instruction, InstructionInfoOptions::NO_MEMORY_USAGE);
    info.used_registers().iter().any(|used| {
        used.register().full_register() == register
            && !matches!(used.access(), OpAccess::None | OpAccess::Read | OpAccess::CondRead | OpAccess::NoMemAccess)
    })
}
