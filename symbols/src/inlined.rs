//! Whether the debug information tells of a function that the compiler inlined everywhere, so that a message can say why it
//! is not there. Only asked once a function was not found.

use alloc::vec::Vec;
use core::str::from_utf8;

use gimli::{AttributeValue, DebugAbbrev, DebugInfo, DebugStr, EndianSlice, LittleEndian, constants};

use crate::ObjectFile;
use crate::clones::Name;
use crate::elf::Elf;
use crate::pattern::Pattern;

type Slice<'a> = EndianSlice<'a, LittleEndian>;

/// Whether `object`, or its debug file, tells of a function that fits `pattern` and has no code. False if the information is
/// missing, compressed or damaged.
pub fn knows(object: &ObjectFile<'_>, pattern: &Pattern<'_>) -> bool {
    [Some(object.bytes), object.debug].into_iter().flatten().filter_map(Elf::parse).any(|elf| {
        let section = |name| elf.section(name).map_or(&[][..], |(_, bytes)| bytes);
        let (info, strings) = (section(".debug_info"), section(".debug_str"));
        // Reading all entries of a large program takes long; searching its strings does not.
        let is_mentioned = pattern.is_mentioned(strings) || pattern.is_mentioned(info);
        is_mentioned && tells(info, section(".debug_abbrev"), strings, pattern).unwrap_or(false)
    })
}

/// Whether there is an entry with DW_AT_inline (DWARF 5, section 3.3.8.1) whose name fits.
fn tells(info: &[u8], abbreviations: &[u8], strings: &[u8], pattern: &Pattern<'_>) -> gimli::Result<bool> {
    let strings = DebugStr::new(strings, LittleEndian);
    let abbreviation_tables = DebugAbbrev::new(abbreviations, LittleEndian);
    let mut units = DebugInfo::new(info, LittleEndian).units();
    let mut attributes = Vec::new();
    while let Some(unit) = units.next()? {
        let abbreviations = unit.abbreviations(&abbreviation_tables)?;
        let mut entries = unit.entries_raw(&abbreviations, None)?;
        while !entries.is_empty() {
            let Some(abbreviation) = entries.read_abbreviation()? else { continue };
            let specifications = abbreviation.attributes();
            let is_inline = specifications.iter().any(|specification| specification.name() == constants::DW_AT_inline);
            if abbreviation.tag() != constants::DW_TAG_subprogram || !is_inline {
                entries.skip_attributes(specifications)?;
                continue;
            }
            entries.read_attributes(specifications, &mut attributes)?;
            let value = |name| attributes.iter().find(|attribute| attribute.name() == name);
            let is_inlined = matches!(
                value(constants::DW_AT_inline).map(|attribute| attribute.value()),
                Some(AttributeValue::Inline(constants::DW_INL_inlined | constants::DW_INL_declared_inlined))
            );
            // C has no linkage name.
            let named = value(constants::DW_AT_linkage_name).or_else(|| value(constants::DW_AT_name));
            let name = named.and_then(|attribute| attribute.string_value(&strings));
            let fits =
                |name: Slice<'_>| from_utf8(name.slice()).is_ok_and(|name| pattern.fit(&Name::split(name)).is_some());
            if is_inlined && name.is_some_and(fits) {
                return Ok(true);
            }
        }
    }
    Ok(false)
}
