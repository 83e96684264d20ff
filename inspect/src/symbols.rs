//! From an address to the functions there, with source file and line where debug information tells. Symbol tables and debug
//! information are read once they are first needed, and each address is looked up once.

use alloc::collections::BTreeMap;
use alloc::rc::Rc;
use alloc::string::String;
use alloc::vec::Vec;
use core::cell::OnceCell;

use grivet_symbols::{CodeSymbol, ObjectFile, code_symbols, demangled};

use crate::images::Images;
use crate::lines::Lines;
use crate::unwind::Frame;

/// A function at an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Function {
    /// Demangled; C++'s with parameters. None if there is no symbol.
    pub name: Option<String>,
    pub file: Option<String>,
    pub line: Option<u32>,
    /// It has no frame of its own: its code is in that of the next one.
    pub is_inlined: bool,
}

/// What is at an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    pub address: u64,
    /// File name of the object; None for code that is in no file.
    pub object: Option<String>,
    /// The address as linked, if there is an object.
    pub linked: Option<u64>,
    /// The innermost first; at least one.
    pub functions: Vec<Function>,
}

/// How much is looked up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Detail {
    /// Names of functions.
    Names,
    /// Lines and inlined functions, too. Large programs' debug information takes memory and time.
    Lines,
}

/// Symbols and debug information of all images.
pub struct Symbols<'a> {
    images: &'a Images<'a>,
    detail: Detail,
    objects: Vec<Object<'a>>,
    places: BTreeMap<Frame, Rc<Place>>,
}

#[derive(Default)]
struct Object<'a> {
    /// By address.
    functions: OnceCell<Vec<CodeSymbol<'a>>>,
    lines: OnceCell<Option<Lines<'a>>>,
}

impl<'a> Symbols<'a> {
    pub fn new(images: &'a Images<'a>, detail: Detail) -> Self {
        let objects = images.all().iter().map(|_| Object::default()).collect();
        Symbols { images, detail, objects, places: BTreeMap::new() }
    }

    /// What is at a frame.
    pub fn place(&mut self, frame: &Frame) -> Rc<Place> {
        if let Some(known) = self.places.get(frame) {
            return known.clone();
        }
        let place = Rc::new(self.look_up(frame));
        self.places.insert(*frame, place.clone());
        place
    }

    fn look_up(&self, frame: &Frame) -> Place {
        let unnamed = || Vec::from([Function { name: None, file: None, line: None, is_inlined: false }]);
        let image = self.images.code_at(frame.place()).and_then(|(_, image)| image);
        let Some((image, bias)) = image.and_then(|image| Some((image, self.images.bias(image)?))) else {
            return Place { address: frame.address, object: None, linked: None, functions: unnamed() };
        };
        let linked = frame.place().wrapping_sub(bias);
        let mut functions = match self.detail {
            Detail::Names => Vec::new(),
            Detail::Lines => self.lines(image).map_or_else(Vec::new, |lines| lines.functions(linked)),
        };
        if functions.is_empty() {
            functions = unnamed();
        }
        // Debug information often has only the last part of a name.
        if let Some(last) = functions.last_mut()
            && let Some(name) = self.symbol(image, linked)
        {
            last.name = Some(name);
        }
        Place {
            address: frame.address,
            object: Some(String::from_utf8_lossy(&self.images.all()[image].name).into_owned()),
            linked: Some(frame.address.wrapping_sub(bias)),
            functions,
        }
    }

    fn lines(&self, image: usize) -> Option<&Lines<'a>> {
        let find =
            || Lines::of(self.images.bytes(image)).or_else(|| self.images.debug_bytes(image).and_then(Lines::of));
        self.objects[image].lines.get_or_init(find).as_ref()
    }

    fn symbol(&self, image: usize, linked: u64) -> Option<String> {
        let functions = self.objects[image].functions.get_or_init(|| self.functions(image));
        let after = functions.partition_point(|symbol| symbol.address <= linked);
        // Of symbols that overlap, the one that begins last and reaches so far.
        let within = |symbol: &&CodeSymbol<'_>| symbol.size == 0 || linked - symbol.address < symbol.size;
        const OVERLAPPING: usize = 8;
        let symbol = functions[..after].iter().rev().take(OVERLAPPING).find(within)?;
        Some(demangled(core::str::from_utf8(symbol.name).ok()?))
    }

    fn functions(&self, image: usize) -> Vec<CodeSymbol<'a>> {
        let (bytes, debug) = (self.images.bytes(image), self.images.debug_bytes(image));
        let object = ObjectFile { name: "", bytes, debug, is_program: false };
        let mut functions: Vec<CodeSymbol<'a>> = code_symbols(&object).collect();
        // Of several names for one place, the plainest last: it is found first.
        let underscores = |symbol: &CodeSymbol<'_>| symbol.name.iter().take_while(|&&byte| byte == b'_').count();
        functions.sort_by_key(|symbol| (symbol.address, core::cmp::Reverse((underscores(symbol), symbol.name.len()))));
        functions
    }
}
