//! Rules for functions of C programs and their libraries: whole symbols, copies, addresses, what is no function.

mod built;

use built::{Workshop, found, library, message, names, program};
use grivet_symbols::{FindError, all_functions};

const TWO_TASKS: &str = "
    #include <unistd.h>
    int counter;
    __attribute__((noinline)) static int fetch(int id) { sleep(id); return id; }
    __attribute__((noinline)) int fetch_all(int id) { return fetch(id) + fetch(id + 1); }
    int main(int argc, char **argv) { return fetch_all(argc) + counter; }";

#[test]
fn static_and_global_functions_are_found_with_address_and_size() {
    let bytes = Workshop::new().c(TWO_TASKS);
    for name in ["fetch", "fetch_all", "main", "app:main"] {
        let functions = found(name, &[program(&bytes)]).unwrap();
        assert_eq!(functions.len(), 1, "{name}");
        assert!(functions[0].size > 0 && functions[0].address > 0);
        let listed = all_functions(&program(&bytes)).find(|listed| listed.name == functions[0].name).unwrap();
        assert_eq!((listed.address, listed.size), (functions[0].address, functions[0].size));
    }
}

#[test]
fn what_is_not_there_is_met_with_the_nearest_names() {
    let bytes = Workshop::new().c(TWO_TASKS);
    assert_eq!(message("fetsh", &[program(&bytes)]), "no function `fetsh`; nearest: fetch");
    assert_eq!(message("fetch_al", &[program(&bytes)]), "no function `fetch_al`; nearest: fetch_all, fetch");
    assert_eq!(message("counter", &[program(&bytes)]), "`counter` is a variable");
    assert_eq!(message("qqqqqqqqq", &[program(&bytes)]), "no function `qqqqqqqqq`");
    assert_eq!(message("other:main", &[program(&bytes)]), "the program has no object `other`; it has app");
    assert!(matches!(found("main", &[program(b"#!/bin/sh\n")]), Err(FindError::Unreadable { .. })));
}

#[test]
fn an_address_must_be_where_a_function_begins_even_in_a_stripped_file() {
    let workshop = Workshop::new();
    let bytes = workshop.c(TWO_TASKS);
    let function = found("fetch", &[program(&bytes)]).unwrap().remove(0);
    let rule = format!("{:#x}", function.address);
    assert_eq!(found(&rule, &[program(&bytes)]).unwrap(), std::slice::from_ref(&function));
    let inside = format!("{:#x}", function.address + 1);
    assert!(message(&inside, &[program(&bytes)]).ends_with(&format!("lies inside fetch, which begins at {rule}")));

    workshop.run("strip a");
    let stripped = workshop.read("a");
    let unnamed = found(&rule, &[program(&stripped)]).unwrap().remove(0);
    assert_eq!(
        (unnamed.address, unnamed.size, unnamed.name.as_str()),
        (function.address, function.size, rule.as_str())
    );
    assert!(
        message(&inside, &[program(&stripped)]).ends_with(&format!("lies inside a function that begins at {rule}"))
    );
    assert!(message("0x10", &[program(&stripped)]).ends_with("is not in the code of /opt/app"));
    assert!(message("fetch", &[program(&stripped)]).contains("the program is stripped"));
}

#[test]
fn clones_that_the_compiler_makes_come_with_their_function() {
    let workshop = Workshop::new();
    workshop.write(
        "a.c",
        "#include <stdio.h>
        __attribute__((noinline)) int fetch(int id, int times) {
            for (int i = 0; i < times; i++) printf(\"%d\\n\", id + i);
            return id * times;
        }
        int main(int argc, char **argv) {
            int sum = 0;
            for (int i = 0; i < argc; i++) sum += fetch(argc, 3) + fetch(argc + 1, 3);
            return sum;
        }",
    );
    workshop.run("cc -O3 -o a a.c");
    let bytes = workshop.read("a");
    let all: Vec<_> = all_functions(&program(&bytes)).map(|listed| listed.name).collect();
    assert!(all.contains(&"fetch.constprop.0".to_owned()), "the compiler made no clone: {all:?}");
    assert_eq!(names("fetch", &[program(&bytes)]), ["fetch", "fetch.constprop.0"]);
    assert_eq!(names("fetch.constprop.0", &[program(&bytes)]), ["fetch.constprop.0"]);
}

/// A C program with these functions, each one instruction long.
fn with_functions(names: &[&str]) -> Vec<u8> {
    let label = |name: &&str| format!("\".type {name}, @function\\n {name}: ret\\n .size {name}, 1\\n\"\n");
    let labels: String = names.iter().map(label).collect();
    Workshop::new().c(&format!("__asm__(\".text\\n\"\n{labels});\nint main(void) {{ return 0; }}"))
}

#[test]
fn every_kind_of_clone_is_taken_along_but_not_cold_halves() {
    let bytes =
        with_functions(&["fetch.part.0", "fetch.isra.0", "fetch", "fetch.cold", "fetch.isra.0.cold", "fetcher"]);
    assert_eq!(names("fetch", &[program(&bytes)]), ["fetch", "fetch.part.0", "fetch.isra.0"]);
    let bytes = with_functions(&["fetch.constprop.0", "fetch.constprop.1"]);
    assert_eq!(names("fetch", &[program(&bytes)]), ["fetch.constprop.0", "fetch.constprop.1"]);
    let bytes = with_functions(&["fetch.cold"]);
    assert_eq!(message("fetch", &[program(&bytes)]), "no function `fetch`");
}

#[test]
fn functions_that_link_time_optimisation_told_apart_are_ambiguous() {
    let bytes = with_functions(&["fetch.lto_priv.0", "fetch.lto_priv.1"]);
    assert!(message("fetch", &[program(&bytes)]).contains("any of 2 functions"));
    assert_eq!(names("fetch.lto_priv.1", &[program(&bytes)]), ["fetch.lto_priv.1"]);
    let bytes = with_functions(&["fetch.lto_priv.0", "fetch.lto_priv.0.isra.0"]);
    assert_eq!(names("fetch", &[program(&bytes)]), ["fetch.lto_priv.0", "fetch.lto_priv.0.isra.0"]);
}

#[test]
fn two_static_functions_of_one_name_are_ambiguous() {
    let workshop = Workshop::new();
    workshop.write(
        "b.c",
        "#include <unistd.h>
        __attribute__((noinline)) static int fetch(int id) { return usleep(id) + id; }
        int other(int id) { return fetch(id) + fetch(id + 1); }",
    );
    workshop.write("a.c", &format!("{TWO_TASKS}\nint other(int); int more(int id) {{ return other(id); }}"));
    workshop.run("cc -O1 -o a a.c b.c");
    let bytes = workshop.read("a");
    let text = message("fetch", &[program(&bytes)]);
    assert!(text.starts_with("`fetch` is any of 2 functions"), "{text}");
    assert!(text.contains("fetch of a.c (0x") && text.contains("fetch of b.c (0x"), "{text}");
}

#[test]
fn the_programs_function_comes_before_a_librarys() {
    let workshop = Workshop::new();
    workshop.write("one.c", "int fetch(void) { return 1; } int only(void) { return 2; }");
    workshop.run("cc -shared -fPIC -o libone.so.1 one.c");
    workshop.run("cc -shared -fPIC -s -o libtwo.so one.c");
    let (own, one, two) = (workshop.c(TWO_TASKS), workshop.read("libone.so.1"), workshop.read("libtwo.so"));
    let objects = [program(&own), library("/lib/libone.so.1", &one), library("/lib/libtwo.so", &two)];
    let object = |rule: &str| found(rule, &objects).unwrap()[0].object;
    assert_eq!(object("fetch"), 0);
    assert_eq!(object("libone.so:fetch"), 1);
    assert_eq!(object("libone.so.1:fetch"), 1);
    assert_eq!(object("/lib/libtwo.so:fetch"), 2);
    assert_eq!(object("only"), 1, "the first library that exports it counts, as for the dynamic linker");
}

#[test]
fn functions_of_the_c_library_are_found_unless_chosen_at_load() {
    let path = "/lib/x86_64-linux-gnu/libc.so.6";
    let Ok(libc) = std::fs::read(path) else { return eprintln!("skipped: there is no {path}") };
    let own = Workshop::new().c(TWO_TASKS);
    let objects = [program(&own), library(path, &libc)];
    for name in ["clock_gettime", "pthread_cond_wait", "libc.so:sleep"] {
        let functions = found(name, &objects).unwrap();
        assert_eq!((functions.len(), functions[0].object), (1, 1), "{name}");
    }
    let text = message("memcpy", &objects);
    assert!(text.contains("IFUNC"), "{text}");
}

#[test]
fn a_function_that_was_inlined_everywhere_is_said_to_be() {
    let workshop = Workshop::new();
    workshop.write(
        "a.c",
        "#include <unistd.h>
        static inline int fetch(int id) { return usleep(id); }
        int main(int argc, char **argv) { return fetch(argc); }",
    );
    workshop.run("cc -O2 -g -gz=none -o a a.c");
    let bytes = workshop.read("a");
    assert!(message("fetch", &[program(&bytes)]).starts_with("`fetch` was inlined into its callers"));
    assert!(message("fetcher", &[program(&bytes)]).starts_with("no function `fetcher`"));
}

#[test]
fn a_damaged_file_is_an_error_or_has_fewer_names() {
    let bytes = Workshop::new().c(TWO_TASKS);
    for length in (0..bytes.len()).step_by(61) {
        let cut = found("fetch", &[program(&bytes[..length])]);
        assert!(cut.is_err(), "the symbol table is at the end of the file, which was cut at {length}");
    }
    for at in (0..bytes.len()).step_by(7) {
        let mut bent = bytes.clone();
        bent[at] ^= 0xff;
        // Whatever is found, or said of it, a file cannot make the search panic.
        for rule in ["fetch", "fetsh", "0x1140"] {
            let _ = found(rule, &[program(&bent)]);
        }
    }
}
