//! From a process id to a process whose green threads can be looked at, or the reason why there are none.

use std::fs;
use std::io::{ErrorKind, Read};
use std::ops::Range;
use std::path::Path;

use grivet_inspect::images::Images;
use grivet_inspect::layout::{SYMBOL, VERSION};
use grivet_inspect::memory::Now;
use grivet_inspect::process::{Process, Refused};
use nix::time::{ClockId, clock_gettime};
use nix::unistd::Pid;
use object::elf::FileHeader64;
use object::read::elf::{ElfFile64, FileHeader};
use object::{LittleEndian, Object, ObjectSymbol};

use crate::remote::{RemoteFiles, RemoteMemory};
use crate::status::{Refusal, Status};

/// A process, and the means to read it.
pub struct Target {
    pub pid: Pid,
    /// File name of the program.
    pub name: String,
    pub memory: RemoteMemory,
    pub files: RemoteFiles,
    maps: Vec<u8>,
}

impl Target {
    /// The process `pid`.
    pub fn open(pid: i32) -> Result<Self, Refusal> {
        let maps = fs::read(format!("/proc/{pid}/maps")).map_err(|error| unreachable(pid, &error))?;
        if maps.is_empty() {
            let message = format!("process {pid} has ended, or belongs to the kernel: it has no memory to look at");
            return Err(Refusal::new(Status::NoProcess, message));
        }
        let program = format!("/proc/{pid}/exe");
        let path = fs::read_link(&program).unwrap_or_default();
        let name = path.file_name().unwrap_or_default().to_string_lossy().trim_end_matches(" (deleted)").to_owned();
        if let Some(group) = group_of(pid).filter(|&group| group != pid) {
            let message = format!("{pid} is a thread of {name}, process {group}; give that number");
            return Err(Refusal::new(Status::NoProcess, message));
        }
        if is_32_bit(Path::new(&program)) {
            let message = format!("{name}, process {pid}, is a 32-bit program, which grivet does not run");
            return Err(Refusal::new(Status::OtherKind, message));
        }
        let pid = Pid::from_raw(pid);
        Ok(Target { pid, name, memory: RemoteMemory::new(pid), files: RemoteFiles::new(pid), maps })
    }

    /// What it has mapped.
    pub fn images(&self) -> Images<'_> {
        Images::new(&self.maps, &self.memory, &self.files)
    }

    /// Its green threads' whereabouts, and libgrivet.so's.
    pub fn process<'t>(&'t self, images: &Images<'t>) -> Result<(Process<'t>, Range<u64>), Refusal> {
        let Some((layout, library)) = find_layout(images) else {
            return Err(
                self.refusal(Status::NoThreads, "runs natively: libgrivet.so is not loaded; start it with grivet run")
            );
        };
        let process = Process::open(&self.memory, layout).map_err(|refused| self.explain(refused))?;
        Ok((process, library))
    }

    /// Why there is nothing to see.
    pub fn explain(&self, refused: Refused) -> Refusal {
        match refused {
            Refused::Asleep => self.refusal(Status::NoThreads, "has no green threads yet: it has made no threads"),
            Refused::OtherVersion(version) => self.refusal(
                Status::OtherKind,
                &format!(
                    "has another libgrivet.so than this command's (layout {version}, not {VERSION}); use the grivet that \
                     came with it"
                ),
            ),
            Refused::NoLayout if !Path::new(&format!("/proc/{}", self.pid)).exists() => {
                self.refusal(Status::NoProcess, "has ended")
            }
            Refused::NoLayout => self.not_allowed(),
        }
    }

    /// The system lets nobody, or not this user, read or stop the process.
    pub fn not_allowed(&self) -> Refusal {
        let pid = self.pid.as_raw();
        match field(pid, "TracerPid").filter(|&tracer| tracer != 0) {
            Some(tracer) => self.refusal(
                Status::NotAllowed,
                &format!("is being debugged by process {tracer}, and only one can; end that first"),
            ),
            None => self.refusal(Status::NotAllowed, &format!("may not be looked at; {}", advice(pid))),
        }
    }

    pub fn refusal(&self, status: Status, what: &str) -> Refusal {
        Refusal::new(status, format!("{} (process {}) {what}", self.name, self.pid))
    }
}

/// The clocks now.
pub fn now() -> Now {
    let ns = |id| clock_gettime(id).map_or(0, |time| time.tv_sec() as u64 * 1_000_000_000 + time.tv_nsec() as u64);
    Now { monotonic: ns(ClockId::CLOCK_MONOTONIC), real: ns(ClockId::CLOCK_REALTIME) }
}

/// Address of the symbol by which libgrivet.so shows where it keeps what, and the library's. It may have been renamed.
fn find_layout(images: &Images<'_>) -> Option<(u64, Range<u64>)> {
    let is_likely = |index: &usize| images.all()[*index].name.windows(6).any(|word| word == b"grivet");
    let (likely, others): (Vec<_>, Vec<_>) = (0..images.all().len()).partition(is_likely);
    likely.into_iter().chain(others).find_map(|index| {
        let bias = images.bias(index)?;
        let file = ElfFile64::<LittleEndian>::parse(images.bytes(index)).ok()?;
        let mut symbols = file.dynamic_symbols();
        let symbol = symbols.find(|symbol| symbol.name_bytes() == Ok(SYMBOL.as_bytes()) && symbol.is_definition())?;
        Some((bias.wrapping_add(symbol.address()), images.all()[index].span()))
    })
}

fn unreachable(pid: i32, error: &std::io::Error) -> Refusal {
    match error.kind() {
        ErrorKind::NotFound => Refusal::new(Status::NoProcess, format!("there is no process {pid}")),
        ErrorKind::PermissionDenied => {
            Refusal::new(Status::NotAllowed, format!("process {pid} may not be looked at; {}", advice(pid)))
        }
        _ => Refusal::new(Status::NoProcess, format!("process {pid} cannot be looked at ({error}); try again")),
    }
}

/// What to do if one may not look at process `pid`.
fn advice(pid: i32) -> String {
    let owner = field(pid, "Uid");
    let own = i64::from(nix::unistd::geteuid().as_raw());
    let scope = fs::read_to_string("/proc/sys/kernel/yama/ptrace_scope").unwrap_or_default();
    match (owner, scope.trim()) {
        (Some(owner), _) if owner != own => format!("it is user {owner}'s: ask as that user, or as root"),
        (_, scope @ ("1" | "2" | "3")) => {
            format!("kernel.yama.ptrace_scope is {scope}: ask as root, or set it to 0 with sysctl")
        }
        _ if own == 0 => {
            "root may not either: look from outside its container, or as its security module allows".to_owned()
        }
        _ => "ask as root".to_owned(),
    }
}

/// The first number of a field of /proc/PID/status.
fn field(pid: i32, name: &str) -> Option<i64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
    line.split_whitespace().next()?.parse().ok()
}

/// The process that `pid`, perhaps a thread's id, belongs to.
fn group_of(pid: i32) -> Option<i32> {
    field(pid, "Tgid")?.try_into().ok()
}

fn is_32_bit(program: &Path) -> bool {
    let mut header = [0; size_of::<FileHeader64<LittleEndian>>()];
    let is_read = fs::File::open(program).and_then(|mut file| file.read_exact(&mut header)).is_ok();
    // A 32-bit ELF file, which this kind of header is not fit for.
    is_read && header.starts_with(b"\x7fELF\x01") && FileHeader64::<LittleEndian>::parse(&header[..]).is_err()
}
