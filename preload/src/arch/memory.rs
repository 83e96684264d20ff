//! The memory functions that compiled Rust code calls by name: `memcpy`, `memmove`, `memset`, `memcmp`, `bcmp`, `strlen`.
//!
//! The compiler emits calls of these symbols wherever it copies, clears or compares memory. Left undefined, they would be bound
//! to the program's libc, and two things would go wrong. libc's versions use AVX registers (and `vzeroupper`), while
//! the gate saves only what the baseline instruction set can change: a program would find the upper halves of its vector
//! registers clobbered by a system call, which the kernel never does. And before relocation is complete, or in a process
//! that has no glibc, there may be nothing to bind to. So the library brings its own, hidden, in plain
//! integer registers and string instructions, which change no vector register at all.
//!
//! How they work: up to 32 bytes are copied by loads that all happen before the first store, with the
//! head and the tail overlapping in the middle, so no length in that range needs a loop and overlap is harmless. Longer
//! copies go 32 bytes a turn and end in the short case; from 1,024 bytes on `rep movsb` is faster (its start costs some
//! thirty cycles). `memcpy` and `memmove` are one function. The direction flag is clear, as the psABI
//! promises at every call; the gate clears it for code that broke the promise.

core::arch::global_asm!(
    ".pushsection .text.grivet_memory,\"ax\",@progbits",
    // memmove(rdi destination, rsi source, rdx bytes) -> rax destination
    ".p2align 5",
    ".globl grivet_memmove",
    ".hidden grivet_memmove",
    ".type grivet_memmove,@function",
    #[cfg(not(test))]
    ".globl memcpy",
    #[cfg(not(test))]
    ".hidden memcpy",
    #[cfg(not(test))]
    ".type memcpy,@function",
    #[cfg(not(test))]
    ".globl memmove",
    #[cfg(not(test))]
    ".hidden memmove",
    #[cfg(not(test))]
    ".type memmove,@function",
    #[cfg(not(test))]
    "memcpy:",
    #[cfg(not(test))]
    "memmove:",
    "grivet_memmove:",
    ".cfi_startproc",
    "    mov rax, rdi",
    // 0 to 32 bytes, also the rest of a longer copy: everything is loaded before anything is stored.
    ".Lcopy_short:",
    "    cmp rdx, 16",
    "    ja .Lcopy_over_16",
    "    cmp edx, 8",
    "    jb .Lcopy_under_8",
    "    mov rcx, [rsi]",
    "    mov r8, [rsi + rdx - 8]",
    "    mov [rdi], rcx",
    "    mov [rdi + rdx - 8], r8",
    "    ret",
    ".Lcopy_under_8:",
    "    cmp edx, 4",
    "    jb .Lcopy_under_4",
    "    mov ecx, [rsi]",
    "    mov r8d, [rsi + rdx - 4]",
    "    mov [rdi], ecx",
    "    mov [rdi + rdx - 4], r8d",
    "    ret",
    // 1: the same byte three times; 2: first, last, last; 3: first, middle, last.
    ".Lcopy_under_4:",
    "    test edx, edx",
    "    jz .Lcopy_none",
    "    mov r9, rdx",
    "    shr r9, 1",
    "    movzx ecx, byte ptr [rsi]",
    "    movzx r8d, byte ptr [rsi + r9]",
    "    movzx r10d, byte ptr [rsi + rdx - 1]",
    "    mov [rdi], cl",
    "    mov [rdi + r9], r8b",
    "    mov [rdi + rdx - 1], r10b",
    ".Lcopy_none:",
    "    ret",
    ".Lcopy_over_16:",
    "    cmp rdx, 32",
    "    ja .Lcopy_over_32",
    "    mov rcx, [rsi]",
    "    mov r8, [rsi + 8]",
    "    mov r9, [rsi + rdx - 16]",
    "    mov r10, [rsi + rdx - 8]",
    "    mov [rdi], rcx",
    "    mov [rdi + 8], r8",
    "    mov [rdi + rdx - 16], r9",
    "    mov [rdi + rdx - 8], r10",
    "    ret",
    ".Lcopy_over_32:",
    "    mov rcx, rdi",
    "    sub rcx, rsi",
    "    cmp rcx, rdx", // unsigned: below only if the destination begins inside the source
    "    jb .Lcopy_backward",
    "    cmp rdx, 1024",
    "    jb .Lcopy_forward",
    "    cmp rcx, -64", // a source less than 64 bytes ahead makes the string instruction go byte by byte
    "    ja .Lcopy_forward",
    "    mov rcx, rdx",
    "    rep movsb",
    "    ret",
    ".p2align 4",
    ".Lcopy_forward:",
    "    mov rcx, [rsi]",
    "    mov r8, [rsi + 8]",
    "    mov r9, [rsi + 16]",
    "    mov r10, [rsi + 24]",
    "    mov [rdi], rcx",
    "    mov [rdi + 8], r8",
    "    mov [rdi + 16], r9",
    "    mov [rdi + 24], r10",
    "    add rsi, 32",
    "    add rdi, 32",
    "    sub rdx, 32",
    "    cmp rdx, 32",
    "    ja .Lcopy_forward",
    "    jmp .Lcopy_short",
    ".p2align 4",
    ".Lcopy_backward:",
    "    mov rcx, [rsi + rdx - 8]",
    "    mov r8, [rsi + rdx - 16]",
    "    mov r9, [rsi + rdx - 24]",
    "    mov r10, [rsi + rdx - 32]",
    "    mov [rdi + rdx - 8], rcx",
    "    mov [rdi + rdx - 16], r8",
    "    mov [rdi + rdx - 24], r9",
    "    mov [rdi + rdx - 32], r10",
    "    sub rdx, 32",
    "    cmp rdx, 32",
    "    ja .Lcopy_backward",
    "    jmp .Lcopy_short",
    ".cfi_endproc",
    ".size grivet_memmove, . - grivet_memmove",
    // memset(rdi destination, esi byte, rdx bytes) -> rax destination
    ".p2align 5",
    ".globl grivet_memset",
    ".hidden grivet_memset",
    ".type grivet_memset,@function",
    #[cfg(not(test))]
    ".globl memset",
    #[cfg(not(test))]
    ".hidden memset",
    #[cfg(not(test))]
    ".type memset,@function",
    #[cfg(not(test))]
    "memset:",
    "grivet_memset:",
    ".cfi_startproc",
    "    mov rax, rdi",
    "    movzx esi, sil",
    "    movabs rcx, 0x0101010101010101",
    "    imul rsi, rcx", // the byte, eight times
    "    cmp rdx, 16",
    "    ja .Lset_over_16",
    "    cmp edx, 8",
    "    jb .Lset_under_8",
    "    mov [rdi], rsi",
    "    mov [rdi + rdx - 8], rsi",
    "    ret",
    ".Lset_under_8:",
    "    cmp edx, 4",
    "    jb .Lset_under_4",
    "    mov [rdi], esi",
    "    mov [rdi + rdx - 4], esi",
    "    ret",
    ".Lset_under_4:",
    "    test edx, edx",
    "    jz .Lset_none",
    "    mov [rdi], sil",
    "    mov [rdi + rdx - 1], sil",
    "    shr edx, 1",
    "    mov [rdi + rdx], sil",
    ".Lset_none:",
    "    ret",
    ".Lset_over_16:",
    "    cmp rdx, 512",
    "    ja .Lset_long",
    "    lea rcx, [rdi + rdx - 16]", // the last 16 bytes, aligned or not
    "    mov [rcx], rsi",
    "    mov [rcx + 8], rsi",
    ".Lset_loop:",
    "    mov [rdi], rsi",
    "    mov [rdi + 8], rsi",
    "    add rdi, 16",
    "    cmp rdi, rcx",
    "    jb .Lset_loop",
    "    ret",
    ".Lset_long:",
    "    mov r8, rax",
    "    mov eax, esi",
    "    mov rcx, rdx",
    "    rep stosb",
    "    mov rax, r8",
    "    ret",
    ".cfi_endproc",
    ".size grivet_memset, . - grivet_memset",
    // memcmp(rdi, rsi, rdx bytes) -> eax below, equal to or above zero; bcmp promises less, so it is the same.
    ".p2align 5",
    ".globl grivet_memcmp",
    ".hidden grivet_memcmp",
    ".type grivet_memcmp,@function",
    #[cfg(not(test))]
    ".globl memcmp",
    #[cfg(not(test))]
    ".hidden memcmp",
    #[cfg(not(test))]
    ".type memcmp,@function",
    #[cfg(not(test))]
    ".globl bcmp",
    #[cfg(not(test))]
    ".hidden bcmp",
    #[cfg(not(test))]
    ".type bcmp,@function",
    #[cfg(not(test))]
    "memcmp:",
    #[cfg(not(test))]
    "bcmp:",
    "grivet_memcmp:",
    ".cfi_startproc",
    "    cmp rdx, 8",
    "    jb .Lcompare_bytes",
    ".Lcompare_loop:",
    "    mov rcx, [rdi]",
    "    mov r8, [rsi]",
    "    cmp rcx, r8",
    "    jne .Lcompare_differ",
    "    add rdi, 8",
    "    add rsi, 8",
    "    sub rdx, 8",
    "    cmp rdx, 8",
    "    jae .Lcompare_loop",
    "    test rdx, rdx",
    "    jz .Lcompare_equal",
    "    mov rcx, [rdi + rdx - 8]", // the rest, with bytes before it that are known to be equal
    "    mov r8, [rsi + rdx - 8]",
    "    cmp rcx, r8",
    "    je .Lcompare_equal",
    ".Lcompare_differ:",
    "    bswap rcx", // now the first byte in memory weighs most
    "    bswap r8",
    "    xor eax, eax",
    "    cmp rcx, r8",
    "    seta al",
    "    sbb eax, 0",
    "    ret",
    ".Lcompare_bytes:",
    "    test edx, edx",
    "    jz .Lcompare_equal",
    ".Lcompare_byte:",
    "    movzx eax, byte ptr [rdi]",
    "    movzx ecx, byte ptr [rsi]",
    "    sub eax, ecx",
    "    jne .Lcompare_done",
    "    inc rdi",
    "    inc rsi",
    "    dec edx",
    "    jnz .Lcompare_byte",
    ".Lcompare_equal:",
    "    xor eax, eax",
    ".Lcompare_done:",
    "    ret",
    ".cfi_endproc",
    ".size grivet_memcmp, . - grivet_memcmp",
    // strlen(rdi) -> rax bytes before the first zero
    ".p2align 4",
    ".globl grivet_strlen",
    ".hidden grivet_strlen",
    ".type grivet_strlen,@function",
    #[cfg(not(test))]
    ".globl strlen",
    #[cfg(not(test))]
    ".hidden strlen",
    #[cfg(not(test))]
    ".type strlen,@function",
    #[cfg(not(test))]
    "strlen:",
    "grivet_strlen:",
    ".cfi_startproc",
    "    mov rax, -1",
    ".Llength_loop:",
    "    inc rax",
    "    cmp byte ptr [rdi + rax], 0",
    "    jne .Llength_loop",
    "    ret",
    ".cfi_endproc",
    ".size grivet_strlen, . - grivet_strlen",
    ".popsection",
);

#[cfg(test)]
mod tests {
    unsafe extern "C" {
        fn grivet_memmove(destination: *mut u8, source: *const u8, bytes: usize) -> *mut u8;
        fn grivet_memset(destination: *mut u8, byte: i32, bytes: usize) -> *mut u8;
        fn grivet_memcmp(left: *const u8, right: *const u8, bytes: usize) -> i32;
        fn grivet_strlen(string: *const u8) -> usize;
    }

    const LENGTHS: [usize; 14] = [200, 255, 256, 257, 511, 512, 513, 1023, 1024, 1025, 1055, 2048, 4097, 5000];

    fn lengths() -> impl Iterator<Item = usize> {
        (0..=160).chain(LENGTHS)
    }

    fn pattern(length: usize) -> Vec<u8> {
        (0..length).map(|index| (index * 131 + index / 251 + 7) as u8).collect()
    }

    #[test]
    fn copies_every_length_and_nothing_beside_it() {
        for length in lengths() {
            for offset in [0, 1, 7] {
                let source = pattern(length + 16);
                let mut target = vec![0xAA; length + 32];
                // SAFETY: both ranges lie inside their vectors.
                let answer =
                    unsafe { grivet_memmove(target.as_mut_ptr().add(8 + offset), source.as_ptr().add(offset), length) };
                assert_eq!(answer, target[8 + offset..].as_mut_ptr());
                assert_eq!(target[8 + offset..][..length], source[offset..][..length], "length {length}");
                assert!(target[..8 + offset].iter().all(|byte| *byte == 0xAA), "before, length {length}");
                assert!(target[8 + offset + length..].iter().all(|byte| *byte == 0xAA), "after, length {length}");
            }
        }
    }

    #[test]
    fn moves_overlapping_ranges_both_ways() {
        for length in lengths() {
            for distance in [0_usize, 1, 3, 8, 15, 31, 32, 33, 63, 64, 65, 200, 1000, 1100] {
                for (from, to) in [(0, distance), (distance, 0)] {
                    let mut memory = pattern(length + distance + 8);
                    let mut expected = memory.clone();
                    expected.copy_within(from..from + length, to);
                    let base = memory.as_mut_ptr();
                    // SAFETY: both ranges lie inside `memory`.
                    unsafe { grivet_memmove(base.add(to), base.add(from), length) };
                    assert_eq!(memory, expected, "length {length}, from {from} to {to}");
                }
            }
        }
    }

    #[test]
    fn sets_every_length_and_nothing_beside_it() {
        for length in lengths() {
            let mut target = vec![0x55; length + 32];
            // SAFETY: the range lies inside the vector. Only the low byte of the value counts.
            let answer = unsafe { grivet_memset(target.as_mut_ptr().add(9), 0x1C3, length) };
            assert_eq!(answer, target[9..].as_mut_ptr());
            assert!(target[9..][..length].iter().all(|byte| *byte == 0xC3), "length {length}");
            assert!(target[..9].iter().all(|byte| *byte == 0x55), "before, length {length}");
            assert!(target[9 + length..].iter().all(|byte| *byte == 0x55), "after, length {length}");
        }
    }

    #[test]
    fn compares_as_unsigned_bytes_at_every_position() {
        for length in 0..100 {
            let left = pattern(length);
            // SAFETY: both vectors hold `length` bytes.
            assert_eq!(unsafe { grivet_memcmp(left.as_ptr(), left.clone().as_ptr(), length) }, 0);
            for position in 0..length {
                for other in [0x00, 0x7F, 0x80, 0xFF] {
                    let mut right = left.clone();
                    right[position] = other;
                    // Bytes after the first difference must not count.
                    if let Some(last) = right.last_mut().filter(|_| position + 1 < length) {
                        *last = !*last;
                    }
                    // SAFETY: both vectors hold `length` bytes.
                    let answer = unsafe { grivet_memcmp(left.as_ptr(), right.as_ptr(), length) };
                    let expected = left.cmp(&right) as i32;
                    assert_eq!(answer.signum(), expected, "length {length}, position {position}");
                }
            }
        }
    }

    #[test]
    fn measures_strings() {
        for length in 0..70 {
            let mut string = vec![b'x'; length];
            string.extend([0, b'y', 0]);
            // SAFETY: the vector holds a zero byte.
            assert_eq!(unsafe { grivet_strlen(string.as_ptr()) }, length);
        }
    }
}
