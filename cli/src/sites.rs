//! The system call sites of ELF files: counted for `check`, listed for `check --sites`.
//!
//! The judgement is that of `grivet-sites`, on the bytes of the file at the addresses it was linked for, so it is
//! the one that the library will come to when the file is loaded.

use std::fmt::Write as _;
use std::ops::{AddAssign, Range};

use grivet_sites::{Number, Site, Verdict, answered};
use object::{Object as _, ObjectSymbol, SymbolKind};
use syscalls::Sysno;

use crate::elf::Elf;
use crate::image::Segments;
use crate::options::Listing;
use crate::status::Refusal;

/// How many sites an object has, by what happens to them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    pub rewritten: usize,
    /// Left to the kernel: grivet does not answer these calls.
    pub left: usize,
    /// They should be rewritten and cannot be.
    pub refused: usize,
}

impl Totals {
    pub fn found(&self) -> usize {
        self.rewritten + self.left + self.refused
    }

    fn count(&mut self, verdict: &Verdict) {
        match verdict {
            Verdict::Rewrite(_) => self.rewritten += 1,
            Verdict::Leave => self.left += 1,
            Verdict::Refused(_) => self.refused += 1,
        }
    }
}

impl AddAssign for Totals {
    fn add_assign(&mut self, other: Self) {
        self.rewritten += other.rewritten;
        self.left += other.left;
        self.refused += other.refused;
    }
}

impl std::fmt::Display for Totals {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            formatter,
            "{} found, {} rewritten, {} left to the kernel, {} refused",
            self.found(),
            self.rewritten,
            self.left,
            self.refused
        )
    }
}

/// The sites of one object, in the order of their addresses; none for Go code, which grivet leaves alone.
pub fn survey(elf: &Elf) -> Result<Vec<Site>, Refusal> {
    if elf.go {
        return Ok(Vec::new());
    }
    let segments = Segments::of(elf)?;
    let mut sites = Vec::new();
    grivet_sites::find(&segments.image(), &answered, &mut |mut site| {
        // Sites outside any known function are refused whatever they call; those of no interest are no loss.
        if let (Number::Known(number), Verdict::Refused(_)) = (&site.number, &site.verdict)
            && !answered(*number)
        {
            site.verdict = Verdict::Leave;
        }
        sites.push(site);
    });
    Ok(sites)
}

pub fn totals(sites: &[Site]) -> Totals {
    let mut totals = Totals::default();
    for site in sites {
        totals.count(&site.verdict);
    }
    totals
}

/// The table of an object's sites, and its totals.
pub fn table(elf: &Elf, sites: &[Site], listing: Listing) -> Result<String, Refusal> {
    let mut text = format!("{}\n", elf.path.display());
    let wanted = |site: &&Site| listing == Listing::All || matches!(site.verdict, Verdict::Refused(_));
    let rows: Vec<&Site> = sites.iter().filter(wanted).collect();
    if !rows.is_empty() {
        let names = Names::of(elf)?;
        let mut cells = vec![["ADDRESS", "NUMBER", "CALL", "FUNCTION", "WHAT HAPPENS"].map(String::from)];
        cells.extend(rows.into_iter().map(|site| row(site, &names)));
        text.push_str(&aligned(&cells));
    }
    let note = if elf.go { " (Go code, left alone)" } else { "" };
    let _ = writeln!(text, "  sites: {}{note}", totals(sites));
    Ok(text)
}

fn row(site: &Site, names: &Names) -> [String; 5] {
    let (number, call) = match &site.number {
        Number::Known(number) => {
            (number.to_string(), Sysno::new(*number as usize).map_or("-", |call| call.name()).to_owned())
        }
        Number::Unknown => ("-".to_owned(), "any".to_owned()),
    };
    let verdict = match &site.verdict {
        Verdict::Leave => "left to the kernel".to_owned(),
        Verdict::Rewrite(window) => {
            format!("rewritten ({} bytes from {:#x})", window.end - window.start, window.start)
        }
        Verdict::Refused(reason) => format!("refused: {reason}"),
    };
    [format!("{:#x}", site.address), number, call, names.at(site.address).unwrap_or_else(|| "-".to_owned()), verdict]
}

/// The rows in columns, indented by two blanks; the last column is not padded.
fn aligned<const COLUMNS: usize>(rows: &[[String; COLUMNS]]) -> String {
    let mut text = String::new();
    let width = |column: usize| rows.iter().map(|row| row[column].len()).max().unwrap_or(0);
    let widths: [usize; COLUMNS] = std::array::from_fn(width);
    for row in rows {
        for (cell, width) in row.iter().zip(widths).take(COLUMNS - 1) {
            let _ = write!(text, "  {cell:width$}");
        }
        let _ = writeln!(text, "  {}", row[COLUMNS - 1]);
    }
    text
}

/// The functions that an object's symbol tables name, sorted by address.
struct Names<'a>(Vec<(Range<u64>, &'a str)>);

impl<'a> Names<'a> {
    fn of(elf: &'a Elf) -> Result<Self, Refusal> {
        let file = elf.parsed()?;
        let mut names: Vec<_> = file
            .symbols()
            .chain(file.dynamic_symbols())
            .filter(|symbol| symbol.kind() == SymbolKind::Text && symbol.is_definition() && symbol.size() > 0)
            .filter_map(|symbol| {
                let address = symbol.address();
                Some((address..address.checked_add(symbol.size())?, symbol.name().ok()?))
            })
            .collect();
        // Of several names for one address, the public one, without leading underscores, is listed last and so found.
        names.sort_by_key(|(range, name)| {
            (range.start, std::cmp::Reverse(name.len() - name.trim_start_matches('_').len()))
        });
        Ok(Self(names))
    }

    /// `name+0xoffset` of the function that holds `address`.
    fn at(&self, address: u64) -> Option<String> {
        let after = self.0.partition_point(|(range, _)| range.start <= address);
        let (range, name) = self.0[..after].last()?;
        range.contains(&address).then(|| format!("{name}+{:#x}", address - range.start))
    }
}
