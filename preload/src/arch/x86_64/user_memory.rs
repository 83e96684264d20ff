//! Access to memory whose address the program gave, as copy_from_user and copy_to_user do it in a kernel: a bad address
//! is an EFAULT, not a crash. The instructions that may fault have labels; grivet's SIGSEGV handler moves execution from there to
//! the failing return (`fixup`).

use core::arch::global_asm;
use core::mem::MaybeUninit;
use syscalls::Errno;

global_asm!(
    ".pushsection .text.grivet_user,\"ax\",@progbits",
    // u64 grivet_user_load(const u32 *from): the value, or ~0.
    ".hidden grivet_user_load",
    ".globl grivet_user_load",
    "grivet_user_load:",
    ".hidden grivet_user_load_at",
    ".globl grivet_user_load_at",
    "grivet_user_load_at: mov eax, dword ptr [rdi]",
    "ret",
    // u64 grivet_user_exchange(u32 *at, u32 old, u32 new): the value found, or ~0.
    ".hidden grivet_user_exchange",
    ".globl grivet_user_exchange",
    "grivet_user_exchange:",
    "mov eax, esi",
    ".hidden grivet_user_exchange_at",
    ".globl grivet_user_exchange_at",
    "grivet_user_exchange_at: lock cmpxchg dword ptr [rdi], edx",
    "mov eax, eax",
    "ret",
    // u64 grivet_user_copy(void *to, const void *from, size_t length): 0, or 1.
    ".hidden grivet_user_copy",
    ".globl grivet_user_copy",
    "grivet_user_copy:",
    // 16 bytes a turn, then 8, then one by one; what is copied is short.
    "cmp rdx, 16",
    "jb 2f",
    "1:",
    ".hidden grivet_user_copy_load16",
    ".globl grivet_user_copy_load16",
    "grivet_user_copy_load16: movups xmm0, [rsi]",
    ".hidden grivet_user_copy_store16",
    ".globl grivet_user_copy_store16",
    "grivet_user_copy_store16: movups [rdi], xmm0",
    "add rsi, 16",
    "add rdi, 16",
    "sub rdx, 16",
    "cmp rdx, 16",
    "jae 1b",
    "2:",
    "cmp rdx, 8",
    "jb 4f",
    ".hidden grivet_user_copy_load8",
    ".globl grivet_user_copy_load8",
    "grivet_user_copy_load8: mov rax, [rsi]",
    ".hidden grivet_user_copy_store8",
    ".globl grivet_user_copy_store8",
    "grivet_user_copy_store8: mov [rdi], rax",
    "add rsi, 8",
    "add rdi, 8",
    "sub rdx, 8",
    "4:",
    "test rdx, rdx",
    "jz 6f",
    "5:",
    ".hidden grivet_user_copy_load1",
    ".globl grivet_user_copy_load1",
    "grivet_user_copy_load1: movzx eax, byte ptr [rsi]",
    ".hidden grivet_user_copy_store1",
    ".globl grivet_user_copy_store1",
    "grivet_user_copy_store1: mov byte ptr [rdi], al",
    "inc rsi",
    "inc rdi",
    "dec rdx",
    "jnz 5b",
    "6:",
    "xor eax, eax",
    "ret",
    ".hidden grivet_user_fault",
    ".globl grivet_user_fault",
    "grivet_user_fault: mov rax, -1",
    "ret",
    ".popsection",
);

unsafe extern "C" {
    fn grivet_user_load(from: usize) -> u64;
    fn grivet_user_load_at();
    fn grivet_user_exchange(at: usize, old: u32, new: u32) -> u64;
    fn grivet_user_exchange_at();
    fn grivet_user_copy(to: usize, from: usize, length: usize) -> u64;
    fn grivet_user_copy_load16();
    fn grivet_user_copy_store16();
    fn grivet_user_copy_load8();
    fn grivet_user_copy_store8();
    fn grivet_user_copy_load1();
    fn grivet_user_copy_store1();
    fn grivet_user_fault();
}

/// Where to go on if a fault at `rip` was one of the accesses made here.
pub fn fixup(rip: u64) -> Option<u64> {
    let labels: [unsafe extern "C" fn(); 8] = [
        grivet_user_load_at,
        grivet_user_exchange_at,
        grivet_user_copy_load16,
        grivet_user_copy_store16,
        grivet_user_copy_load8,
        grivet_user_copy_store8,
        grivet_user_copy_load1,
        grivet_user_copy_store1,
    ];
    let expected = labels.map(|label| label as *const () as u64);
    expected.contains(&rip).then_some(grivet_user_fault as *const () as u64)
}

/// The 32-bit word at `address`. EFAULT if it cannot be read.
#[inline(always)]
pub fn load_u32(address: usize) -> Result<u32, Errno> {
    // SAFETY: a bad address is answered by the fault handler; any readable word is a valid u32.
    let word = unsafe { grivet_user_load(address) };
    if word == u64::MAX { Err(Errno::EFAULT) } else { Ok(word as u32) }
}

/// Writes `new` to the 32-bit word at `address` if it holds `old`; what it held. EFAULT if it cannot be written.
pub fn compare_exchange_u32(address: usize, old: u32, new: u32) -> Result<u32, Errno> {
    // SAFETY: a bad address is answered by the fault handler; what lies there is the program's to lose.
    let found = unsafe { grivet_user_exchange(address, old, new) };
    if found == u64::MAX { Err(Errno::EFAULT) } else { Ok(found as u32) }
}

/// A value of plain type `T` at `address`. EFAULT if it cannot be read.
///
/// # Safety
/// Every bit pattern must be a valid `T`.
pub unsafe fn read<T: Copy>(address: usize) -> Result<T, Errno> {
    let mut value = MaybeUninit::<T>::uninit();
    // SAFETY: `value` has room for the bytes; a bad source is answered by the fault handler.
    if unsafe { grivet_user_copy(value.as_mut_ptr() as usize, address, size_of::<T>()) } != 0 {
        return Err(Errno::EFAULT);
    }
    // SAFETY: all bytes were written, and the caller vouches for their validity.
    Ok(unsafe { value.assume_init() })
}

/// Writes `value` to `address`. EFAULT if it cannot be written.
pub fn write<T: Copy>(address: usize, value: &T) -> Result<(), Errno> {
    // SAFETY: a bad destination is answered by the fault handler; what lies there is the program's to lose, as in a kernel.
    if unsafe { grivet_user_copy(address, &raw const *value as usize, size_of::<T>()) } != 0 {
        return Err(Errno::EFAULT);
    }
    Ok(())
}

/// Copies `length` bytes from `from` to `to`, either of which may be bad (EFAULT).
///
/// # Safety
/// Bytes of grivet's own at `to` must be grivet's to write.
pub unsafe fn copy(to: usize, from: usize, length: usize) -> Result<(), Errno> {
    // SAFETY: bad addresses are answered by the fault handler; the caller vouches for good ones.
    if unsafe { grivet_user_copy(to, from, length) } != 0 { Err(Errno::EFAULT) } else { Ok(()) }
}

/// Reads a C string of at most `buffer.len()` bytes including its end; the bytes before the end. EFAULT if it cannot be read
/// or is longer.
pub fn read_string(address: usize, buffer: &mut [u8]) -> Result<&[u8], Errno> {
    for index in 0..buffer.len() {
        // SAFETY: any byte is a valid u8.
        let byte: u8 = unsafe { read(address.wrapping_add(index)) }?;
        if byte == 0 {
            return Ok(&buffer[..index]);
        }
        buffer[index] = byte;
    }
    Err(Errno::EFAULT)
}
