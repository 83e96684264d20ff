//! Compiles the C library that the demo calls, with the system's C compiler.

fn main() {
    println!("cargo::rerun-if-changed=legacy.c");
    cc::Build::new().file("legacy.c").opt_level(2).warnings_into_errors(true).compile("legacy");
}
