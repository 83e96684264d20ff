//! Tests: which calls of a function are found, and what is seen of their results and arguments.

use alloc::vec::Vec;

use crate::entry_synthetic::{Layout, PLAIN};
use crate::synthetic::{RET, TEXT};
use crate::{CallKind, CallSite, callers};

/// Where the functions of a test begin that call the one at `TEXT`.
const CALLER: u64 = TEXT + PLAIN.len() as u64;

/// `sub rsp, 24`.
const FRAME: &[u8] = &[0x48, 0x83, 0xec, 0x18];
/// `lea rdi, [rsp + 8]`.
const LEA_RDI: &[u8] = &[0x48, 0x8d, 0x7c, 0x24, 8];

/// The calls in a function that is `before`, a call of the function at `TEXT`, and `after`.
fn calls(before: &[&[u8]], after: &[&[u8]]) -> Vec<CallSite> {
    let mut layout = Layout::function(&[PLAIN]);
    let before = before.concat();
    let distance = TEXT.wrapping_sub(CALLER + before.len() as u64 + 5) as u32;
    layout.add(&[&before, &[0xe8], &distance.to_le_bytes(), &after.concat()]);
    found(&layout, TEXT)
}

fn found(layout: &Layout, callee: u64) -> Vec<CallSite> {
    let mut sites = Vec::new();
    layout.with_image(|image| callers(image, callee, &mut |site| sites.push(site)));
    sites
}

fn result_used(after: &[&[u8]]) -> bool {
    calls(&[], after)[0].result_used
}

fn stack_argument(before: &[&[u8]]) -> Option<u8> {
    calls(before, &[RET])[0].stack_argument
}

#[test]
fn calls_are_found_and_displacements_of_other_instructions_are_not() {
    let site = CallSite { address: CALLER + 4, result_used: false, stack_argument: None, kind: CallKind::Call };
    assert_eq!(calls(&[FRAME], &[RET]), [site]);
    let mut layout = Layout::function(&[PLAIN]);
    // lea rdi, [rip -> TEXT]; ret
    layout.add(&[&[0x48, 0x8d, 0x3d, 0xf2, 0xff, 0xff, 0xff], RET]);
    // mov rax, immediate: the bytes of a call of TEXT, and more
    layout.add(&[&[0x48, 0xb8, 0xe8, 0xea, 0xff, 0xff, 0xff, 0, 0, 0], RET]);
    assert_eq!(found(&layout, TEXT), []);
}

#[test]
fn tail_jumps_are_found_far_and_near_conditional_or_not() {
    let mut layout = Layout::function(&[PLAIN]);
    layout.add(&[&[0xe9, 0xf4, 0xff, 0xff, 0xff]]);
    layout.add(&[&[0x0f, 0x84, 0xee, 0xff, 0xff, 0xff], RET]);
    layout.add(&[&[0xeb, 0xeb]]);
    let addresses: Vec<_> = found(&layout, TEXT).iter().map(|site| (site.kind, site.address - TEXT)).collect();
    assert_eq!(addresses, [(CallKind::TailJump, 7), (CallKind::TailJump, 12), (CallKind::TailJump, 19)]);
}

#[test]
fn a_loop_is_no_call_but_recursion_is() {
    // five bytes; call entry; jne entry; ret
    let layout = Layout::function(&[&PLAIN[..5], &[0xe8, 0xf6, 0xff, 0xff, 0xff], &[0x75, 0xf4], RET]);
    let sites = found(&layout, TEXT);
    assert_eq!((sites.len(), sites[0].address, sites[0].kind), (1, TEXT + 5, CallKind::Call));
}

#[test]
fn calls_through_a_word_are_found() {
    let mut layout = Layout::default();
    let word = layout.add_data(&[0; 8]);
    let distance = |end: u64| (word.wrapping_sub(end) as u32).to_le_bytes();
    layout.add(&[&[0xff, 0x15], &distance(TEXT + 6), &[0xff, 0x25], &distance(TEXT + 12)]);
    let kinds: Vec<_> = found(&layout, word).iter().map(|site| (site.kind, site.address)).collect();
    assert_eq!(kinds, [(CallKind::Call, TEXT), (CallKind::TailJump, TEXT + 6)]);
}

#[test]
fn a_result_that_is_read_is_used() {
    // mov edi, eax; test al, al; movsd [rsp], xmm0; mov rcx, [rax]; cdqe; mov ecx, 1 and add eax, ecx
    for code in [
        &[0x89, 0xc7][..],
        &[0x84, 0xc0],
        &[0xf2, 0x0f, 0x11, 0x04, 0x24],
        &[0x48, 0x8b, 0x08],
        &[0x48, 0x98],
        &[0xb9, 1, 0, 0, 0, 0x01, 0xc8],
    ] {
        assert!(result_used(&[code, RET]), "{code:x?}");
    }
}

#[test]
fn a_result_that_is_overwritten_is_not_used() {
    // xor eax, eax; mov eax, ebx; mov rax, [rsp]; pxor xmm0, xmm0; each then read
    for code in [&[0x31, 0xc0, 0x89, 0xc7][..], &[0x89, 0xd8, 0x89, 0xc7], &[0x48, 0x8b, 0x04, 0x24, 0x89, 0xc7]] {
        assert!(!result_used(&[code, RET]), "{code:x?}");
    }
    assert!(!result_used(&[&[0x66, 0x0f, 0xef, 0xc0, 0x66, 0x0f, 0x7e, 0xc7], RET]));
    // mov al, 1 leaves what is above.
    assert!(result_used(&[&[0xb0, 1, 0x89, 0xc7], RET]));
    // Behind another call it is that one's result.
    assert!(!result_used(&[&[0xff, 0xd3, 0x89, 0xc7], RET]));
    assert!(!result_used(&[RET, &[0x89, 0xc7]]));
}

#[test]
fn both_ways_of_a_branch_are_followed() {
    // test ebx, ebx; je +2; {xor eax, eax}; mov edi, eax; ret
    assert!(result_used(&[&[0x85, 0xdb], &[0x74, 2], &[0x31, 0xc0], &[0x89, 0xc7], RET]));
    // test ebx, ebx; je +3; {mov edi, eax; ret}; xor eax, eax; ret
    assert!(result_used(&[&[0x85, 0xdb], &[0x74, 3], &[0x89, 0xc7], RET, &[0x31, 0xc0], RET]));
    // test ebx, ebx; je +3; {xor eax, eax; ret}; xor eax, eax; mov edi, eax; ret
    assert!(!result_used(&[&[0x85, 0xdb], &[0x74, 3], &[0x31, 0xc0], RET, &[0x31, 0xc0], &[0x89, 0xc7], RET]));
    // jmp to itself
    assert!(!result_used(&[&[0xeb, 0xfe]]));
}

#[test]
fn addresses_in_the_frame_are_seen_as_arguments() {
    assert_eq!(stack_argument(&[FRAME, LEA_RDI]), Some(0));
    // mov edi, 1; mov rsi, rsp
    assert_eq!(stack_argument(&[FRAME, &[0xbf, 1, 0, 0, 0], &[0x48, 0x89, 0xe6]]), Some(1));
    // lea rax, [rsp + 8]; mov rdx, rax
    assert_eq!(stack_argument(&[FRAME, &[0x48, 0x8d, 0x44, 0x24, 8], &[0x48, 0x89, 0xc2]]), Some(2));
    // lea r9, [rbp - 16], without and with a frame pointer
    let lea: &[u8] = &[0x4c, 0x8d, 0x4d, 0xf0];
    assert_eq!(stack_argument(&[lea]), None);
    assert_eq!(stack_argument(&[&[0x55, 0x48, 0x89, 0xe5], lea]), Some(5));
}

#[test]
fn other_arguments_are_not() {
    // mov rdi, [rsp + 8]: what the frame holds, not where
    assert_eq!(stack_argument(&[FRAME, &[0x48, 0x8b, 0x7c, 0x24, 8]]), None);
    // overwritten since
    assert_eq!(stack_argument(&[FRAME, LEA_RDI, &[0x31, 0xff]]), None);
    // an argument of another call
    assert_eq!(stack_argument(&[FRAME, LEA_RDI, &[0xff, 0xd3]]), None);
    // a branch leads in between: jne to the call
    assert_eq!(stack_argument(&[FRAME, &[0x75, 5], LEA_RDI]), None);
}

#[test]
fn a_register_that_always_holds_an_address_in_the_frame_is_known_across_calls() {
    // lea rbx, [rsp + 8]; call r12; mov rdi, rbx
    let lea: &[u8] = &[0x48, 0x8d, 0x5c, 0x24, 8];
    let rest: &[u8] = &[0x41, 0xff, 0xd4, 0x48, 0x89, 0xdf];
    assert_eq!(stack_argument(&[FRAME, lea, rest]), Some(0));
    // xor ebx, ebx before: it holds something else at times
    assert_eq!(stack_argument(&[FRAME, &[0x31, 0xdb], lea, rest]), None);
}
