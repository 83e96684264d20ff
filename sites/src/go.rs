//! Recognises objects made by the Go toolchain. Go schedules its own threads and makes its own
//! system calls; its code is left alone.

/// The type of Go's build id note, in the name space "Go" (`cmd/internal/buildid/note.go`).
const BUILD_ID: u32 = 4;

/// Whether `notes`, the bytes of one PT_NOTE segment, hold Go's build id (section
/// `.note.go.buildid`).
pub fn is_go(notes: &[u8]) -> bool {
    let mut rest = notes;
    while let Some((name, kind, after)) = next_note(rest) {
        if name == b"Go\0\0" && kind == BUILD_ID {
            return true;
        }
        rest = after;
    }
    false
}

/// Name and type of the first note (elf(5), "Notes"), and the bytes after it.
fn next_note(notes: &[u8]) -> Option<(&[u8], u32, &[u8])> {
    let word = |index: usize| Some(u32::from_le_bytes(notes.get(index * 4..index * 4 + 4)?.try_into().ok()?));
    let (name_length, description_length, kind) = (word(0)? as usize, word(1)? as usize, word(2)?);
    let name = notes.get(12..12 + name_length)?;
    let next = 12 + name_length.next_multiple_of(4) + description_length.next_multiple_of(4);
    Some((name, kind, notes.get(next..).unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::is_go;

    const GNU_BUILD_ID: &[u8] = b"\x04\0\0\0\x05\0\0\0\x03\0\0\0GNU\0\x01\x02\x03\x04\x05\0\0\0";
    const GO_BUILD_ID: &[u8] = b"\x04\0\0\0\x03\0\0\0\x04\0\0\0Go\0\0abc\0";

    #[test]
    fn go_is_recognised_behind_another_note() {
        assert!(is_go(GO_BUILD_ID));
        assert!(is_go(&[GNU_BUILD_ID, GO_BUILD_ID].concat()));
    }

    #[test]
    fn other_notes_and_torn_ones_are_not_go() {
        assert!(!is_go(GNU_BUILD_ID));
        assert!(!is_go(&[]));
        assert!(!is_go(&GO_BUILD_ID[..13]));
        // The same type in another name space.
        assert!(!is_go(b"\x04\0\0\0\0\0\0\0\x04\0\0\0GNU\0"));
    }
}
