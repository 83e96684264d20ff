//! Tasks of other processes. The kernel knows nothing of them, but a process that runs under this very library has its
//! table of tasks where this one has it in the library, and what may trace a process may look there.

use super::{FIRST_TID, PIDS, SPREAD, State, TIDS, TIDS_OF_PROCESS, Task, Tasks, offset_of_process};
use crate::kernel::proc_text;
use crate::raw;
use crate::sched::worker::WORKER;
use core::mem::{ManuallyDrop, MaybeUninit, offset_of};
use syscalls::{Errno, Sysno};

/// Whether process `pid` has a task `tid`. One that may not be looked into, but that this one was made a copy of, is taken
/// to have still all tasks that it had.
pub fn has_task(own: &Tasks, pid: i32, tid: u32) -> bool {
    if !(FIRST_TID..FIRST_TID + TIDS).contains(&tid) || pid <= 0 {
        return false;
    }
    reads(pid, tid).unwrap_or_else(|_| {
        let theirs = Tasks { offset: offset_of_process(pid), ..Tasks::new() };
        pid == own.copied_from && raw::getppid() == pid && theirs.guess(tid) < own.used.max(TIDS_OF_PROCESS)
    })
}

/// The process, not this one, that has a task `tid`: its ids tell which processes it can be.
pub fn owner_of(own: &Tasks, tid: u32) -> Option<i32> {
    /// Of a process with more threads, the first ones are found.
    const MOST_BLOCKS: u32 = 1024;
    if !(FIRST_TID..FIRST_TID + TIDS).contains(&tid) {
        return None;
    }
    let block = (tid - FIRST_TID) / TIDS_OF_PROCESS;
    let blocks = (0..MOST_BLOCKS).map_while(|back| block.checked_sub(back)).filter(|&block| block < PIDS);
    let pids = blocks.map(|block| (block.wrapping_mul(INVERSE) & (PIDS - 1)) as i32);
    pids.filter(|&pid| pid != 0 && exists(pid)).find(|&pid| has_task(own, pid, tid))
}

/// Undoes the multiplication by `SPREAD`, an odd number: each step doubles the bits that are right.
const INVERSE: u32 = {
    let mut inverse = SPREAD;
    let mut step = 0;
    while step < 5 {
        inverse = inverse.wrapping_mul(2u32.wrapping_sub(SPREAD.wrapping_mul(inverse)));
        step += 1;
    }
    inverse
};

fn exists(pid: i32) -> bool {
    // SAFETY: signal 0 is not sent.
    let answer = unsafe { raw::call(Sysno::kill as u32, [pid as usize, 0, 0, 0, 0, 0]) };
    raw::check(answer) != Err(Errno::ESRCH)
}

/// Whether the table of process `pid` has task `tid`. An error if it may not be read; no table, no task.
fn reads(pid: i32, tid: u32) -> Result<bool, Errno> {
    let own_maps = proc_text::read(c"/proc/self/maps")?;
    let their_maps = proc_text::read_at(format_args!("/proc/{pid}/maps"))?;
    let code = has_task as *const () as usize;
    let library = lines(&own_maps).find(|line| (line.start..line.end).contains(&code)).ok_or(Errno::ENOENT)?.file;
    let base = |maps| lines(maps).find(|line| line.file == library).map(|line| line.start);
    let own_base = base(&own_maps).ok_or(Errno::ENOENT)?;
    let Some(their_base) = base(&their_maps) else { return Ok(false) };
    // SAFETY: only the address is taken.
    let own_table = unsafe { &raw const (*WORKER.get()).tasks } as usize;
    let mut table = MaybeUninit::<ManuallyDrop<Tasks>>::zeroed();
    read_memory(pid, own_table - own_base + their_base, table.as_mut_ptr() as usize, size_of::<Tasks>())?;
    // SAFETY: plain numbers and an address, which is not followed here.
    let table = unsafe { table.assume_init() };
    let place = table.guess(tid);
    if place >= table.used {
        return Ok(false);
    }
    let record = (table.base as usize).wrapping_add(place as usize * size_of::<Task>());
    let (mut state, mut number) = (0u8, 0u32);
    read_memory(pid, record.wrapping_add(offset_of!(Task, state)), &raw mut state as usize, size_of::<u8>())?;
    read_memory(pid, record.wrapping_add(offset_of!(Task, tid)), &raw mut number as usize, size_of::<u32>())?;
    Ok(number == tid && state != State::Free as u8 && state != State::Part as u8)
}

/// A mapping: its range, and the device and inode of its file, as text.
struct Line<'a> {
    start: usize,
    end: usize,
    file: (&'a [u8], &'a [u8]),
}

/// The lines of a proc_pid_maps(5), lowest addresses first: `start-end permissions offset device inode name`.
fn lines(maps: &[u8]) -> impl Iterator<Item = Line<'_>> {
    maps.split(|&byte| byte == b'\n').filter_map(|line| {
        let mut fields = line.split(|&byte| byte == b' ');
        let mut range = fields.next()?.split(|&byte| byte == b'-').map(hexadecimal);
        let (start, end) = (range.next()??, range.next()??);
        let (device, inode) = (fields.nth(2)?, fields.next()?);
        Some(Line { start, end, file: (device, inode) })
    })
}

fn hexadecimal(text: &[u8]) -> Option<usize> {
    usize::from_str_radix(core::str::from_utf8(text).ok()?, 16).ok()
}

/// Copies `size` bytes at `from` in process `pid` to `to`, which has room for them.
fn read_memory(pid: i32, from: usize, to: usize, size: usize) -> Result<(), Errno> {
    let (local, remote) = ([to, size], [from, size]);
    let arguments = [pid as usize, &raw const local as usize, 1, &raw const remote as usize, 1, 0];
    // SAFETY: writes to the caller's own `size` bytes.
    let got = raw::check(unsafe { raw::call(Sysno::process_vm_readv as u32, arguments) })?;
    if got == size { Ok(()) } else { Err(Errno::EFAULT) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_found_from_its_ids() {
        for pid in [1, 2, 1000, 32_768, 4_194_303] {
            let block = offset_of_process(pid) / TIDS_OF_PROCESS;
            assert_eq!(block.wrapping_mul(INVERSE) & (PIDS - 1), pid as u32);
        }
    }

    #[test]
    fn mappings_are_read() {
        let text = b"7f00-7fff r-xp 00001000 fe:00 123   /a b\nffff0-ffff8 r-xp 00000000 00:00 0 [vdso]\n";
        let all: Vec<_> = lines(text).map(|line| (line.start, line.end, line.file)).collect();
        assert_eq!(
            all,
            [(0x7f00, 0x7fff, (&b"fe:00"[..], &b"123"[..])), (0xffff0, 0xffff8, (&b"00:00"[..], &b"0"[..]))]
        );
    }
}
