//! Tests: which bytes are chosen at the beginning of a function, and what is a reason to refuse.

use alloc::vec::Vec;

use crate::entry_synthetic::{DATA, Layout, PLAIN, SIX_BYTES};
use crate::synthetic::{RET, SYSCALL, TEXT};
use crate::{EntryReason, Redirect, entry};

const ENDBR64: &[u8] = &[0xf3, 0x0f, 0x1e, 0xfa];
/// `xor eax, eax; ret`.
const THREE_BYTES: &[u8] = &[0x31, 0xc0, 0xc3];
const PADDING: &[u8] = &[0x0f, 0x1f, 0x80, 0, 0, 0, 0, 0xcc];

#[test]
fn whole_instructions_of_five_bytes_or_more_make_the_window() {
    let entry = Layout::function(&[PLAIN]).entry(TEXT).unwrap();
    assert_eq!((entry.function, entry.window), (TEXT..TEXT + 7, TEXT..TEXT + 5));
    assert_eq!((entry.relay, entry.redirects), (None, Vec::new()));
    // sub rsp, 8; mov rax, fs:[0x28]
    let code = [0x48, 0x83, 0xec, 8, 0x64, 0x48, 0x8b, 0x04, 0x25, 0x28, 0, 0, 0];
    assert_eq!(Layout::function(&[&code, RET]).entry(TEXT).unwrap().window, TEXT..TEXT + 13);
}

#[test]
fn an_endbr64_stays_in_place() {
    let entry = Layout::function(&[ENDBR64, PLAIN]).entry(TEXT).unwrap();
    assert_eq!(entry.window, TEXT + 4..TEXT + 9);
    assert_eq!(Layout::function(&[ENDBR64]).entry(TEXT), Err(EntryReason::TooShort));
}

#[test]
fn a_symbol_tells_the_end_where_unwind_entries_do_not() {
    let mut layout = Layout::default();
    let bare = layout.add_uncovered(&[PLAIN]);
    layout.add(&[PLAIN]);
    assert_eq!(layout.entry(bare), Err(EntryReason::NoFunction));
    assert_eq!(layout.with_image(|image| entry(image, bare..bare + 7)).unwrap().window, bare..bare + 5);
    assert_eq!(layout.entry(DATA), Err(EntryReason::NoFunction));
}

#[test]
fn an_address_inside_a_function_is_no_entry() {
    let layout = Layout::function(&[PLAIN]);
    assert_eq!(layout.entry(TEXT + 1), Err(EntryReason::NotAnEntry(TEXT)));
}

#[test]
fn bytes_that_are_no_instructions_are_refused() {
    assert_eq!(Layout::function(&[PLAIN, &[0x06]]).entry(TEXT), Err(EntryReason::Undecodable));
}

#[test]
fn a_short_function_lends_from_the_padding_behind_it() {
    for padding in [&[0xcc; 13][..], &[0x90; 2], &[0x66, 0x90], PADDING] {
        let layout = {
            let mut layout = Layout::function(&[THREE_BYTES]);
            layout.add_uncovered(&[padding]);
            layout.add(&[PLAIN]);
            layout
        };
        let entry = layout.entry(TEXT).unwrap();
        assert_eq!((entry.window, entry.relay), (TEXT..TEXT + 5, None), "{padding:x?}");
    }
}

#[test]
fn what_may_be_code_is_no_padding() {
    // Too little; not only no-ops; nothing known to begin behind it; the function runs on into it.
    for (code, between, next) in [
        (THREE_BYTES, &[0x90][..], true),
        (THREE_BYTES, &[0x90, 0x90, 0x90, 0x31, 0xc0], true),
        (THREE_BYTES, &[0xcc; 16], false),
        (&[0x31, 0xc0, 0x50], &[0x90; 2], true),
    ] {
        let mut layout = Layout::function(&[code]);
        layout.add_uncovered(&[between]);
        if next {
            layout.add(&[PLAIN]);
        }
        assert_eq!(layout.entry(TEXT), Err(EntryReason::TooShort), "{code:x?} {between:x?}");
    }
}

#[test]
fn a_short_jump_leads_to_padding_nearby() {
    let mut layout = Layout::default();
    layout.add(&[PLAIN]);
    let padding = layout.add_uncovered(&[PADDING]);
    let short = layout.add(&[THREE_BYTES]);
    layout.add(&[PLAIN]);
    let entry = layout.entry(short).unwrap();
    assert_eq!((entry.window, entry.relay), (short..short + 2, Some(padding)));
}

#[test]
fn padding_out_of_reach_is_of_no_use() {
    // The short jump ends two bytes behind the entry, the padding begins `between` + 4 behind it.
    for (between, reached) in [(125, true), (126, false)] {
        let mut layout = Layout::function(&[THREE_BYTES]);
        layout.add(&[&[0x90].repeat(between), RET]);
        let padding = layout.add_uncovered(&[&[0xcc; 5]]);
        layout.add(&[PLAIN]);
        let relay = layout.entry(TEXT).map(|entry| entry.relay);
        assert_eq!(relay, if reached { Ok(Some(padding)) } else { Err(EntryReason::TooShort) }, "{between}");
    }
}

#[test]
fn a_function_of_one_byte_has_room_for_nothing() {
    let mut layout = Layout::function(&[RET]);
    layout.add(&[PLAIN]);
    layout.add_uncovered(&[PADDING]);
    layout.add(&[PLAIN]);
    assert_eq!(layout.entry(TEXT), Err(EntryReason::TooShort));
}

#[test]
fn a_far_branch_back_to_the_entry_is_redirected() {
    // the window; then jne entry, with a displacement of 32 bits
    let layout = Layout::function(&[&PLAIN[..6], &[0x0f, 0x85, 0xf4, 0xff, 0xff, 0xff], RET]);
    let entry = layout.entry(TEXT).unwrap();
    assert_eq!(entry.window, TEXT..TEXT + 5);
    assert_eq!(entry.redirects, [Redirect { address: TEXT + 6, end: TEXT + 12, target: TEXT, relay: None }]);
}

#[test]
fn a_near_branch_back_to_the_entry_needs_padding() {
    let code: &[&[u8]] = &[&PLAIN[..6], &[0x75, 0xf8], RET];
    let mut layout = Layout::function(code);
    assert_eq!(layout.entry(TEXT), Err(EntryReason::LoopToEntry(TEXT + 6)));
    let padding = layout.add_uncovered(&[PADDING]);
    layout.add(&[PLAIN]);
    let entry = layout.entry(TEXT).unwrap();
    assert_eq!(entry.redirects, [Redirect { address: TEXT + 6, end: TEXT + 8, target: TEXT, relay: Some(padding) }]);
}

#[test]
fn a_loop_that_fits_into_the_window_moves_as_a_whole() {
    // inc eax; jne entry; ret
    let entry = Layout::function(&[&[0xff, 0xc0], &[0x75, 0xfc], RET]).entry(TEXT).unwrap();
    assert_eq!((entry.window, entry.redirects), (TEXT..TEXT + 5, Vec::new()));
}

#[test]
fn each_near_branch_has_a_relay_of_its_own() {
    // inc eax; second: inc ecx; inc edx; jne second; jne entry; ret
    let code: &[&[u8]] = &[&[0xff, 0xc0, 0xff, 0xc1, 0xff, 0xc2], &[0x75, 0xfa], &[0x75, 0xf6], RET];
    let mut layout = Layout::function(code);
    layout.add(&[PLAIN]);
    let padding = layout.add_uncovered(&[&[0xcc; 10]]);
    layout.add(&[PLAIN]);
    let entry = layout.entry(TEXT).unwrap();
    let redirects: Vec<_> = entry.redirects.iter().map(|redirect| (redirect.target, redirect.relay)).collect();
    assert_eq!(entry.relay, None);
    assert_eq!(redirects, [(TEXT + 2, Some(padding)), (TEXT, Some(padding + 5))]);
}

#[test]
fn a_loop_to_the_endbr64_is_one_to_the_entry() {
    let layout = Layout::function(&[ENDBR64, &PLAIN[..6], &[0x0f, 0x85, 0xf0, 0xff, 0xff, 0xff], RET]);
    let entry = layout.entry(TEXT).unwrap();
    assert_eq!((entry.redirects.len(), entry.redirects[0].target), (1, TEXT));
}

#[test]
fn a_tail_call_from_another_function_is_a_call() {
    let mut layout = Layout::function(&[PLAIN]);
    layout.add(&[&[0xe9, 0xf4, 0xff, 0xff, 0xff]]);
    layout.add(&[&[0xeb, 0xf2]]);
    assert_eq!(layout.entry(TEXT).unwrap().redirects, []);
}

#[test]
fn a_function_that_calls_itself_makes_calls() {
    let layout = Layout::function(&[&PLAIN[..5], &[0xe8, 0xf6, 0xff, 0xff, 0xff], RET]);
    assert_eq!(layout.entry(TEXT).unwrap().redirects, []);
}

#[test]
fn a_branch_into_the_window_is_redirected_or_avoided() {
    // push rbx; loop: mov rbx, rdi; inc eax; jne loop (far); ret
    let far: &[&[u8]] = &[&[0x53, 0x48, 0x89, 0xfb, 0xff, 0xc0], &[0x0f, 0x85, 0xf5, 0xff, 0xff, 0xff], RET];
    let entry = Layout::function(far).entry(TEXT).unwrap();
    assert_eq!(entry.window, TEXT..TEXT + 6);
    assert_eq!(entry.redirects[0].target, TEXT + 1);
    // The same with a near branch.
    let near: &[&[u8]] = &[&[0x53, 0x48, 0x89, 0xfb, 0xff, 0xc0, 0x90], &[0x75, 0xf8], RET];
    assert_eq!(Layout::function(near).entry(TEXT), Err(EntryReason::Crowded(TEXT + 1)));
    // xor eax, eax; loop: inc ecx; mov rbx, rdi; jrcxz loop; ret
    let mut layout = Layout::function(&[&[0x31, 0xc0, 0xff, 0xc1, 0x48, 0x89, 0xfb], &[0xe3, 0xf9], RET]);
    assert_eq!(layout.entry(TEXT), Err(EntryReason::Crowded(TEXT + 2)));
    layout.add_uncovered(&[&[0xcc; 5]]);
    layout.add(&[PLAIN]);
    let entry = layout.entry(TEXT).unwrap();
    assert_eq!((entry.window.end - TEXT, entry.redirects.len()), (7, 1));
}

#[test]
fn a_branch_past_a_prefix_leads_between_instructions() {
    // nop x4; lock inc dword ptr [rdi]; je past the lock prefix; ret
    let code: &[&[u8]] = &[&[0x90; 4], &[0xf0, 0xff, 0x07], &[0x0f, 0x84, 0xf8, 0xff, 0xff, 0xff], RET];
    assert_eq!(Layout::function(code).entry(TEXT), Err(EntryReason::Crowded(TEXT + 5)));
}

#[test]
fn branches_of_other_code_into_the_window_are_redirected_too() {
    // A jump, and a call, from elsewhere to the second instruction.
    for opcode in [0xe8, 0xe9] {
        let mut layout = Layout::function(&[PLAIN]);
        layout.add(&[&[opcode, 0xf5, 0xff, 0xff, 0xff]]);
        let redirect = Redirect { address: TEXT + 7, end: TEXT + 12, target: TEXT + 1, relay: None };
        assert_eq!(layout.entry(TEXT).unwrap().redirects, [redirect]);
    }
    // A short one, with no padding near.
    let mut layout = Layout::function(&[PLAIN]);
    layout.add(&[&[0xeb, 0xf8]]);
    assert_eq!(layout.entry(TEXT), Err(EntryReason::Crowded(TEXT + 1)));
    // Into the middle of an instruction.
    let mut layout = Layout::function(&[PLAIN]);
    layout.add(&[&[0xe9, 0xf6, 0xff, 0xff, 0xff]]);
    assert_eq!(layout.entry(TEXT), Err(EntryReason::Crowded(TEXT + 2)));
    // The displacement of something else, and bytes of an immediate that look like a jump.
    let mut layout = Layout::function(&[PLAIN]);
    layout.add(&[&[0x8d, 0x05, 0xf4, 0xff, 0xff, 0xff], &[0x48, 0xb8, 0xe9, 0xed, 0xff, 0xff, 0xff, 0, 0, 0], RET]);
    assert_eq!(layout.entry(TEXT).unwrap().redirects, []);
}

#[test]
fn a_piece_put_elsewhere_loops_back_without_making_a_call() {
    // Five bytes; then to the second instruction, or by a condition to the first, of another
    // function, whose second jumps to the entry.
    let back: &[u8] = &[0x90, 0xe9, 0xee, 0xff, 0xff, 0xff];
    for (leave, is_piece) in [
        (&[0xe9, 3, 0, 0, 0, 0x90, 0xc3][..], true),
        (&[0x0f, 0x84, 1, 0, 0, 0, 0xc3], true),
        (&[0xe9, 2, 0, 0, 0, 0x90, 0xc3], false),
    ] {
        let mut layout = Layout::function(&[&PLAIN[..5], leave]);
        layout.add(&[back]);
        let redirects = layout.entry(TEXT).unwrap().redirects;
        let redirect = Redirect { address: TEXT + 13, end: TEXT + 18, target: TEXT, relay: None };
        assert_eq!(redirects, if is_piece { Vec::from([redirect]) } else { Vec::new() }, "{leave:x?}");
    }
}

#[test]
fn a_jump_table_back_to_the_entry_is_a_reason_to_refuse() {
    for (entry, expected) in [
        (TEXT, Err(EntryReason::LoopToEntry(TEXT + 19))),
        (TEXT + 1, Err(EntryReason::Crowded(TEXT + 1))),
        (TEXT + 20, Ok(TEXT..TEXT + 5)),
    ] {
        let mut layout = Layout::default();
        let table = layout.add_data(&(entry as u32).wrapping_sub(DATA as u32).to_le_bytes());
        layout.add_data(&[0; 4]);
        // nop x5; lea rdx, [table]; movsxd rax, [rdx + rdi*4]; add rax, rdx; jmp rax; ret
        let distance = (table.wrapping_sub(TEXT + 12) as u32).to_le_bytes();
        let code: &[&[u8]] = &[
            &[0x90; 5],
            &[0x48, 0x8d, 0x15],
            &distance,
            &[0x48, 0x63, 0x04, 0xba],
            &[0x48, 0x01, 0xd0],
            &[0xff, 0xe0],
        ];
        layout.add(&[&code.concat(), RET]);
        assert_eq!(layout.entry(TEXT).map(|entry| entry.window), expected);
    }
}

#[test]
fn an_unknown_jump_leads_only_where_an_address_is_written_down() {
    let code: &[&[u8]] = &[PLAIN, &[0xff, 0xe0]];
    assert!(Layout::function(code).entry(TEXT).is_ok());
    let mut layout = Layout::function(code);
    layout.add_data(&TEXT.to_le_bytes());
    assert!(layout.entry(TEXT).is_ok());
    layout.add_data(&(TEXT + 4).to_le_bytes());
    assert_eq!(layout.entry(TEXT), Err(EntryReason::Crowded(TEXT + 4)));
}

#[test]
fn what_would_change_its_meaning_is_not_moved() {
    // jrcxz; loop; xbegin; a far jump; call [rsp + 8], which a push would shift
    for code in
        [&[0xe3, 0x10][..], &[0xe2, 0x10], &[0xc7, 0xf8, 0, 1, 0, 0], &[0xff, 0x2f], &[0xff, 0x94, 0x24, 8, 0, 0, 0]]
    {
        let layout = Layout::function(&[code, PLAIN, &[0x90; 16]]);
        assert_eq!(layout.entry(TEXT), Err(EntryReason::NotMovable(TEXT)), "{code:x?}");
    }
}

#[test]
fn a_system_call_is_left_to_be_found() {
    // xor eax, eax; inc edi; syscall; ret
    let layout = Layout::function(&[&[0x31, 0xc0, 0xff, 0xc7], SYSCALL, RET]);
    assert_eq!(layout.entry(TEXT), Err(EntryReason::SystemCall(TEXT + 4)));
    // One that was replaced by a jump out of the image.
    let layout = Layout::function(&[&[0xe9, 0, 0, 0, 0xff], RET]);
    assert_eq!(layout.entry(TEXT), Err(EntryReason::SystemCall(TEXT)));
    // Behind the window it does not matter.
    assert!(Layout::function(&[SIX_BYTES, SYSCALL, RET]).entry(TEXT).is_ok());
}

#[test]
fn a_short_jump_lets_a_call_end_the_window() {
    // push rax; call rdi; pop rcx; ret
    let code: &[&[u8]] = &[&[0x50, 0xff, 0xd7, 0x59, 0xc3]];
    let entry = Layout::function(code).entry(TEXT).unwrap();
    assert_eq!((entry.window, entry.relay), (TEXT..TEXT + 5, None));
    let mut layout = Layout::function(code);
    let padding = layout.add_uncovered(&[PADDING]);
    layout.add(&[PLAIN]);
    let entry = layout.entry(TEXT).unwrap();
    assert_eq!((entry.window, entry.relay), (TEXT..TEXT + 3, Some(padding)));
}

#[test]
fn reasons_are_short_and_plain() {
    for reason in [EntryReason::NotAnEntry(0x1234), EntryReason::Crowded(0x1234), EntryReason::LoopToEntry(0x1234)] {
        let words = std::format!("{reason}");
        assert!(words.contains("0x1234") && words.len() < 70, "{words}");
    }
}
