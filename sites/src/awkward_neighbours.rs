//! Tests: which windows are chosen where the code around a site does not make it easy.

use alloc::vec::Vec;

use crate::synthetic::{DATA, MOV_FUTEX, RET, SYSCALL, Synthetic, TEXT};
use crate::{Number, Reason, Verdict, Window};

/// `mov eax, edx`.
const MOV_EDX: &[u8] = &[0x89, 0xd0];
/// `xor edi, edi`.
const XOR_EDI: &[u8] = &[0x31, 0xff];
/// `mov rsi, rbx`.
const MOV_RSI: &[u8] = &[0x48, 0x89, 0xde];
/// `test eax, eax`.
const TEST: &[u8] = &[0x85, 0xc0];

/// The rewriting verdict for the window between these distances from the start of the text.
fn window(start: u64, syscall: u64, end: u64) -> Verdict {
    Verdict::Rewrite(Window { start: TEXT + start, syscall: TEXT + syscall, end: TEXT + end })
}

fn refused(reason: Reason) -> Verdict {
    Verdict::Refused(reason)
}

#[test]
fn the_number_before_it_makes_room() {
    let site = Synthetic::function(&[XOR_EDI, MOV_FUTEX, SYSCALL, RET]).site();
    assert_eq!(site.number, Number::Known(202));
    assert_eq!(site.function, TEXT..TEXT + 10);
    assert_eq!(site.verdict, window(2, 7, 9));
}

#[test]
fn a_call_that_is_not_wanted_is_left() {
    let image = Synthetic::function(&[MOV_FUTEX, SYSCALL, RET]);
    assert_eq!(image.sites(&[1, 2])[0].verdict, Verdict::Leave);
}

#[test]
fn an_unknown_number_is_rewritten_whatever_is_wanted() {
    let image = Synthetic::function(&[MOV_RSI, MOV_EDX, SYSCALL, RET]);
    let sites = image.sites(&[]);
    assert_eq!((sites[0].number, sites[0].verdict), (Number::Unknown, window(0, 5, 7)));
}

#[test]
fn bytes_within_another_instruction_are_no_site() {
    // mov eax, 0x50f
    let image = Synthetic::function(&[&[0xb8, 0x0f, 0x05, 0, 0], RET]);
    assert_eq!(image.sites(&[202]), []);
}

#[test]
fn a_loop_may_begin_where_the_window_does() {
    // The exit loop of glibc's start_thread; the jump back moves too.
    let site = Synthetic::function(&[XOR_EDI, MOV_EDX, SYSCALL, &[0xeb, 0xf8]]).site();
    assert_eq!(site.verdict, window(0, 4, 6));
    let site = Synthetic::function(&[MOV_EDX, SYSCALL, &[0xeb, 0xfa], RET]).site();
    assert_eq!(site.verdict, window(0, 2, 6));
}

#[test]
fn a_jump_to_the_site_itself_keeps_what_is_before_it_in_place() {
    // mov eax, 202; again: syscall; test eax, eax; mov rsi, rbx; jne again; ret
    let site = Synthetic::function(&[MOV_FUTEX, SYSCALL, TEST, MOV_RSI, &[0x75, 0xf7], RET]).site();
    assert_eq!((site.number, site.verdict), (Number::Unknown, window(5, 5, 12)));
}

#[test]
fn a_jump_between_the_neighbours_limits_the_window() {
    // mov rsi, rbx; again: mov eax, edx; syscall; test eax, eax; ret; jne again
    let site = Synthetic::function(&[MOV_RSI, MOV_EDX, SYSCALL, TEST, RET, &[0x75, 0xf7]]).site();
    assert_eq!(site.verdict, window(3, 5, 9));
}

#[test]
fn a_site_between_two_branch_targets_is_crowded() {
    // jne first; jne second; first: syscall; second: ret
    let site = Synthetic::function(&[&[0x75, 0x02], &[0x75, 0x02], SYSCALL, MOV_RSI, RET]).site();
    assert_eq!(site.verdict, refused(Reason::Crowded));
}

#[test]
fn calls_and_returns_do_not_move() {
    // call +0x100; syscall; ret
    let site = Synthetic::function(&[&[0xe8, 0, 1, 0, 0], SYSCALL, RET]).site();
    assert_eq!(site.verdict, refused(Reason::NoRoom));
}

#[test]
fn an_endbr_at_the_start_does_not_move() {
    let site = Synthetic::function(&[&[0xf3, 0x0f, 0x1e, 0xfa], SYSCALL, MOV_RSI, RET]).site();
    assert_eq!(site.verdict, window(4, 4, 9));
}

#[test]
fn the_first_instruction_of_a_function_uses_what_follows() {
    let site = Synthetic::function(&[SYSCALL, TEST, &[0x75, 0x01], RET, RET]).site();
    assert_eq!(site.verdict, window(0, 0, 6));
}

#[test]
fn the_last_instruction_of_a_function_uses_what_precedes() {
    let site = Synthetic::function(&[MOV_RSI, SYSCALL]).site();
    assert_eq!(site.verdict, window(0, 3, 5));
}

#[test]
fn back_to_back_sites_do_not_share_bytes() {
    let image = Synthetic::function(&[MOV_FUTEX, SYSCALL, MOV_RSI, SYSCALL, RET]);
    let verdicts: Vec<_> = image.sites(&[202]).into_iter().map(|site| site.verdict).collect();
    assert_eq!(verdicts, [window(0, 5, 7), window(7, 10, 12)]);
    // The first needs the only instruction between them.
    let image = Synthetic::function(&[SYSCALL, MOV_RSI, SYSCALL, RET]);
    let verdicts: Vec<_> = image.sites(&[202]).into_iter().map(|site| site.verdict).collect();
    assert_eq!(verdicts, [window(0, 0, 5), refused(Reason::NoRoom)]);
}

#[test]
fn a_jump_that_is_not_understood_leaves_only_pairs() {
    // jmp rax
    let jump: &[u8] = &[0xff, 0xe0];
    let site = Synthetic::function(&[jump, MOV_FUTEX, SYSCALL, RET]).site();
    assert_eq!((site.number, site.verdict), (Number::Known(202), window(2, 7, 9)));
    let site = Synthetic::function(&[jump, MOV_RSI, SYSCALL, TEST, RET]).site();
    assert_eq!(site.verdict, refused(Reason::IndirectJump));
}

#[test]
fn a_jump_through_a_fixed_word_leaves_the_function() {
    // jmp [rip + 0]
    let site = Synthetic::function(&[MOV_RSI, SYSCALL, &[0xff, 0x25, 0, 0, 0, 0]]).site();
    assert_eq!(site.verdict, window(0, 3, 5));
}

/// `lea rdx, [table]; movsxd rax, [rdx + rax*4]; add rax, rdx; jmp rax`, 16 bytes, at the start of
/// the text; the table is first in the data.
fn switch() -> Vec<u8> {
    let distance = (DATA - (TEXT + 7)) as i32;
    [&[0x48, 0x8d, 0x15][..], &distance.to_le_bytes(), &[0x48, 0x63, 0x04, 0x82, 0x48, 0x01, 0xd0, 0xff, 0xe0]].concat()
}

fn table(cases: &[u64]) -> Vec<u8> {
    cases.iter().flat_map(|case| ((TEXT + case).wrapping_sub(DATA) as i32).to_le_bytes()).collect()
}

#[test]
fn the_cases_of_a_switch_are_branch_targets() {
    let code: &[&[u8]] = &[&switch(), MOV_RSI, XOR_EDI, SYSCALL, MOV_RSI, RET];
    let mut image = Synthetic::function(code);
    // Cases that do not matter: the window may begin at one, and the return is outside.
    image.add_data(&table(&[16, 26]));
    assert_eq!(image.site().verdict, window(16, 21, 23));
    // A case between the lead and the site.
    let mut image = Synthetic::function(code);
    image.add_data(&table(&[16, 21]));
    assert_eq!(image.site().verdict, window(21, 21, 26));
    // No table: the jump is not understood.
    assert_eq!(Synthetic::function(code).site().verdict, refused(Reason::IndirectJump));
}

#[test]
fn a_jump_through_a_table_that_cannot_be_read_is_not_understood() {
    // jmp [0x401000 + rax*8]
    let jump: &[u8] = &[0xff, 0x24, 0xc5, 0, 0x10, 0x40, 0];
    let site = Synthetic::function(&[jump, MOV_RSI, SYSCALL, RET]).site();
    assert_eq!(site.verdict, refused(Reason::IndirectJump));
}

#[test]
fn the_way_back_from_a_cold_part_is_a_branch_target() {
    let mut image = Synthetic::default();
    // je cold (forward 0x20 bytes); mov rsi, rbx; xor edi, edi; syscall; ret; then the cold part:
    // jmp to the site
    image.add(&[&[0x0f, 0x84, 0x20, 0, 0, 0], MOV_RSI, XOR_EDI, SYSCALL, MOV_RSI, RET]);
    assert_eq!(image.site().verdict, window(6, 11, 13));
    image.add_uncovered(&[&[0xcc; 0x26 - 17]]);
    let cold = image.add(&[&[0xe9], &(-32_i32).to_le_bytes()]);
    assert_eq!(cold, TEXT + 0x26);
    assert_eq!(image.site().verdict, window(11, 11, 16));
}

#[test]
fn a_landing_pad_is_a_branch_target() {
    let mut image = Synthetic::default();
    image.add_with_pads(&[MOV_RSI, XOR_EDI, SYSCALL, MOV_RSI, RET], &[3]);
    assert_eq!(image.site().verdict, window(5, 5, 10));
    let mut image = Synthetic::default();
    image.add_with_pads(&[MOV_RSI, XOR_EDI, SYSCALL, MOV_RSI, RET], &[0]);
    assert_eq!(image.site().verdict, window(0, 5, 7));
}

#[test]
fn a_signal_trampoline_begins_after_its_entry() {
    let mut image = Synthetic::default();
    // mov rax, 15; syscall
    let start = image.add_signal_trampoline(&[&[0x48, 0xc7, 0xc0, 15, 0, 0, 0], SYSCALL]);
    let site = image.sites(&[15]).remove(0);
    assert_eq!(site.number, Number::Known(15));
    assert_eq!(site.verdict, Verdict::Rewrite(Window { start, syscall: start + 7, end: start + 9 }));
}

#[test]
fn a_gap_between_unwind_entries_is_bridged() {
    let mut image = Synthetic::default();
    image.add(&[MOV_RSI, MOV_FUTEX]);
    image.add_uncovered(&[SYSCALL, TEST]);
    image.add(&[RET]);
    let site = image.site();
    assert_eq!((site.number, site.verdict), (Number::Known(202), window(3, 8, 10)));
}

#[test]
fn without_unwind_entries_a_plausible_site_is_reported_and_refused() {
    let mut image = Synthetic::default();
    image.add_uncovered(&[MOV_FUTEX, SYSCALL, MOV_RSI, SYSCALL, RET]);
    let site = image.site();
    assert_eq!((site.address, site.number), (TEXT + 5, Number::Known(202)));
    assert_eq!(site.verdict, refused(Reason::NoFunction));
}

#[test]
fn a_function_with_data_in_it_is_refused() {
    // 06 is no instruction in 64-bit mode.
    let site = Synthetic::function(&[MOV_FUTEX, SYSCALL, RET, &[0x06]]).site();
    assert_eq!(site.verdict, refused(Reason::Undecodable));
}

#[test]
fn a_number_is_followed_through_registers() {
    // mov ebx, 202; mov rsi, rbx; mov eax, ebx
    let site = Synthetic::function(&[&[0xbb, 202, 0, 0, 0], MOV_RSI, &[0x89, 0xd8], SYSCALL, RET]).site();
    assert_eq!(site.number, Number::Known(202));
}

#[test]
fn a_number_is_zero_after_xor() {
    // xor eax, eax; mov rsi, rbx
    let sites = Synthetic::function(&[&[0x31, 0xc0], MOV_RSI, SYSCALL, RET]).sites(&[]);
    assert_eq!((sites[0].number, sites[0].verdict), (Number::Known(0), Verdict::Leave));
}

#[test]
fn a_number_set_before_a_call_a_branch_target_or_a_partial_write_is_not_known() {
    let call: &[u8] = &[0xe8, 0, 1, 0, 0];
    assert_eq!(Synthetic::function(&[MOV_FUTEX, call, MOV_RSI, SYSCALL]).site().number, Number::Unknown);
    // mov eax, 202; target: mov rsi, rbx; syscall; jne target
    assert_eq!(Synthetic::function(&[MOV_FUTEX, MOV_RSI, SYSCALL, &[0x75, 0xf9]]).site().number, Number::Unknown);
    // mov al, 1
    assert_eq!(Synthetic::function(&[MOV_FUTEX, &[0xb0, 1], MOV_RSI, SYSCALL]).site().number, Number::Unknown);
}
