//! What `run` and `check` know of PROGRAM before anything is executed.
//!
//! From a name to the ELF files that the kernel and the loader will load: looked up in PATH, scripts followed to
//! their interpreters, everything refused that grivet could not be loaded into. Only reads files.

use std::ffi::OsStr;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use crate::elf::{Elf, Kind, LOADER_NAME};
use crate::script::{self, Interpreter};
use crate::status::{Refusal, Status};
use crate::{lookup, secure};

/// How many `#!` lines the kernel follows before it gives up with ELOOP (fs/exec.c, `exec_binprm`).
const SCRIPT_DEPTH: usize = 5;

/// A program that grivet can be loaded into.
pub struct Program {
    /// The file to execute.
    pub path: PathBuf,
    /// The scripts and the env(1) passed through on the way to `binary`.
    pub via: Vec<PathBuf>,
    /// The ELF program that does the work.
    pub binary: Elf,
}

/// Looks `name` up and inspects what would run.
pub fn inspect(name: &OsStr) -> Result<Program, Refusal> {
    let path = lookup::locate(name)?;
    let mut via = Vec::new();
    let mut current = path.clone();
    let mut depth = 0;
    loop {
        let head = head(&current)?;
        if head.starts_with(b"\x7fELF") {
            let binary = Elf::open(&current)?;
            refuse_unfit(&binary)?;
            return Ok(Program { path, via, binary });
        }
        let Some(interpreter) = script::interpreter(&head) else {
            return Err(Refusal::of(
                Status::Format,
                &current,
                "is neither an ELF program nor a script that begins with #!; run it with its interpreter",
            ));
        };
        depth += 1;
        if depth > SCRIPT_DEPTH {
            return Err(Refusal::of(
                Status::Format,
                &path,
                "is a script whose interpreters are scripts without end; correct its #! line",
            ));
        }
        let next = check_interpreter(&current, &interpreter)?;
        via.push(std::mem::replace(&mut current, next));
        if let Some(target) = interpreter.env_target()
            && let Ok(found) = lookup::locate(&target)
        {
            refuse_unfit(&Elf::open(&current)?)?;
            via.push(std::mem::replace(&mut current, found));
            depth = 0;
        }
    }
}

/// The interpreter's path, if the kernel could execute it.
fn check_interpreter(script: &Path, interpreter: &Interpreter) -> Result<PathBuf, Refusal> {
    lookup::executable(&interpreter.path).map_err(|refusal| {
        Refusal::of(
            refusal.status,
            script,
            format_args!("is a script whose interpreter cannot be used: {}", refusal.message.replace('\r', "\\r")),
        )
    })?;
    Ok(interpreter.path.clone())
}

/// The first bytes of a file, as many as the kernel looks at.
fn head(path: &Path) -> Result<Vec<u8>, Refusal> {
    let mut head = Vec::new();
    File::open(path).and_then(|file| file.take(script::HEAD_BYTES as u64).read_to_end(&mut head)).map_err(|error| {
        Refusal::of(
            Status::NotExecutable,
            path,
            format_args!("cannot be read for inspection ({error}); make it readable"),
        )
    })?;
    Ok(head)
}

/// Refuses a program whose loader would not load libgrivet.so.
fn refuse_unfit(elf: &Elf) -> Result<(), Refusal> {
    match &elf.kind {
        Kind::Loader => {}
        Kind::Dynamic { loader } if loader.file_name() != Some(OsStr::new(LOADER_NAME)) => {
            return Err(Refusal::of(
                Status::CLibrary,
                &elf.path,
                format_args!(
                    "is built for another C library than glibc (its loader is {}); use a build for glibc",
                    loader.display()
                ),
            ));
        }
        Kind::Dynamic { loader } => {
            if !loader.exists() {
                return Err(Refusal::of(
                    Status::NotFound,
                    &elf.path,
                    format_args!("its loader {} does not exist; install glibc", loader.display()),
                ));
            }
        }
        Kind::Static => {
            let reason = if elf.go {
                "is a static Go program, which schedules its own threads; nothing can be done"
            } else {
                "is statically linked, so no loader reads LD_PRELOAD; use a dynamically linked build"
            };
            return Err(Refusal::of(Status::Static, &elf.path, reason));
        }
        Kind::Library => {
            return Err(Refusal::of(
                Status::Format,
                &elf.path,
                "is a shared library, not a program; name a program that uses it",
            ));
        }
    }
    secure::check(&elf.path)
}
