//! How to get from a function's registers to its caller's, by the unwinding tables that compilers write (`.eh_frame`, DWARF 5
//! section 6.4), which `gimli` reads. What it finds for an address is kept: many threads wait at the same places.
//!
//! Why not a crate that unwinds by itself: `framehop` keeps three registers and cannot evaluate expressions that read memory; so
//! it loses its way in signal frames, in functions that align their stacks, and wherever a frame lies on another register.

use alloc::collections::BTreeMap;
use alloc::rc::Rc;
use alloc::vec::Vec;
use core::cell::OnceCell;

use gimli::{
    BaseAddresses, CfaRule, EhFrame, EhFrameHdr, Encoding, EndianSlice, Evaluation, EvaluationResult, Expression,
    LittleEndian, ParsedEhFrameHdr, Pointer, RegisterRule, UnwindContext, UnwindSection, Value,
};
use object::elf;
use object::read::elf::ProgramHeader;

use crate::images::{Images, bytes_at, program_headers};
use crate::registers::{R12, R15, RBP, RBX, RIP, RSP, Registers};
use crate::stack::Stack;

type Slice<'a> = EndianSlice<'a, LittleEndian>;

/// Steps of one expression; real ones take a dozen.
const LONGEST_EXPRESSION: u32 = 1000;
/// Addresses whose rules are kept.
const KEPT: usize = 1 << 16;

/// The tables of one image.
struct Tables<'a> {
    bias: u64,
    header: ParsedEhFrameHdr<Slice<'a>>,
    frames: EhFrame<Slice<'a>>,
    bases: BaseAddresses,
}

/// What holds at one address.
struct Rule {
    image: usize,
    cfa: CfaRule<usize>,
    registers: Vec<(u16, RegisterRule<usize>)>,
    encoding: Encoding,
    is_signal_frame: bool,
}

/// The way to a caller.
pub struct Caller {
    pub registers: Registers,
    /// They are those of interrupted code, not of a call.
    pub is_interrupted: bool,
}

/// What the tables say of the way to a caller.
pub enum Found {
    Caller(Caller),
    /// There is none: the thread begins here.
    Outermost,
    /// The tables do not cover this address, or do not fit what is in memory.
    Unknown,
}

/// The rules of all images.
pub struct Rules<'a> {
    images: &'a Images<'a>,
    tables: Vec<OnceCell<Option<Tables<'a>>>>,
    context: UnwindContext<usize>,
    kept: BTreeMap<u64, Option<Rc<Rule>>>,
}

impl<'a> Rules<'a> {
    pub fn new(images: &'a Images<'a>) -> Self {
        let tables = images.all().iter().map(|_| OnceCell::new()).collect();
        Rules { images, tables, context: UnwindContext::new(), kept: BTreeMap::new() }
    }

    /// From `registers`, which hold at `address` (for a call: in the call, not behind it), to the caller's.
    pub fn caller(&mut self, address: u64, registers: &Registers, stack: &mut Stack<'_>) -> Found {
        let Some(rule) = self.rule(address) else { return Found::Unknown };
        let Some(tables) = self.tables(rule.image) else { return Found::Unknown };
        let is_outermost = match rule.registers.iter().find(|(register, _)| *register == RIP) {
            Some((_, rule)) => *rule == RegisterRule::Undefined,
            None => true,
        };
        if is_outermost {
            return Found::Outermost;
        }
        match apply(&rule, tables, registers, stack) {
            Some(registers) => Found::Caller(Caller { registers, is_interrupted: rule.is_signal_frame }),
            None => Found::Unknown,
        }
    }

    fn tables(&self, image: usize) -> Option<&Tables<'a>> {
        self.tables[image].get_or_init(|| Tables::of(self.images, image)).as_ref()
    }

    fn rule(&mut self, address: u64) -> Option<Rc<Rule>> {
        if let Some(kept) = self.kept.get(&address) {
            return kept.clone();
        }
        let found = self.look_up(address).map(Rc::new);
        if self.kept.len() < KEPT {
            self.kept.insert(address, found.clone());
        }
        found
    }

    fn look_up(&mut self, address: u64) -> Option<Rule> {
        let image = self.images.code_at(address)?.1?;
        let tables = self.tables[image].get_or_init(|| Tables::of(self.images, image)).as_ref()?;
        let linked = address.wrapping_sub(tables.bias);
        let entry = tables
            .header
            .table()?
            .fde_for_address(&tables.frames, &tables.bases, linked, EhFrame::cie_from_offset)
            .ok()
            .filter(|entry| entry.contains(linked))?;
        let row = entry.unwind_info_for_address(&tables.frames, &tables.bases, &mut self.context, linked).ok()?;
        Some(Rule {
            image,
            cfa: row.cfa().clone(),
            registers: row.registers().map(|(register, rule)| (register.0, rule.clone())).collect(),
            encoding: entry.cie().encoding(),
            is_signal_frame: entry.is_signal_trampoline(),
        })
    }
}

impl<'a> Tables<'a> {
    fn of(images: &'a Images<'a>, image: usize) -> Option<Self> {
        let (bytes, bias) = (images.bytes(image), images.bias(image)?);
        let (headers, _) = program_headers(bytes)?;
        let header = headers.iter().find(|header| header.p_type(object::LittleEndian) == elf::PT_GNU_EH_FRAME)?;
        let header_address = header.p_vaddr(object::LittleEndian);
        let bases = BaseAddresses::default().set_eh_frame_hdr(header_address);
        let header = EhFrameHdr::new(bytes_at(bytes, header_address)?, LittleEndian).parse(&bases, 8).ok()?;
        let Pointer::Direct(frames_address) = header.eh_frame_ptr() else { return None };
        let mut frames = EhFrame::new(bytes_at(bytes, frames_address)?, LittleEndian);
        frames.set_address_size(8);
        Some(Tables { bias, header, frames, bases: bases.set_eh_frame(frames_address) })
    }
}

/// The caller's registers.
fn apply(rule: &Rule, tables: &Tables<'_>, registers: &Registers, stack: &mut Stack<'_>) -> Option<Registers> {
    let cfa = match &rule.cfa {
        CfaRule::RegisterAndOffset { register, offset } => registers.get(register.0)?.wrapping_add_signed(*offset),
        CfaRule::Expression(expression) => {
            evaluate(expression.get(&tables.frames).ok()?, None, rule.encoding, registers, stack)?
        }
    };
    // The registers that calls preserve are as they were, unless a rule says other; the others are lost.
    let mut caller = Registers::default();
    for register in [RBX, RBP].into_iter().chain(R12..=R15) {
        caller.set(register, registers.get(register));
    }
    caller.set(RSP, Some(cfa));
    for (register, how) in &rule.registers {
        let value = match how {
            RegisterRule::Undefined | RegisterRule::Architectural => None,
            RegisterRule::SameValue => registers.get(*register),
            RegisterRule::Offset(offset) => stack.read(cfa.wrapping_add_signed(*offset)),
            RegisterRule::ValOffset(offset) => Some(cfa.wrapping_add_signed(*offset)),
            RegisterRule::Register(other) => registers.get(other.0),
            RegisterRule::Expression(expression) => {
                let expression = expression.get(&tables.frames).ok()?;
                let place = evaluate(expression, Some(cfa), rule.encoding, registers, stack)?;
                stack.read(place)
            }
            RegisterRule::ValExpression(expression) => {
                let expression = expression.get(&tables.frames).ok()?;
                evaluate(expression, Some(cfa), rule.encoding, registers, stack)
            }
            RegisterRule::Constant(value) => Some(*value),
        };
        caller.set(*register, value);
    }
    caller.get(RIP)?;
    Some(caller)
}

/// What a DWARF expression comes to, beginning with `first` on its stack.
fn evaluate(
    expression: Expression<Slice<'_>>,
    first: Option<u64>,
    encoding: Encoding,
    registers: &Registers,
    stack: &mut Stack<'_>,
) -> Option<u64> {
    let mut evaluation = Evaluation::new(expression.0, encoding);
    evaluation.set_max_iterations(LONGEST_EXPRESSION);
    if let Some(first) = first {
        evaluation.set_initial_value(first);
    }
    let mut state = evaluation.evaluate().ok()?;
    loop {
        state = match state {
            EvaluationResult::Complete => break,
            EvaluationResult::RequiresRegister { register, .. } => {
                let value = registers.get(register.0)?;
                evaluation.resume_with_register(Value::Generic(value)).ok()?
            }
            EvaluationResult::RequiresMemory { address, size, .. } => {
                let kept = if size >= 8 { u64::MAX } else { (1 << (8 * size)) - 1 };
                evaluation.resume_with_memory(Value::Generic(stack.read(address)? & kept)).ok()?
            }
            _ => return None,
        };
    }
    evaluation.value_result()?.to_u64(u64::MAX).ok()
}
