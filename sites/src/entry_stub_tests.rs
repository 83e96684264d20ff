//! Tests: the stubs of function entries, decoded again, and the image with their patches in it.

use alloc::vec::Vec;

use iced_x86::{Code, Decoder, DecoderOptions, FlowControl, Instruction, Register};

use crate::entry_synthetic::{Layout, PLAIN};
use crate::synthetic::{RET, TEXT};
use crate::{ENTRY_STUB_LIMIT, Entry, EntryReason, EntryStub, encode_entry};

const STUB: u64 = TEXT - 0x12345;
const SLOT: u64 = TEXT - 0x20000;
const RULE: u64 = 0x0123_4567_89ab_cdef;

/// An image whose function at `TEXT` has been rewritten.
struct Rewritten {
    layout: Layout,
    entry: Entry,
    stub: EntryStub,
}

impl Rewritten {
    fn new(mut layout: Layout) -> Self {
        let entry = layout.entry(TEXT).unwrap();
        let stub = encode_entry(&entry, layout.code(&entry.window), STUB, RULE, SLOT).unwrap();
        assert!(stub.bytes.len() <= ENTRY_STUB_LIMIT);
        stub.patches.iter().for_each(|patch| layout.apply(patch));
        Rewritten { layout, entry, stub }
    }

    fn function(code: &[&[u8]]) -> Self {
        Self::new(Layout::function(code))
    }

    /// The instruction now at `address` of the text.
    fn at(&self, address: u64) -> Instruction {
        Decoder::with_ip(64, &self.layout.text[(address - TEXT) as usize..], address, DecoderOptions::NONE).decode()
    }

    /// The stub's instructions from `body` on, as far as control can run.
    fn body(&self) -> Vec<Instruction> {
        let offset = self.stub.body_offset as usize;
        Decoder::with_ip(64, &self.stub.bytes[offset..], self.body_address(), DecoderOptions::NONE)
            .into_iter()
            .collect()
    }

    fn body_address(&self) -> u64 {
        STUB + u64::from(self.stub.body_offset)
    }

    /// The 8-byte word in the stub at `address`.
    fn word(&self, address: u64) -> u64 {
        let offset = (address - STUB) as usize;
        u64::from_le_bytes(self.stub.bytes[offset..offset + 8].try_into().unwrap())
    }
}

#[test]
fn the_rule_is_pushed_and_the_hook_entered() {
    let rewritten = Rewritten::function(&[PLAIN]);
    let code: Vec<_> = Decoder::with_ip(64, &rewritten.stub.bytes, STUB, DecoderOptions::NONE).iter().take(2).collect();
    assert_eq!((code[0].code(), code[0].ip_rel_memory_address()), (Code::Push_rm64, STUB + 12));
    assert_eq!((code[1].code(), code[1].ip_rel_memory_address()), (Code::Jmp_rm64, SLOT));
    assert_eq!(rewritten.word(STUB + 12), RULE);
    assert_eq!(rewritten.stub.body_offset, 20);
}

#[test]
fn the_body_goes_back_behind_the_window() {
    let rewritten = Rewritten::function(&[PLAIN]);
    let body = rewritten.body();
    let codes: Vec<_> = body.iter().map(Instruction::code).collect();
    assert_eq!(codes, [Code::Push_r64, Code::Mov_rm64_r64, Code::Push_r64, Code::Jmp_rel32_64]);
    assert_eq!(body[3].near_branch64(), TEXT + 5);
}

#[test]
fn the_window_leads_to_the_stub_and_the_rest_stays() {
    // sub rsp, 8; mov rax, fs:[0x28]
    let code = [0x48, 0x83, 0xec, 8, 0x64, 0x48, 0x8b, 0x04, 0x25, 0x28, 0, 0, 0];
    let rewritten = Rewritten::function(&[&[0xf3, 0x0f, 0x1e, 0xfa], &code, RET]);
    assert_eq!(rewritten.at(TEXT).code(), Code::Endbr64);
    assert_eq!(rewritten.at(TEXT + 4).near_branch64(), STUB);
    assert_eq!(rewritten.layout.text[9..17], [0xcc; 8]);
    assert_eq!(rewritten.layout.text[17..], *RET);
}

#[test]
fn addresses_relative_to_the_instruction_stay_the_same() {
    // mov rax, [rip + 0x100]; cmp dword ptr [rip - 16], 7 comes too late to move
    let rewritten = Rewritten::function(&[&[0x48, 0x8b, 0x05, 0, 1, 0, 0], RET]);
    assert_eq!(rewritten.body()[0].ip_rel_memory_address(), TEXT + 7 + 0x100);
    // cmp dword ptr [rip - 16], 7: an immediate follows the displacement
    let rewritten = Rewritten::function(&[&[0x83, 0x3d, 0xf0, 0xff, 0xff, 0xff, 7], RET]);
    let compare = rewritten.body()[0];
    assert_eq!((compare.ip_rel_memory_address(), compare.immediate8()), (TEXT + 7 - 16, 7));
}

#[test]
fn every_short_jump_becomes_a_far_one_to_the_same_place() {
    for condition in 0..16 {
        // test edi, edi; j.. +0x40; push rbp
        let code: &[&[u8]] = &[&[0x85, 0xff], &[0x70 + condition, 0x40], &[0x55], &[0x90; 0x40], RET];
        let original = Layout::function(code);
        let rewritten = Rewritten::function(code);
        let before = Decoder::with_ip(64, &original.text[2..], TEXT + 2, DecoderOptions::NONE).decode();
        let after = rewritten.body()[1];
        assert_eq!((after.mnemonic(), after.near_branch64()), (before.mnemonic(), TEXT + 0x44));
        assert!(after.is_jcc_near());
    }
    let rewritten = Rewritten::function(&[&[0xeb, 0x10], &[0x90; 0x20], RET]);
    assert_eq!(rewritten.body()[0].near_branch64(), TEXT + 0x12);
}

#[test]
fn a_return_needs_no_way_back() {
    // xor eax, eax; ret, and padding
    let mut layout = Layout::function(&[&[0x31, 0xc0, 0xc3]]);
    layout.add_uncovered(&[&[0xcc; 13]]);
    layout.add(&[PLAIN]);
    let rewritten = Rewritten::new(layout);
    assert_eq!(rewritten.stub.bytes[20..], [0x31, 0xc0, 0xc3]);
    assert_eq!(rewritten.at(TEXT).near_branch64(), STUB);
}

#[test]
fn a_call_at_the_windows_end_returns_to_the_original_code() {
    // sub rsp, 8; call +0x100, direct, through a register, and through memory
    for (call, code) in [
        (&[0xe8, 0, 1, 0, 0][..], Code::Jmp_rel32_64),
        (&[0xff, 0xd0], Code::Jmp_rm64),
        (&[0x41, 0xff, 0xd3], Code::Jmp_rm64),
        (&[0xff, 0x15, 0, 1, 0, 0], Code::Jmp_rm64),
        (&[0x41, 0xff, 0x54, 0x24, 8], Code::Jmp_rm64),
    ] {
        let rewritten = Rewritten::function(&[&[0x48, 0x83, 0xec, 8], call, RET]);
        let window = &rewritten.entry.window;
        assert_eq!(window.end, TEXT + 4 + call.len() as u64);
        let body = rewritten.body();
        assert_eq!((body[1].code(), body[2].code()), (Code::Push_rm64, code));
        assert_eq!(body[1].ip_rel_memory_address(), body[2].next_ip());
        assert_eq!(rewritten.word(body[2].next_ip()), window.end);
        let original = Decoder::with_ip(64, call, TEXT + 4, DecoderOptions::NONE).decode();
        assert_eq!(body[2].near_branch_target(), original.near_branch_target());
        assert_eq!(body[2].op0_register(), original.op0_register());
        assert_eq!(body[2].memory_base(), original.memory_base());
        assert_eq!(body[2].memory_displacement64(), original.memory_displacement64());
    }
}

#[test]
fn a_call_in_the_middle_of_a_window_returns_into_the_stub() {
    // push rax; call rdi; pop rcx; ret
    let rewritten = Rewritten::function(&[&[0x50, 0xff, 0xd7, 0x59, 0xc3]]);
    let codes: Vec<_> = rewritten.body().iter().map(Instruction::code).collect();
    assert_eq!(codes, [Code::Push_r64, Code::Call_rm64, Code::Pop_r64, Code::Retnq]);
}

#[test]
fn a_far_branch_back_to_the_entry_leads_to_the_body() {
    let rewritten = Rewritten::function(&[&PLAIN[..6], &[0x0f, 0x85, 0xf4, 0xff, 0xff, 0xff], RET]);
    let branch = rewritten.at(TEXT + 6);
    assert_eq!((branch.code(), branch.near_branch64()), (Code::Jne_rel32_64, rewritten.body_address()));
}

#[test]
fn a_near_branch_back_to_the_entry_leads_there_by_a_relay() {
    let mut layout = Layout::function(&[&PLAIN[..6], &[0x75, 0xf8], RET]);
    layout.add_uncovered(&[&[0xcc; 7]]);
    layout.add(&[PLAIN]);
    let rewritten = Rewritten::new(layout);
    let branch = rewritten.at(TEXT + 6);
    assert_eq!(branch.code(), Code::Jne_rel8_64);
    let relay = rewritten.at(branch.near_branch64());
    assert_eq!((relay.code(), relay.near_branch64()), (Code::Jmp_rel32_64, rewritten.body_address()));
    assert_eq!(rewritten.stub.patches.last().unwrap().address, TEXT);
}

#[test]
fn a_branch_into_the_window_leads_to_the_instruction_that_moved() {
    // push rbx; loop: mov rbx, rdi; inc eax; jne loop (far); ret
    let code: &[&[u8]] = &[&[0x53, 0x48, 0x89, 0xfb, 0xff, 0xc0], &[0x0f, 0x85, 0xf5, 0xff, 0xff, 0xff], RET];
    let rewritten = Rewritten::function(code);
    assert_eq!(rewritten.at(TEXT + 6).near_branch64(), rewritten.body()[1].ip());
}

#[test]
fn a_loop_in_the_window_stays_in_the_stub() {
    // endbr64; pause; jne the pause; jmp the endbr64
    let rewritten = Rewritten::function(&[&[0xf3, 0x0f, 0x1e, 0xfa], &[0xf3, 0x90], &[0x75, 0xfc], &[0xeb, 0xf6]]);
    let body = rewritten.body();
    let targets: Vec<_> = body[1..].iter().map(Instruction::near_branch64).collect();
    assert_eq!(targets, [body[0].ip(); 2]);
    assert_eq!(rewritten.stub.patches.len(), 1);
}

#[test]
fn a_short_jump_reaches_the_stub_by_a_relay() {
    let mut layout = Layout::function(&[&[0x31, 0xc0, 0xc3]]);
    layout.add(&[PLAIN]);
    layout.add_uncovered(&[&[0xcc; 7]]);
    layout.add(&[PLAIN]);
    let rewritten = Rewritten::new(layout);
    let jump = rewritten.at(TEXT);
    assert_eq!(jump.code(), Code::Jmp_rel8_64);
    assert_eq!(rewritten.at(jump.near_branch64()).near_branch64(), STUB);
    let body = rewritten.body();
    assert_eq!((body[0].op0_register(), body[1].near_branch64()), (Register::EAX, TEXT + 2));
    assert_eq!(rewritten.at(TEXT + 2).flow_control(), FlowControl::Return);
}

#[test]
fn what_is_out_of_reach_is_refused() {
    let layout = Layout::function(&[PLAIN]);
    let entry = layout.entry(TEXT).unwrap();
    let code = layout.code(&entry.window);
    let far = TEXT + (1 << 31) + 32;
    assert_eq!(encode_entry(&entry, code, far, RULE, far + 256), Err(EntryReason::TooFar));
    assert_eq!(encode_entry(&entry, code, STUB, RULE, far), Err(EntryReason::TooFar));
}

#[test]
fn a_jump_that_would_not_reach_becomes_one_through_memory() {
    // jmp 2 GiB on; the stub stands before the function.
    let layout = Layout::function(&[&[0xe9, 0xff, 0xff, 0xff, 0x7f], RET]);
    let target = TEXT + 5 + 0x7fff_ffff;
    let entry = Entry { function: TEXT..TEXT + 6, window: TEXT..TEXT + 5, relay: None, redirects: Vec::new() };
    let stub = encode_entry(&entry, layout.code(&entry.window), STUB, RULE, SLOT).unwrap();
    assert_eq!(stub.bytes[20..26], [0xff, 0x25, 0, 0, 0, 0]);
    assert_eq!(stub.bytes[26..34], target.to_le_bytes());
}
