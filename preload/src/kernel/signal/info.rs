//! siginfo_t: what a signal tells of itself.

use linux_raw_sys::general::SI_TIMER;

/// si_code of what tgkill(2) sends.
pub const SI_TKILL: i32 = -6;

/// si_code of a signal for one task, from another process under grivet. Negative, as those must be that a process sends.
const FOR_TASK: i32 = -0x6772_6976;
/// Words of such a siginfo, behind sender and value: the task's id, and the code that it is to be told. No more than two
/// words there reach another process.
const TASK: usize = 2;
const CODE: usize = 3;

/// siginfo_t: the fields that grivet reads or writes; the rest is carried along.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct SigInfo {
    pub si_signo: i32,
    pub si_errno: i32,
    pub si_code: i32,
    _padding: i32,
    /// For kill and tgkill: pid, uid. For timers: id, overrun. For faults: the address.
    pub words: [u64; 14],
}

impl SigInfo {
    /// An empty one.
    pub const NONE: SigInfo = SigInfo { si_signo: 0, si_errno: 0, si_code: 0, _padding: 0, words: [0; 14] };

    /// `si_value` of a timer or of sigqueue.
    pub fn value(&self) -> u64 {
        self.words[1]
    }

    /// `si_addr` of a fault.
    pub fn address(&self) -> u64 {
        self.words[0]
    }

    /// A signal that the kernel raises by itself.
    pub fn from_kernel(signal: u32) -> SigInfo {
        const SI_KERNEL: i32 = 0x80;
        SigInfo { si_signo: signal as i32, si_code: SI_KERNEL, ..SigInfo::NONE }
    }

    /// As a timer's signal is filled in.
    pub fn from_timer(signal: i32, timer: i32, overrun: u64, value: u64) -> SigInfo {
        let mut info = SigInfo { si_signo: signal, si_code: SI_TIMER, ..SigInfo::NONE };
        info.words[0] = u64::from(timer as u32) | overrun.min(i32::MAX as u64) << 32;
        info.words[1] = value;
        info
    }

    /// Expirations of a timer that its signal stands for besides its own (`si_overrun`).
    pub fn overrun(&self) -> i32 {
        (self.words[0] >> 32) as i32
    }

    /// The signal stands for more.
    pub fn add_overrun(&mut self, count: i32) {
        let overrun = self.overrun().saturating_add(count);
        self.words[0] = self.words[0] & u64::from(u32::MAX) | u64::from(overrun as u32) << 32;
    }

    /// Whether both are signals of one timer.
    pub fn is_of_same_timer(&self, other: &SigInfo) -> bool {
        let key = |info: &SigInfo| (info.si_code, info.si_signo, info.words[0] as u32);
        key(self) == key(other)
    }

    /// As tgkill(2) fills it in.
    pub fn from_thread(signal: u32, pid: i32, uid: u32) -> SigInfo {
        let mut info = SigInfo { si_signo: signal as i32, si_code: SI_TKILL, ..SigInfo::NONE };
        info.words[0] = u64::from(pid as u32) | u64::from(uid) << 32;
        info
    }

    /// The same for task `tid` of another process.
    pub fn for_task(mut self, tid: u32) -> SigInfo {
        self.words[TASK] = u64::from(tid);
        self.words[CODE] = self.si_code as u64;
        self.si_code = FOR_TASK;
        self
    }

    /// The task that it is for, if it says so; it is as it was sent, then.
    pub fn take_task(&mut self) -> Option<u32> {
        if self.si_code != FOR_TASK {
            return None;
        }
        self.si_code = core::mem::take(&mut self.words[CODE]) as i32;
        Some(core::mem::take(&mut self.words[TASK]) as u32)
    }
}
