//! Stripped programs whose symbols lie in a separate file.

mod built;

use built::{Workshop, found, names, program};
use grivet_symbols::{DebugFileNames, ObjectFile, debug_file_names, debug_matches};

const SOURCE: &str = "
    __attribute__((noinline)) static int fetch(int id) { __asm__ volatile(\"\"); return id; }
    int main(int argc, char **argv) { return fetch(argc); }";

/// A program built with `flags`, whole, then stripped, and its debug file.
fn parted(workshop: &Workshop, flags: &str) -> (Vec<u8>, Vec<u8>, Vec<u8>) {
    workshop.write("a.c", SOURCE);
    workshop.run(&format!("cc -O1 -g {flags} -o a a.c"));
    let whole = workshop.read("a");
    workshop.run("objcopy --only-keep-debug a a.debug");
    workshop.run("strip a");
    workshop.run("objcopy --add-gnu-debuglink=a.debug a");
    (whole, workshop.read("a"), workshop.read("a.debug"))
}

#[test]
fn names_come_from_the_debug_file() {
    let (whole, stripped, debug) = parted(&Workshop::new(), "-Wl,--build-id=sha1");
    let with_debug = ObjectFile { debug: Some(&debug), ..program(&stripped) };
    assert!(found("fetch", &[program(&stripped)]).is_err());
    assert_eq!(found("fetch", &[with_debug]).unwrap(), found("fetch", &[program(&whole)]).unwrap());
    let address = format!("{:#x}", found("fetch", &[with_debug]).unwrap()[0].address);
    assert_eq!(names(&address, &[with_debug]), ["fetch"]);
}

#[test]
fn a_debug_file_is_known_by_its_build_id() {
    let workshop = Workshop::new();
    let (_, stripped, debug) = parted(&workshop, "-Wl,--build-id=0x0123456789abcdef");
    let names = debug_file_names(&stripped);
    assert_eq!(names.by_build_id.as_deref(), Some(".build-id/01/23456789abcdef.debug"));
    assert_eq!(names.by_link.map(|link| link.file_name).as_deref(), Some("a.debug"));
    assert!(debug_matches(&stripped, &debug));
    let (_, _, other) = parted(&workshop, "-Wl,--build-id=0x0123456789abcdee");
    assert!(!debug_matches(&stripped, &other));
    assert!(!debug_matches(&stripped, b"no object"));
}

#[test]
fn without_build_id_the_checksum_tells() {
    let (_, stripped, debug) = parted(&Workshop::new(), "-Wl,--build-id=none");
    assert_eq!(debug_file_names(&stripped).by_build_id, None);
    assert!(debug_matches(&stripped, &debug));
    let mut damaged = debug.clone();
    *damaged.last_mut().unwrap() ^= 1;
    assert!(!debug_matches(&stripped, &damaged));
    assert_eq!(debug_file_names(b"no object"), DebugFileNames::default());
}
