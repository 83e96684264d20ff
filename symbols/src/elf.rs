//! Reads the symbol tables, sections and segments of a 64-bit little-endian x86-64 ELF file, without copying.

use alloc::vec::Vec;

use object::LittleEndian;
use object::elf::{self, Sym64, Versym};
use object::read::StringTable;
use object::read::elf::{ElfFile64, FileHeader, ProgramHeader, SectionHeader, Sym};

use crate::ObjectFile;

/// A file whose header and tables can be read.
pub struct Elf<'a> {
    pub file: ElfFile64<'a, LittleEndian>,
    bytes: &'a [u8],
}

impl<'a> Elf<'a> {
    /// The file in `bytes`, unless it is damaged or for another kind of machine.
    pub fn parse(bytes: &'a [u8]) -> Option<Self> {
        let file = ElfFile64::<LittleEndian>::parse(bytes).ok()?;
        (file.elf_header().e_machine(LittleEndian) == elf::EM_X86_64).then_some(Elf { file, bytes })
    }

    /// Whether there is code at `address`. The sections tell; where they were removed, the segments.
    pub fn is_code(&self, address: u64) -> bool {
        let within = |start: u64, size: u64| address.checked_sub(start).is_some_and(|offset| offset < size);
        let sections = self.file.elf_section_table();
        if sections.len() > 1 {
            return sections.iter().any(|section| {
                section.sh_flags(LittleEndian).contains(elf::SHF_EXECINSTR)
                    && within(section.sh_addr(LittleEndian), section.sh_size(LittleEndian))
            });
        }
        self.file.elf_program_headers().iter().any(|segment| {
            segment.p_type(LittleEndian) == elf::PT_LOAD
                && segment.p_flags(LittleEndian).contains(elf::PF_X)
                && within(segment.p_vaddr(LittleEndian), segment.p_filesz(LittleEndian))
        })
    }

    /// Address and bytes of the section `name`; none if it is absent, empty in this file, or compressed.
    pub fn section(&self, name: &str) -> Option<(u64, &'a [u8])> {
        let (_, section) = self.file.elf_section_table().section_by_name(LittleEndian, name.as_bytes())?;
        let compressed = section.sh_flags(LittleEndian).contains(elf::SHF_COMPRESSED);
        let bytes = section.data(LittleEndian, self.bytes).ok()?;
        (!compressed && !bytes.is_empty()).then_some((section.sh_addr(LittleEndian), bytes))
    }

    /// Whether the file has the full symbol table, which `strip` removes.
    pub fn has_symtab(&self) -> bool {
        !self.file.elf_symbol_table().is_empty()
    }

    fn symtab(&self) -> Option<Table<'a>> {
        let table = self.file.elf_symbol_table();
        (!table.is_empty()).then(|| Table { symbols: table.symbols(), strings: table.strings(), versions: &[] })
    }

    fn dynsym(&self) -> Option<Table<'a>> {
        let table = self.file.elf_dynamic_symbol_table();
        let versions = self.file.elf_section_table().gnu_versym(LittleEndian, self.bytes).ok().flatten();
        let versions = versions.map_or(&[][..], |(versions, _)| versions);
        (!table.is_empty()).then(|| Table { symbols: table.symbols(), strings: table.strings(), versions })
    }
}

struct Table<'a> {
    symbols: &'a [Sym64<LittleEndian>],
    strings: StringTable<'a, &'a [u8]>,
    /// Parallel to the symbols; empty for a `.symtab`, whose names carry the version.
    versions: &'a [Versym<LittleEndian>],
}

/// What a symbol stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Function,
    /// Code or data; assemblers make such symbols.
    Untyped,
    /// A function that chooses the function to call, when the object is loaded (STT_GNU_IFUNC).
    Indirect,
    /// A variable.
    Data,
}

/// A defined symbol.
#[derive(Clone, Copy, Debug)]
pub struct Entry<'a> {
    /// As linked, without the version that follows `@`.
    pub name: &'a [u8],
    pub address: u64,
    pub size: u64,
    pub kind: Kind,
    /// The dynamic linker gives this one to a program that asks for the name (no older version, not hidden, not local).
    pub is_exported: bool,
    /// An older version of a symbol, kept for programs linked long ago.
    pub is_outdated: bool,
    /// Source file of a local symbol, if the table names it.
    pub source: Option<&'a [u8]>,
}

/// The defined symbols of an object: of `.symtab`, else of `.dynsym`, then of the debug file's `.symtab`. A symbol may come
/// more than once.
pub struct Entries<'a> {
    tables: Vec<Table<'a>>,
    next: usize,
    source: Option<&'a [u8]>,
}

impl<'a> Entries<'a> {
    /// The symbols of `object`; none if neither file can be read.
    pub fn of(object: &ObjectFile<'a>) -> Self {
        let own = Elf::parse(object.bytes).and_then(|elf| elf.symtab().or_else(|| elf.dynsym()));
        let debug = object.debug.and_then(Elf::parse).and_then(|elf| elf.symtab());
        Entries { tables: debug.into_iter().chain(own).collect(), next: 0, source: None }
    }
}

impl<'a> Iterator for Entries<'a> {
    type Item = Entry<'a>;

    fn next(&mut self) -> Option<Entry<'a>> {
        loop {
            let table = self.tables.last()?;
            let Some(symbol) = table.symbols.get(self.next) else {
                self.tables.pop();
                (self.next, self.source) = (0, None);
                continue;
            };
            let index = self.next;
            self.next += 1;
            let kind = match symbol.st_type() {
                elf::STT_FUNC => Kind::Function,
                elf::STT_NOTYPE => Kind::Untyped,
                elf::STT_GNU_IFUNC => Kind::Indirect,
                elf::STT_OBJECT | elf::STT_TLS => Kind::Data,
                elf::STT_FILE => {
                    self.source = symbol.name(LittleEndian, table.strings).ok();
                    continue;
                }
                _ => continue,
            };
            let section = symbol.st_shndx(LittleEndian);
            if section == elf::SHN_UNDEF || (section.is_special() && section != elf::SHN_XINDEX) {
                continue;
            }
            let Ok(full) = symbol.name(LittleEndian, table.strings) else { continue };
            let (name, version) = match memchr::memchr(b'@', full) {
                Some(at) if at > 0 => full.split_at(at),
                _ => (full, &full[..0]),
            };
            let is_outdated = match table.versions.get(index) {
                Some(version) => version.0.get(LittleEndian).is_hidden(),
                None => !version.is_empty() && !version.starts_with(b"@@"),
            };
            let visible = !matches!(symbol.st_visibility(), elf::STV_HIDDEN | elf::STV_INTERNAL);
            return Some(Entry {
                name,
                address: symbol.st_value(LittleEndian),
                size: symbol.st_size(LittleEndian),
                kind,
                is_exported: !symbol.is_local() && visible && !is_outdated,
                is_outdated,
                source: if symbol.is_local() { self.source } else { None },
            });
        }
    }
}
