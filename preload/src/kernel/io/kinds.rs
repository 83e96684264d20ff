//! Finding out what a descriptor is, once for each number, and what may change while it is open: its O_NONBLOCK flag
//! and its socket timeouts. Both are looked at when a task is about to wait, and again only after the program has
//! changed any.

use crate::raw;
use crate::sched::clock::NS_PER_S;
use crate::sched::descriptors::{Direction, Kind};
use crate::sched::poller;
use crate::sched::worker::Worker;
use linux_raw_sys::general::{
    F_GETFL, O_ACCMODE, O_DIRECT, O_DSYNC, O_NONBLOCK, O_WRONLY, POLLRDHUP, S_IFBLK, S_IFCHR, S_IFDIR, S_IFIFO,
    S_IFLNK, S_IFMT, S_IFREG, S_IFSOCK, pollfd,
};
use syscalls::{Errno, Sysno};

const SOL_SOCKET: usize = 1;
const SO_TYPE: usize = 3;
const SO_DOMAIN: usize = 39;
const SO_PROTOCOL: usize = 38;
const SO_ACCEPTCONN: usize = 30;
const SO_RCVTIMEO: usize = 20;
const SO_SNDTIMEO: usize = 21;
const SOCK_STREAM: i32 = 1;
const AF_INET: i32 = 2;
const AF_INET6: i32 = 10;
const IPPROTO_TCP: i32 = 6;

/// The kind of `fd`. `Unknown` if it is not open, or there is no memory to note it.
#[inline(always)]
pub fn of(worker: &mut Worker, fd: i32) -> Kind {
    match worker.descriptors.get(fd) {
        Some(entry) if entry.kind != Kind::Unknown => entry.kind,
        _ => find_out(worker, fd),
    }
}

#[cold]
fn find_out(worker: &mut Worker, fd: i32) -> Kind {
    let Some((mode, inode)) = stat(fd) else { return Kind::Unknown };
    let kind = match mode & S_IFMT {
        S_IFSOCK => socket_kind(fd),
        S_IFIFO => Kind::Pipe,
        S_IFREG => {
            if flags(fd) & (O_DIRECT | O_DSYNC) != 0 {
                Kind::SynchronousDisk
            } else {
                Kind::Disk
            }
        }
        S_IFBLK => Kind::SynchronousDisk,
        S_IFDIR | S_IFLNK => Kind::Direct,
        S_IFCHR => {
            if poller::is_pollable(fd) {
                Kind::Other
            } else {
                Kind::Memory
            }
        }
        _ => Kind::Event,
    };
    // Standard input, output and error are most often the parent's too.
    let may_be_shared = worker.descriptors.has_forked || fd <= 2;
    let Some(entry) = worker.descriptors.entry(fd) else { return Kind::Unknown };
    entry.kind = kind;
    entry.may_be_shared = may_be_shared;
    if kind == Kind::Pipe {
        let writes = |fd: i32| flags(fd) & O_ACCMODE == O_WRONLY;
        let own = writes(fd);
        worker.descriptors.note_pipe(fd, inode, |other| writes(other) != own);
    }
    kind
}

/// Mode and inode of the open file `fd`.
pub(super) fn stat(fd: i32) -> Option<(u32, u64)> {
    let mut stat = [0u64; 18];
    // SAFETY: struct stat is 144 bytes: st_dev, st_ino, st_nlink, then st_mode in the low half of the fourth word.
    let answer = unsafe { raw::call(Sysno::fstat as u32, [fd as usize, stat.as_mut_ptr() as usize, 0, 0, 0, 0]) };
    (answer == 0).then_some((stat[3] as u32, stat[1]))
}

/// The file's flags (F_GETFL); none if it is not open.
pub fn flags(fd: i32) -> u32 {
    // SAFETY: takes plain numbers.
    let answer = unsafe { raw::call(Sysno::fcntl as u32, [fd as usize, F_GETFL as usize, 0, 0, 0, 0]) };
    answer.max(0) as u32
}

fn option<T: Default>(fd: i32, name: usize) -> Result<T, Errno> {
    let mut value = T::default();
    let mut length = size_of::<T>() as u32;
    let arguments = [fd as usize, SOL_SOCKET, name, &raw mut value as usize, &raw mut length as usize, 0];
    // SAFETY: the kernel writes at most `length` bytes of plain integers.
    raw::check(unsafe { raw::call(Sysno::getsockopt as u32, arguments) }).map(|_| value)
}

fn socket_kind(fd: i32) -> Kind {
    match option::<i32>(fd, SO_TYPE) {
        Ok(SOCK_STREAM) => {
            let is_inet = matches!(option::<i32>(fd, SO_DOMAIN), Ok(AF_INET | AF_INET6));
            if is_inet && option::<i32>(fd, SO_PROTOCOL) == Ok(IPPROTO_TCP) { Kind::Tcp } else { Kind::Stream }
        }
        _ => Kind::Datagram,
    }
}

/// Whether the socket `fd` accepts connections.
pub fn listens(fd: i32) -> bool {
    option::<i32>(fd, SO_ACCEPTCONN) == Ok(1)
}

/// Whether the program has made `fd` non-blocking, so that it wants EAGAIN.
#[inline(always)]
pub fn is_nonblocking(worker: &mut Worker, fd: i32) -> bool {
    let epoch = worker.descriptors.flags_epoch;
    match worker.descriptors.get(fd) {
        Some(entry) if entry.flags_epoch == epoch && !entry.may_be_shared => entry.is_nonblocking,
        _ => look_at_flags(worker, fd, epoch),
    }
}

fn look_at_flags(worker: &mut Worker, fd: i32, epoch: u32) -> bool {
    let is_nonblocking = flags(fd) & O_NONBLOCK != 0;
    if let Some(entry) = worker.descriptors.get_mut(fd) {
        entry.flags_epoch = epoch;
        entry.is_nonblocking = is_nonblocking;
    }
    is_nonblocking
}

/// How long an operation on `fd` may wait (SO_RCVTIMEO, SO_SNDTIMEO), ns. None: for ever.
pub fn timeout(worker: &mut Worker, fd: i32, direction: Direction) -> Option<u64> {
    let epoch = worker.descriptors.timeouts_epoch;
    let entry = worker.descriptors.get(fd)?;
    if !entry.kind.is_socket() || (entry.timeouts_epoch == epoch && !entry.has_timeouts) {
        return None;
    }
    let span = |name: usize| {
        let [seconds, micros] = option::<[u64; 2]>(fd, name).unwrap_or_default();
        seconds.saturating_mul(NS_PER_S).saturating_add(micros * 1000)
    };
    let (receive, send) = (span(SO_RCVTIMEO), span(SO_SNDTIMEO));
    if let Some(entry) = worker.descriptors.get_mut(fd) {
        entry.timeouts_epoch = epoch;
        entry.has_timeouts = receive != 0 || send != 0;
    }
    let own = if direction == Direction::Read { receive } else { send };
    (own != 0).then_some(own)
}

/// Whether the other side of a socket will send nothing more.
pub fn has_hung_up(fd: i32) -> bool {
    let mut file = pollfd { fd, events: POLLRDHUP as i16, revents: 0 };
    loop {
        // SAFETY: one pollfd, and no time to wait.
        let answer = unsafe { raw::call(Sysno::poll as u32, [&raw mut file as usize, 1, 0, 0, 0, 0]) };
        // A tick that comes just then makes poll(2) say EINTR, although it does not wait.
        if answer != -(Errno::EINTR.into_raw() as isize) {
            return answer > 0;
        }
    }
}

/// Whether a read of the terminal `fd` may end by time or with nothing (VTIME, VMIN 0, termios(3)), which poll(2) does
/// not foresee.
pub fn reads_by_time(fd: i32) -> bool {
    const TCGETS: usize = 0x5401;
    const ICANON: u32 = 2;
    // struct termios as the kernel has it: four words of flags, the line discipline, 19 control characters.
    let mut settings = [0u32; 9];
    // SAFETY: the kernel writes 36 bytes.
    let answer =
        unsafe { raw::call(Sysno::ioctl as u32, [fd as usize, TCGETS, settings.as_mut_ptr() as usize, 0, 0, 0]) };
    if answer != 0 || settings[3] & ICANON != 0 {
        return false;
    }
    // After c_line: c_cc[5] is VTIME, c_cc[6] VMIN.
    let [_, _, time, least] = settings[5].to_ne_bytes();
    time != 0 || least == 0
}
