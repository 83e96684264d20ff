//! What an ELF file is: which machine, how it is linked, what it imports.
//!
//! Reads one file, mapped into memory, and runs nothing. Everything here is about a single
//! file; whether the kernel would honour LD_PRELOAD for it is `secure`'s concern, and its libraries are `needed`'s.

use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use memmap2::Mmap;
use object::elf;
use object::read::elf::{Dyn, ElfFile64, FileHeader, ProgramHeader};
use object::{Endianness, Object as _, ObjectSymbol};

use crate::status::{Refusal, Status};

/// The file name of glibc's dynamic loader on x86-64, which the psABI fixes.
pub const LOADER_NAME: &str = "ld-linux-x86-64.so.2";

/// Symbols through which a program makes POSIX or C11 threads.
const THREAD_MAKERS: [&[u8]; 2] = [b"pthread_create", b"thrd_create"];

/// Symbols through which a program loads libraries at run time.
const LIBRARY_LOADERS: [&[u8]; 2] = [b"dlopen", b"dlmopen"];

/// How an ELF file is meant to be loaded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A program that names a dynamic loader (PT_INTERP).
    Dynamic { loader: PathBuf },
    /// glibc's dynamic loader itself, which can be run with a program as its argument.
    Loader,
    /// A program without a loader, position independent or not.
    Static,
    /// A shared library that cannot be run.
    Library,
}

/// A 64-bit x86-64 ELF file.
pub struct Elf {
    pub path: PathBuf,
    pub kind: Kind,
    /// Made by the Go compiler.
    pub go: bool,
    bytes: Mmap,
}

impl Elf {
    /// Maps and identifies `path`.
    ///
    /// Refuses with `Machine` what is not 64-bit x86-64, with `Format` what is damaged or neither program nor
    /// library, and with `NotExecutable` what cannot be read.
    pub fn open(path: &Path) -> Result<Self, Refusal> {
        let unreadable = |error: io::Error| {
            Refusal::of(
                Status::NotExecutable,
                path,
                format_args!("cannot be read for inspection ({error}); make it readable"),
            )
        };
        let bytes = map(path).map_err(unreadable)?;
        check_machine(path, &bytes)?;
        let (kind, go) = {
            let parsed = parse(&bytes).ok_or_else(|| damaged(path))?;
            let kind = kind(&parsed).ok_or_else(|| damaged(path))?;
            (kind, is_go(&parsed))
        };
        Ok(Self { path: path.to_owned(), kind, go, bytes })
    }

    /// The parsed file; `open` has parsed it once already, so this fails only if the file was changed since.
    pub fn parsed(&self) -> Result<ElfFile64<'_, Endianness>, Refusal> {
        parse(&self.bytes).ok_or_else(|| damaged(&self.path))
    }

    /// Whether this is one of the C library's own objects, as the library tells them.
    pub fn is_c_library(&self) -> bool {
        let name = self.file_name().to_string();
        ["libc.so", "libc-", "ld-linux", "libpthread", "libgcc_s"].iter().any(|prefix| name.starts_with(prefix))
    }

    /// The last part of its path.
    pub fn file_name(&self) -> String {
        self.path.file_name().unwrap_or(self.path.as_os_str()).to_string_lossy().into_owned()
    }

    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// What the file's dynamic symbol table says of threads.
    pub fn imports(&self) -> Result<Imports, Refusal> {
        let mut imports = Imports::default();
        for symbol in self.parsed()?.dynamic_symbols() {
            if !symbol.is_undefined() {
                continue;
            }
            let name = symbol.name_bytes().unwrap_or_default();
            imports.makes_threads |= THREAD_MAKERS.contains(&name);
            imports.loads_libraries |= LIBRARY_LOADERS.contains(&name);
        }
        Ok(imports)
    }
}

/// What a file takes from other objects, as far as it matters here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Imports {
    /// It imports pthread_create or thrd_create.
    pub makes_threads: bool,
    /// It imports dlopen or dlmopen.
    pub loads_libraries: bool,
}

/// The whole file, mapped for reading.
pub fn map(path: &Path) -> io::Result<Mmap> {
    let file = File::open(path)?;
    // SAFETY: the mapping is private and read-only. A program file that another process truncates
    // meanwhile ends this command by SIGBUS, which is what the kernel does to a running program, too.
    unsafe { Mmap::map(&file) }
}

fn parse(bytes: &[u8]) -> Option<ElfFile64<'_, Endianness>> {
    ElfFile64::parse(bytes).ok()
}

fn damaged(path: &Path) -> Refusal {
    Refusal::of(Status::Format, path, "is a damaged ELF file, or neither a program nor a library; install it again")
}

/// Refuses other machines, from the first 20 bytes of the header, which all ELF classes share.
fn check_machine(path: &Path, bytes: &[u8]) -> Result<(), Refusal> {
    let header = bytes.get(..20).ok_or_else(|| damaged(path))?;
    let number = [header[18], header[19]];
    let machine = elf::Machine(if header[5] == elf::ELFDATA2MSB.0 {
        u16::from_be_bytes(number)
    } else {
        u16::from_le_bytes(number)
    });
    let narrow = header[4] == elf::ELFCLASS32.0;
    let name = match machine {
        elf::EM_X86_64 if !narrow => return Ok(()),
        elf::EM_X86_64 => "x32 (x86-64 with 32-bit pointers)".to_owned(),
        elf::EM_386 => "32-bit x86".to_owned(),
        elf::EM_AARCH64 => "64-bit ARM".to_owned(),
        elf::EM_ARM => "32-bit ARM".to_owned(),
        elf::EM_RISCV => "RISC-V".to_owned(),
        elf::EM_PPC64 => "64-bit PowerPC".to_owned(),
        elf::EM_S390 => "IBM Z".to_owned(),
        other => format!("another machine (ELF machine number {})", other.0),
    };
    Err(Refusal::of(
        Status::Machine,
        path,
        format_args!("is built for {name}; grivet runs 64-bit x86-64 programs: use such a build"),
    ))
}

fn kind(file: &ElfFile64<'_, Endianness>) -> Option<Kind> {
    let endian = file.endian();
    let file_type = file.elf_header().e_type(endian);
    if file_type != elf::ET_EXEC && file_type != elf::ET_DYN {
        return None;
    }
    for header in file.elf_program_headers() {
        if let Some(name) = header.interpreter(endian, file.data()).ok()? {
            return Some(Kind::Dynamic { loader: PathBuf::from(OsStr::from_bytes(name)) });
        }
    }
    if file_type == elf::ET_EXEC {
        return Some(Kind::Static);
    }
    let dynamic = file.elf_dynamic_table().ok()?;
    let mut kind = Kind::Library;
    for entry in dynamic.dynamics() {
        let tag = entry.d_tag(endian);
        if tag == elf::DT_FLAGS_1 && entry.d_val(endian) & elf::DF_1_PIE.0 != 0 {
            kind = Kind::Static;
        }
        if tag == elf::DT_SONAME && entry.string(endian, *dynamic.strings()).ok()? == LOADER_NAME.as_bytes() {
            return Some(Kind::Loader);
        }
    }
    Some(kind)
}

fn is_go(file: &ElfFile64<'_, Endianness>) -> bool {
    let endian = file.endian();
    file.elf_program_headers().iter().any(|header| {
        header.p_type(endian) == elf::PT_NOTE && header.data(endian, file.data()).is_ok_and(grivet_sites::is_go)
    })
}
