//! libgrivet(7): the man page of the library itself, for those who preload it without `grivet run`. Its list of variables is
//! that of the other pages.

use clap_mangen::roff::{Inline, Roff, bold, italic, roman};

use crate::man::{NO_DATE, SOURCE, VARIABLES, entries};

/// The page, in roff.
pub fn page() -> String {
    let mut roff = Roff::new();
    roff.control("TH", ["LIBGRIVET", "7", NO_DATE, SOURCE, "grivet manual"]);
    section(&mut roff, "NAME", &[&[roman("libgrivet.so - runs the threads of a program as coroutines")]]);
    section(
        &mut roff,
        "SYNOPSIS",
        &[&[
            bold("LD_PRELOAD=libgrivet.so"),
            roman(" ["),
            italic("VARIABLE"),
            roman("="),
            italic("VALUE"),
            roman(" ...] "),
            italic("PROGRAM"),
            roman(" ["),
            italic("ARG"),
            roman(" ...]"),
        ]],
    );
    section(
        &mut roff,
        "DESCRIPTION",
        &[
            &[roman(
                "Loaded into a dynamically linked x86-64 program with glibc, the library turns the program's threads into \
                 coroutines, which switch where they wait, in one kernel thread. The program is neither changed nor aware of it. \
                 The system call instructions in the C library, and in other objects that have their own, are rewritten in \
                 memory when the program makes its first thread, or at its start if calls are to be spawned; those calls that \
                 concern threads and waiting are then answered as the kernel would answer them, for threads that exist in user \
                 space alone. What cannot be answered is left to the kernel.",
            )],
            &[
                roman("A process that makes no second thread is left as it is. "),
                bold("grivet run"),
                roman(
                    " sets the variables below from options and refuses programs on which preloading has no effect; ",
                ),
                bold("grivet check"),
                roman(" says beforehand what will happen."),
            ],
        ],
    );
    section(
        &mut roff,
        "ENVIRONMENT",
        &[&[
            roman("The library reads the variables that begin with GRIVET when the program starts, but for "),
            bold("GRIVET_LIB"),
            roman(
                ", which the command reads. A value that it does not understand is reported in one line, and the program runs natively.",
            ),
        ]],
    );
    entries(&mut roff, VARIABLES.map(|(name, meaning)| (name.to_owned(), meaning)));
    section(
        &mut roff,
        "DIAGNOSTICS",
        &[&[
            roman("All that the library prints goes to standard error and begins with "),
            bold("grivet:"),
            roman(". A message is one line; reports that were asked for may have several."),
        ]],
    );
    section(
        &mut roff,
        "NOTES",
        &[
            &[roman(
                "There is no effect on programs that are statically linked, setuid, 32-bit, written in Go, or linked \
                 against another C library.",
            )],
            &[
                roman("In "),
                bold("gdb"),
                roman("(1), "),
                bold("info grivet threads"),
                roman(" lists the threads, and "),
                bold("grivet thread"),
                italic(" ID"),
                roman(" selects one, in core files too."),
            ],
        ],
    );
    section(
        &mut roff,
        "SEE ALSO",
        &[&[bold("grivet"), roman("(1), "), bold("ld.so"), roman("(8), "), bold("pthreads"), roman("(7)")]],
    );
    roff.render()
}

fn section(roff: &mut Roff, heading: &str, paragraphs: &[&[Inline]]) {
    roff.control("SH", [heading]);
    for (place, &paragraph) in paragraphs.iter().enumerate() {
        if place > 0 {
            roff.control("PP", []);
        }
        roff.text(paragraph);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_variable_that_the_library_reads_is_described() {
        let source = include_str!("../../preload/src/config.rs");
        let (code, _) = source.split_once("mod tests").expect("tests at the end");
        // As in b"GRIVET_SPAWN=" or "GRIVET_STACK".
        for (at, _) in code.match_indices("\"GRIVET_") {
            let name: String = code[at + 1..].chars().take_while(|c| c.is_ascii_uppercase() || *c == '_').collect();
            assert!(
                name.starts_with("GRIVET_TEST_") || VARIABLES.iter().any(|(known, _)| *known == name),
                "{name} is missing"
            );
        }
    }
}
