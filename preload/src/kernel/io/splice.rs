//! splice(2), tee(2), vmsplice(2) and sendfile(2): made with the flag that keeps pipes from waiting; sockets, which
//! don't heed that flag, are watched. Which of the two files has to be waited for then, poll(2) says.

use super::{Attempt, Call, became_ready, is_ready, kinds, would_block, wrote};
use crate::kernel::watched::{self, Answer, Waits};
use crate::raw;
use crate::sched::descriptors::{Direction, Kind};
use crate::sched::worker::Worker;
use linux_raw_sys::general::{O_ACCMODE, O_RDONLY};
use syscalls::Sysno;

const SPLICE_F_NONBLOCK: usize = 2;
const EAGAIN: isize = -11;

/// Any of the four.
#[inline(never)]
pub fn transfer(worker: &mut Worker, call: &Call) -> Attempt {
    let [first, second, third, _, _, sixth] = call.arguments;
    let (input, output, flags_at) = match call.number {
        Sysno::splice => (Some(first as i32), Some(third as i32), Some((5, sixth))),
        Sysno::tee => (Some(first as i32), Some(second as i32), Some((3, call.arguments[3]))),
        Sysno::sendfile => (Some(second as i32), Some(first as i32), None),
        _ if kinds::flags(first as i32) & O_ACCMODE == O_RDONLY => {
            (Some(first as i32), None, Some((3, call.arguments[3])))
        }
        _ => (None, Some(first as i32), Some((3, call.arguments[3]))),
    };
    let ends = [(input, Direction::Read), (output, Direction::Write)];
    for (fd, _) in ends {
        worker.descriptors.share(fd.unwrap_or(-1));
    }
    if flags_at.is_some_and(|(_, flags)| flags & SPLICE_F_NONBLOCK != 0) {
        return Attempt::Pass;
    }
    for (fd, _) in ends {
        if fd.is_some_and(|fd| matches!(kinds::of(worker, fd), Kind::Unknown | Kind::Private)) {
            return Attempt::Pass;
        }
    }
    if call.is_first && ends.iter().all(|(fd, _)| fd.is_none_or(|fd| !can_wait(worker, fd))) {
        return Attempt::Pass;
    }
    // The first time the call is made in any case: it may have arguments that are not worth waiting with.
    if !call.is_first
        && let Some(block) = not_ready(worker, call, &ends)
    {
        return block;
    }
    let done = worker.tasks[call.id].expected as usize;
    let mut arguments = call.arguments;
    if let Some((place, flags)) = flags_at {
        arguments[place] = flags | SPLICE_F_NONBLOCK;
    } else {
        arguments[3] -= done;
    }
    let is_pipe = |worker: &mut Worker, fd| {
        matches!(kinds::of(worker, fd), Kind::Pipe | Kind::Disk | Kind::Direct | Kind::Memory)
    };
    let only_pipes = ends.iter().all(|(fd, _)| fd.is_none_or(|fd| is_pipe(worker, fd)));
    let answer = if !only_pipes || flags_at.is_none() {
        // SAFETY: the program's own call.
        match unsafe { watched::call(worker, call.number, arguments, Waits::Likely) } {
            Answer::Interrupted => return Attempt::Again,
            Answer::Waited => EAGAIN,
            Answer::Returned(answer) => answer,
        }
    } else {
        // SAFETY: as above.
        unsafe { raw::call(call.number as u32, arguments) }
    };
    if answer > 0 {
        for (fd, direction) in ends {
            if let Some(fd) = fd {
                moved(worker, fd, direction, answer);
            }
        }
    }
    if answer == EAGAIN {
        return not_ready(worker, call, &ends).unwrap_or_else(|| match output {
            Some(fd) if worker.descriptors.get(fd).is_some_and(|entry| entry.watched & 2 != 0) => Attempt::Again,
            Some(fd) => Attempt::Block(fd, Direction::Write),
            None => Attempt::Again,
        });
    }
    // sendfile goes on until it has moved everything; the others may move less.
    if call.number == Sysno::sendfile && answer > 0 && (answer as usize) < arguments[3] {
        worker.tasks[call.id].expected += answer as u32;
        return Attempt::Again;
    }
    Attempt::Done(if answer >= 0 || done == 0 { answer + done as isize } else { done as isize })
}

/// Whether the kernel may wait for `fd`.
fn can_wait(worker: &mut Worker, fd: i32) -> bool {
    let kind = kinds::of(worker, fd);
    !matches!(kind, Kind::Disk | Kind::SynchronousDisk | Kind::Direct | Kind::Memory)
        && !kinds::is_nonblocking(worker, fd)
}

/// The end that has to be waited for, if one has and the program has not made it non-blocking.
fn not_ready(worker: &mut Worker, call: &Call, ends: &[(Option<i32>, Direction); 2]) -> Option<Attempt> {
    for &(fd, direction) in ends {
        let Some(fd) = fd else { continue };
        let waits = !matches!(kinds::of(worker, fd), Kind::Disk | Kind::SynchronousDisk | Kind::Direct | Kind::Memory);
        if waits && !is_ready(fd, direction) {
            let one = Call { fd, ..*call };
            return Some(would_block(worker, &one, direction));
        }
    }
    None
}

/// Bytes were taken from a pipe or socket, or put into one, past what is known of it.
fn moved(worker: &mut Worker, fd: i32, direction: Direction, bytes: isize) {
    if direction == Direction::Write {
        wrote(worker, fd, bytes);
    } else if let Some(entry) = worker.descriptors.get_mut(fd) {
        entry.level = entry.level.saturating_sub(bytes as u32);
        let peer = entry.peer;
        became_ready(worker, peer, Direction::Write.bit(), false);
    }
}
