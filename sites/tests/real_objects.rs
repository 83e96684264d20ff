//! The machine's own C library and dynamic linker: every site whose call is answered, or not known,
//! can be rewritten, and its stub can be encoded. Skipped where there is no such file.

use std::collections::HashSet;
use std::fs;
use std::path::Path;

use grivet_sites::{Image, Number, STUB_LIMIT, Segment, Site, Verdict, Window, answered, encode, find, jump};
use object::LittleEndian;
use object::elf::{self, FileHeader64};
use object::read::elf::{FileHeader, ProgramHeader};

const LIBC: &str = "/lib/x86_64-linux-gnu/libc.so.6";
const LINKER: &str = "/lib64/ld-linux-x86-64.so.2";
/// Where the object is pretended to be loaded.
const BIAS: u64 = 0x7f00_0000_0000;

/// What is found in an object, and its code.
struct Found {
    sites: Vec<Site>,
    text: Vec<(u64, Vec<u8>)>,
}

impl Found {
    /// Searches the object at `path`.
    fn in_file(path: &str) -> Option<Self> {
        if !Path::new(path).exists() {
            eprintln!("skipped: there is no {path}");
            return None;
        }
        let file = fs::read(path).unwrap();
        let header = FileHeader64::<LittleEndian>::parse(&*file).unwrap();
        let (mut text, mut data, mut eh_frame_hdr) = (Vec::new(), Vec::new(), None);
        for header in header.program_headers(LittleEndian, &*file).unwrap() {
            let bytes = header.data(LittleEndian, &*file).unwrap();
            let segment = Segment { address: BIAS + header.p_vaddr(LittleEndian), bytes };
            match header.p_type(LittleEndian) {
                elf::PT_LOAD => {
                    if header.p_flags(LittleEndian).contains(elf::PF_X) {
                        text.push(segment);
                    }
                    data.push(segment);
                }
                elf::PT_GNU_EH_FRAME => eh_frame_hdr = Some(segment.address),
                _ => {}
            }
        }
        let mut sites = Vec::new();
        find(&Image { text: &text, data: &data, eh_frame_hdr }, &answered, &mut |site| sites.push(site));
        Some(Found { sites, text: text.iter().map(|segment| (segment.address, segment.bytes.to_vec())).collect() })
    }

    fn code(&self, start: u64, end: u64) -> &[u8] {
        let holds = |(address, bytes): &&(u64, Vec<u8>)| (*address..address + bytes.len() as u64).contains(&start);
        let (address, bytes) = self.text.iter().find(holds).unwrap();
        &bytes[(start - address) as usize..(end - address) as usize]
    }

    fn windows(&self) -> impl Iterator<Item = Window> {
        self.sites.iter().filter_map(|site| match site.verdict {
            Verdict::Rewrite(window) => Some(window),
            _ => None,
        })
    }
}

#[test]
fn every_site_that_matters_is_rewritten() {
    for path in [LIBC, LINKER] {
        let Some(Found { sites, .. }) = Found::in_file(path) else {
            continue;
        };
        assert!(sites.len() > 20, "{path}: {} sites", sites.len());
        for site in &sites {
            let expected = match site.number {
                Number::Known(number) => answered(number),
                Number::Unknown => true,
            };
            assert_eq!(expected, matches!(site.verdict, Verdict::Rewrite(_)), "{path}: {site:x?}");
            assert!(!matches!(site.verdict, Verdict::Refused(_)), "{path}: {site:x?}");
        }
    }
}

#[test]
fn the_calls_that_make_and_end_threads_are_among_them() {
    let Some(Found { sites, .. }) = Found::in_file(LIBC) else {
        return;
    };
    let numbers: HashSet<Number> = sites.iter().map(|site| site.number).collect();
    // rt_sigreturn, clone, vfork, exit, futex, clock_nanosleep, clone3
    for number in [15, 56, 58, 60, 202, 230, 435] {
        assert!(numbers.contains(&Number::Known(number)), "no site makes call {number}");
    }
    // syscall(2), for one.
    assert!(numbers.contains(&Number::Unknown));
}

#[test]
fn windows_hold_their_site_and_do_not_overlap() {
    for path in [LIBC, LINKER] {
        let Some(found) = Found::in_file(path) else {
            continue;
        };
        let mut free_from = 0;
        for window in found.windows() {
            assert!(window.start >= free_from && window.end - window.start >= 5, "{path}: {window:x?}");
            assert!(window.start <= window.syscall && window.syscall + 2 <= window.end, "{path}: {window:x?}");
            assert_eq!(found.code(window.syscall, window.syscall + 2), [0x0f, 0x05]);
            free_from = window.end;
        }
    }
}

#[test]
fn every_stub_can_be_encoded_below_the_object() {
    for path in [LIBC, LINKER] {
        let Some(found) = Found::in_file(path) else {
            continue;
        };
        let slot = BIAS - 0x100_0000;
        let mut stub_address = slot + 16;
        for window in found.windows() {
            let stub = encode(&window, found.code(window.start, window.end), stub_address, slot).unwrap();
            assert!(stub.bytes.len() <= STUB_LIMIT);
            assert_eq!(jump(&window, stub_address).unwrap().len() as u64, window.end - window.start);
            stub_address += stub.bytes.len() as u64;
        }
    }
}
