//! The functions of real objects, compiled from C, C++ and Rust: the entries of nearly all can be
//! rewritten, what moves into the stubs does the same there, and the calls of a function are found.
//! An object that is not there is skipped.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use grivet_sites::{
    CallKind, ENTRY_STUB_LIMIT, Entry, EntryReason, EntryStub, Image, Segment, callers, encode_entry, entry,
};
use iced_x86::{Decoder, DecoderOptions, FlowControl, Instruction, OpKind};
use object::elf::{self, FileHeader64};
use object::read::elf::{ElfFile64, FileHeader, ProgramHeader};
use object::{LittleEndian, Object, ObjectSymbol, SymbolKind};

/// Where an object is pretended to be loaded.
const BIAS: u64 = 0x7f00_0000_0000;
/// Distance from the object to its stubs, in bytes.
const BELOW: u64 = 0x100_0000;
const RULE: u64 = 0x1122_3344_5566_7788;
/// No more functions of one object are looked at: they are spread over it.
const FUNCTIONS: usize = 300;

/// C, C++, and Rust (this test itself).
fn objects() -> Vec<PathBuf> {
    let mut paths: Vec<PathBuf> = ["/lib/x86_64-linux-gnu/libc.so.6", "/usr/lib/x86_64-linux-gnu/libstdc++.so.6"]
        .into_iter()
        .map(PathBuf::from)
        .filter(|path| path.exists())
        .collect();
    paths.push(std::env::current_exe().unwrap());
    paths
}

/// Calls `look` with the image of the object at `path`, and its functions: start and length.
fn with_object(path: &PathBuf, look: impl FnOnce(&Image<'_>, &BTreeMap<u64, u64>)) {
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
    let object = ElfFile64::<LittleEndian>::parse(&*file).unwrap();
    let functions = object
        .symbols()
        .chain(object.dynamic_symbols())
        .filter(|symbol| symbol.kind() == SymbolKind::Text && symbol.is_definition() && symbol.size() > 0)
        .map(|symbol| (BIAS + symbol.address(), symbol.size()))
        .collect();
    look(&Image { text: &text, data: &data, eh_frame_hdr }, &functions);
}

/// The bytes of the image's text from `address` on.
fn code<'a>(image: &Image<'a>, address: u64) -> &'a [u8] {
    let text = image
        .text
        .iter()
        .find(|text| (text.address..text.address + text.bytes.len() as u64).contains(&address))
        .unwrap_or_else(|| panic!("{address:#x} is not in the text"));
    &text.bytes[(address - text.address) as usize..]
}

fn spread(functions: &BTreeMap<u64, u64>) -> impl Iterator<Item = (u64, u64)> {
    functions.iter().map(|(&start, &length)| (start, length)).step_by(functions.len().div_ceil(FUNCTIONS))
}

#[test]
fn nearly_every_function_can_be_caught() {
    for path in objects() {
        with_object(&path, |image, functions| {
            let (mut caught, mut refused) = ([0; 3], BTreeMap::<_, usize>::new());
            for (start, length) in spread(functions) {
                match entry(image, start..start + length) {
                    Ok(Entry { relay: Some(_), .. }) => caught[2] += 1,
                    Ok(Entry { redirects, .. }) if !redirects.is_empty() => caught[1] += 1,
                    Ok(_) => caught[0] += 1,
                    Err(reason) => *refused.entry(words(reason)).or_default() += 1,
                }
            }
            let [plain, redirected, relayed] = caught;
            let (all, none) = (caught.iter().sum::<usize>(), refused.values().sum::<usize>());
            let path = path.display();
            println!("{path}: {plain} plain, {redirected} redirected, {relayed} relayed; refused {none}: {refused:?}");
            assert!(all >= 19 * none, "{path}: fewer than 95 % of the functions can be caught: {refused:?}");
        });
    }
}

/// The reason without its address.
fn words(reason: EntryReason) -> String {
    let words = reason.to_string();
    words.split_whitespace().filter(|word| !word.starts_with("0x")).collect::<Vec<_>>().join(" ")
}

#[test]
fn what_moves_does_the_same_in_the_stub() {
    for path in objects() {
        with_object(&path, |image, functions| {
            let first = image.text[0].address;
            for (start, length) in spread(functions) {
                let Ok(entry) = entry(image, start..start + length) else {
                    continue;
                };
                let stub_address = first - BELOW;
                let original = &code(image, entry.window.start)[..(entry.window.end - entry.window.start) as usize];
                let stub = encode_entry(&entry, original, stub_address, RULE, stub_address - 64).unwrap();
                assert!(stub.bytes.len() <= ENTRY_STUB_LIMIT);
                compare(&entry, original, &stub, stub_address);
                check_patches(image, &entry, &stub, stub_address);
            }
        });
    }
}

/// Compares the instructions of the stub with those of the window, `original`.
fn compare(entry: &Entry, original: &[u8], stub: &EntryStub, stub_address: u64) {
    let offset = stub.body_offset as usize;
    let mut body =
        Decoder::with_ip(64, &stub.bytes[offset..], stub_address + offset as u64, DecoderOptions::NONE).into_iter();
    let moved_end = entry.window.end.min(entry.function.end);
    let moved = &original[..(moved_end - entry.window.start) as usize];
    let mut last = FlowControl::Next;
    for before in &mut Decoder::with_ip(64, moved, entry.window.start, DecoderOptions::NONE) {
        let mut after = body.next().unwrap();
        last = before.flow_control();
        let calls = before.is_call_near() || before.is_call_near_indirect();
        if calls && before.next_ip() == entry.window.end {
            let word = (after.ip_rel_memory_address() - stub_address) as usize;
            assert_eq!(stub.bytes[word..word + 8], entry.window.end.to_le_bytes());
            after = body.next().unwrap();
            assert_eq!(after.near_branch_target(), before.near_branch_target());
            assert_eq!(after.op0_register(), before.op0_register());
            assert_eq!(after.memory_displacement64(), before.memory_displacement64());
            return;
        }
        if before.op0_kind() == OpKind::NearBranch64 {
            let stays =
                before.near_branch64() != entry.function.start && !entry.window.contains(&before.near_branch64());
            assert_eq!(after.condition_code(), before.condition_code(), "{entry:x?}");
            assert!(!stays || after.near_branch64() == before.near_branch64(), "{entry:x?}");
        } else {
            // Equal instructions may stand at different addresses; what they refer to is absolute.
            assert_eq!(after, before, "{entry:x?}");
        }
    }
    if last == FlowControl::Next || last == FlowControl::ConditionalBranch {
        assert_eq!(body.next().map(|back: Instruction| back.near_branch64()), Some(entry.window.end), "{entry:x?}");
    }
}

/// Checks that the patches lead to the stub and change nothing but branches and padding.
fn check_patches(image: &Image<'_>, entry: &Entry, stub: &EntryStub, stub_address: u64) {
    let window = stub.patches.last().unwrap();
    assert_eq!(
        (window.address, window.bytes.len() as u64),
        (entry.window.start, entry.window.end - entry.window.start)
    );
    let jump = Decoder::with_ip(64, &window.bytes, window.address, DecoderOptions::NONE).decode();
    assert_eq!(jump.near_branch64(), entry.relay.unwrap_or(stub_address));
    for redirect in &entry.redirects {
        let bytes = code(image, redirect.address);
        let mut branch = bytes[..(redirect.end - redirect.address) as usize].to_vec();
        let patched =
            stub.patches.iter().find(|patch| (redirect.address..redirect.end).contains(&patch.address)).unwrap();
        let offset = (patched.address - redirect.address) as usize;
        branch[offset..].copy_from_slice(&patched.bytes);
        let after = Decoder::with_ip(64, &branch, redirect.address, DecoderOptions::NONE).decode();
        let before = Decoder::with_ip(64, bytes, redirect.address, DecoderOptions::NONE).decode();
        assert_eq!((after.code(), before.near_branch64()), (before.code(), redirect.target));
        let stub_range = stub_address..stub_address + stub.bytes.len() as u64;
        assert!(
            redirect.relay.map_or(stub_range.contains(&after.near_branch64()), |relay| relay == after.near_branch64())
        );
    }
    let relays = entry.relay.iter().chain(entry.redirects.iter().filter_map(|redirect| redirect.relay.as_ref()));
    for &relay in relays {
        let patch = stub.patches.iter().find(|patch| patch.address == relay).unwrap();
        let padding = &code(image, relay)[..patch.bytes.len()];
        assert!(!entry.function.contains(&relay) && padding.iter().all(|byte| is_padding(*byte)), "{padding:x?}");
    }
}

/// Whether breakpoints and the no-ops that compilers write as padding hold `byte`.
fn is_padding(byte: u8) -> bool {
    matches!(byte, 0xcc | 0x90 | 0x66 | 0x2e | 0x0f | 0x1f | 0x40 | 0x44 | 0x80 | 0x84 | 0x00)
}

#[test]
fn the_calls_of_the_c_librarys_functions_are_found() {
    let Some(path) = objects().into_iter().find(|path| path.ends_with("libc.so.6")) else {
        eprintln!("skipped: there is no libc.so.6");
        return;
    };
    with_object(&path, |image, functions| {
        let mut kinds = [0; 2];
        for &start in functions.keys().step_by(20) {
            let mut last = 0;
            callers(image, start, &mut |site| {
                let bytes = code(image, site.address);
                let call = Decoder::with_ip(64, bytes, site.address, DecoderOptions::NONE).decode();
                assert_eq!(call.near_branch64(), start);
                assert!(site.address > last && site.stack_argument.is_none_or(|argument| argument < 6));
                last = site.address;
                kinds[usize::from(site.kind == CallKind::TailJump)] += 1;
            });
        }
        assert!(kinds[0] > 50 && kinds[1] > 0, "{kinds:?}");
    });
}
