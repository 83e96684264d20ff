//! From an address in a stub to the original code, for those who have only the bytes around it, not the list of stubs that
//! the process keeps. What a stub looks like is `stub`'s affair; here its fixed instructions are looked for.

use crate::window::NEIGHBOURS;
use crate::{GATE_ENTRY, SYSCALL, original};

/// How the way from a stub to the gate begins: `lea rcx, [rip + 30]; jmp qword ptr [rip …]`.
const ENTRY: [u8; 9] = [0x48, 0x8d, 0x0d, 30, 0, 0, 0, 0xff, 0x25];
const JUMP: usize = 5;
/// No window holds more behind its system call.
const LONGEST_TAIL: u64 = NEIGHBOURS as u64 * 15;

/// The address in the original code of `rip`, which lies in a stub whose bytes, and its neighbours', are among `bytes`,
/// those from `address` on. None if they are no stubs. Among moved instructions of other lengths, the first of them.
pub fn original_within(bytes: &[u8], address: u64, rip: u64) -> Option<u64> {
    let offset = usize::try_from(rip.checked_sub(address)?).ok()?;
    let syscalls = || {
        let entries = bytes.windows(ENTRY.len()).enumerate().filter(|(_, window)| *window == ENTRY);
        let syscalls = entries.map(|(entry, _)| entry + GATE_ENTRY as usize);
        syscalls.filter(|&syscall| bytes.get(syscall..syscall + SYSCALL.len()) == Some(&SYSCALL[..]))
    };
    let word = |place: usize| Some(u64::from_le_bytes(bytes.get(place..place + 8)?.try_into().ok()?));
    // Where the stub of that system call ends, behind the jump back to the window's end.
    let end = |syscall: usize| {
        let behind = word(syscall - 16)?;
        (syscall + SYSCALL.len()..bytes.len().saturating_sub(JUMP - 1)).take(LONGEST_TAIL as usize + 1).find_map(|at| {
            let displacement = i32::from_le_bytes(bytes[at + 1..at + JUMP].try_into().ok()?);
            let target = (address + (at + JUMP) as u64).wrapping_add_signed(i64::from(displacement));
            (bytes[at] == 0xe9 && (behind..=behind + LONGEST_TAIL).contains(&target)).then_some(at + JUMP)
        })
    };
    let before = syscalls().take_while(|&syscall| syscall <= offset + GATE_ENTRY as usize).last();
    if let Some(syscall) = before
        && let Some(end) = end(syscall)
        && (syscall - GATE_ENTRY as usize..end).contains(&offset)
    {
        // From the `lea` on; the lead, whose length is not known here, is left out.
        let start = syscall - GATE_ENTRY as usize;
        let (within, at) = (&bytes[start..end], address + start as u64);
        return match offset < syscall + SYSCALL.len() {
            true => word(syscall - 16).map(|behind| behind.wrapping_sub(SYSCALL.len() as u64)),
            false => original(within, at, GATE_ENTRY as usize, offset - start).or_else(|| word(syscall - 16)),
        };
    }
    // Among the moved instructions at the start of the next one.
    let syscall = syscalls().find(|&syscall| syscall > offset)?;
    let start = before.and_then(end).filter(|&start| start <= offset);
    let window = word(syscall - 24)?;
    let behind = word(syscall - 16)?;
    let lead = (syscall - GATE_ENTRY as usize).checked_sub(start?)?;
    let is_same_length = behind.checked_sub(SYSCALL.len() as u64 + window) == Some(lead as u64);
    Some(if is_same_length { window + (offset - start?) as u64 } else { window })
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::original_within;
    use crate::synthetic::{MOV_FUTEX, RET, SYSCALL, Synthetic, TEXT};
    use crate::{Verdict, encode, original};

    const STUBS: u64 = TEXT - 0x12345;

    #[test]
    fn every_address_in_a_row_of_stubs_is_found_without_a_list() {
        let codes: [&[&[u8]]; 3] =
            [&[MOV_FUTEX, SYSCALL, RET], &[SYSCALL, &[0x85, 0xc0], &[0x75, 0x40], RET], &[MOV_FUTEX, SYSCALL, RET]];
        let (mut bytes, mut stubs) = (Vec::from([0; 16]), Vec::new());
        for code in codes {
            let image = Synthetic::function(code);
            let Verdict::Rewrite(window) = image.site().verdict else { panic!("refused") };
            let address = STUBS + bytes.len() as u64;
            let stub = encode(&window, image.code(window.start..window.end), address, STUBS).unwrap();
            bytes.extend_from_slice(&stub.bytes);
            stubs.push((address, stub));
        }
        bytes.resize(4096, 0);
        for (nth, (address, stub)) in stubs.iter().enumerate() {
            let syscall = stub.syscall_offset as usize;
            for offset in (0..stub.bytes.len()).filter(|&offset| offset != syscall + 1) {
                let listed = original(&stub.bytes, *address, syscall, offset);
                let found = original_within(&bytes, STUBS, address + offset as u64);
                // Without the list nobody knows where the first one begins.
                let is_known = nth > 0 || offset >= 5;
                assert!(!is_known || listed.is_none() || found == listed, "{nth} {offset}: {found:x?} {listed:x?}");
            }
        }
        assert_eq!(original_within(&[0x90; 4096], STUBS, STUBS + 100), None);
    }
}
