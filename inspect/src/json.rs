//! A report as JSON (RFC 8259), for programs. Addresses are strings, for many readers of JSON have no 64-bit integers. Names
//! are what the program chose: bytes that are no text are replaced, and everything is escaped.

use alloc::string::String;
use core::fmt::{self, Write};

use crate::cause::{self, descriptor_kind};
use crate::group::Group;
use crate::report::Report;
use crate::symbols::{Function, Symbols};
use crate::threads::{State, Thread, WaitsFor};
use crate::unwind::Backtrace;

/// Of what is written here; a change that readers must know of is a new one.
const VERSION: u32 = 1;

/// Writes `report` as one object.
pub fn write(out: &mut dyn Write, report: &Report<'_>, groups: &[Group], symbols: &mut Symbols<'_>) -> fmt::Result {
    write!(out, "{{\"version\":{VERSION},\"program\":{},\"process\":{}", Text(report.program), report.pid)?;
    write!(out, ",\"threads\":{}", report.all.len())?;
    for state in [State::Running, State::Ready, State::Waiting] {
        write!(out, ",\"{}\":{}", state.word(), report.count(state))?;
    }
    write!(out, ",\"switches\":{},\"groups\":[", report.switches)?;
    for (nth, group) in groups.iter().enumerate() {
        out.write_str(if nth == 0 { "\n" } else { ",\n" })?;
        write_group(out, report, group, symbols)?;
    }
    out.write_str("\n]}\n")
}

fn write_group(out: &mut dyn Write, report: &Report<'_>, group: &Group, symbols: &mut Symbols<'_>) -> fmt::Result {
    let first = &report.threads[group.members[0]];
    write!(out, "{{\"count\":{},\"state\":\"{}\"", group.members.len(), first.state.word())?;
    write!(out, ",\"waits_for\":\"{}\",\"threads\":[", group.kind.word())?;
    for (nth, &place) in group.members.iter().enumerate() {
        out.write_str(if nth == 0 { "" } else { "," })?;
        write_thread(out, &report.threads[place])?;
    }
    out.write_str("],")?;
    write_frames(out, report.backtraces.of(group.members[0]), symbols)?;
    out.write_char('}')
}

fn write_thread(out: &mut dyn Write, thread: &Thread) -> fmt::Result {
    write!(out, "{{\"id\":{},\"name\":{}", thread.tid, Text(&String::from_utf8_lossy(thread.name())))?;
    for (key, value) in [("for_ms", thread.since_ms), ("left_ms", thread.left_ms), ("cpu_ns", thread.cpu_time_ns)] {
        if let Some(value) = value {
            write!(out, ",\"{key}\":{value}")?;
        }
    }
    if let Some(call) = thread.call.and_then(cause::call_name) {
        write!(out, ",\"call\":\"{call}\"")?;
    }
    match &thread.waits_for {
        WaitsFor::Lock { address, owner, .. } => {
            write!(out, ",\"address\":\"{address:#x}\"")?;
            if let Some(owner) = owner {
                write!(out, ",\"owner\":{owner}")?;
            }
        }
        WaitsFor::File { descriptor, is, .. } => {
            write!(out, ",\"fd\":{descriptor}")?;
            if let Some(is) = is {
                write!(out, ",\"fd_is\":{}", Text(&descriptor_kind(is)))?;
            }
        }
        _ => {}
    }
    out.write_char('}')
}

fn write_frames(out: &mut dyn Write, backtrace: &Backtrace, symbols: &mut Symbols<'_>) -> fmt::Result {
    write!(out, "\"is_cut\":{},\"frames\":[", backtrace.is_cut)?;
    for (nth, frame) in backtrace.frames.iter().enumerate() {
        let place = symbols.place(frame);
        out.write_str(if nth == 0 { "\n" } else { ",\n" })?;
        write!(out, "{{\"address\":\"{:#x}\"", place.address)?;
        if let (Some(object), Some(linked)) = (&place.object, place.linked) {
            write!(out, ",\"object\":{},\"linked\":\"{linked:#x}\"", Text(object))?;
        }
        write!(out, ",\"is_guess\":{},\"is_signal\":{},\"functions\":[", frame.is_guess, frame.is_signal)?;
        for (nth, function) in place.functions.iter().enumerate() {
            out.write_str(if nth == 0 { "" } else { "," })?;
            write_function(out, function)?;
        }
        out.write_str("]}")?;
    }
    out.write_char(']')
}

fn write_function(out: &mut dyn Write, function: &Function) -> fmt::Result {
    write!(out, "{{\"is_inlined\":{}", function.is_inlined)?;
    for (key, value) in [("name", &function.name), ("file", &function.file)] {
        if let Some(value) = value {
            write!(out, ",\"{key}\":{}", Text(value))?;
        }
    }
    if let Some(line) = function.line {
        write!(out, ",\"line\":{line}")?;
    }
    out.write_char('}')
}

/// A string with its quotes.
struct Text<'a>(&'a str);

impl fmt::Display for Text<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_char('"')?;
        for character in self.0.chars() {
            match character {
                '"' | '\\' => write!(formatter, "\\{character}")?,
                '\0'..' ' | '\u{7f}' => write!(formatter, "\\u{:04x}", u32::from(character))?,
                _ => formatter.write_char(character)?,
            }
        }
        formatter.write_char('"')
    }
}

#[cfg(test)]
mod tests {
    use super::Text;

    #[test]
    fn what_json_reserves_is_escaped() {
        assert_eq!(Text("a\"b\\c\n\u{1b}é").to_string(), "\"a\\\"b\\\\c\\u000a\\u001bé\"");
    }
}
