//! The harness of the end-to-end tests: a program is built once, run natively and with the grivet library
//! preloaded, and the two runs are compared.
//!
//! A [`Program`] says what to run; [`Program::same`] makes the usual comparison, [`Program::natively`] and
//! [`Program::under_grivet`] give a [`Run`] to look at by hand. Whatever a run leaves behind is killed, by process
//! group, and every run has a time limit. The library under test is `$GRIVET_LIB` or `release/libgrivet.so` in the
//! target directory; programs are built into `tests-programs` there.

mod compile;
mod exclusive;
mod program;
mod run;

pub use compile::{Language, compile, programs_directory};
pub use program::Program;
pub use run::{End, Run, Stats};

use std::path::PathBuf;

/// Cargo's target directory: `$CARGO_TARGET_DIR`, or `target` in the workspace.
pub fn target_directory() -> PathBuf {
    match std::env::var_os("CARGO_TARGET_DIR") {
        Some(directory) => PathBuf::from(directory),
        None => PathBuf::from(env!("CARGO_MANIFEST_DIR")).with_file_name("target"),
    }
}

/// A directory of this test's own, empty.
pub fn scratch(name: &str) -> PathBuf {
    let directory = target_directory().join("tests-scratch").join(format!("{name}-{}", std::process::id()));
    std::fs::create_dir_all(&directory).expect("a scratch directory");
    directory
}

/// The library under test. Panics with what to do if it is not built.
pub fn library() -> PathBuf {
    let library = match std::env::var_os("GRIVET_LIB") {
        Some(library) => PathBuf::from(library),
        None => target_directory().join("release/libgrivet.so"),
    };
    assert!(library.is_file(), "{} is missing: run `cargo build --release -p grivet-preload`", library.display());
    library
}

/// One test function for each program named: built from `DIRECTORY/NAME.EXTENSION` by the constructor given, run
/// natively and under grivet, with the same result expected.
#[macro_export]
macro_rules! same_natively_and_under_grivet {
    ($constructor:ident in $directory:literal: $($name:ident),+ $(,)?) => {
        $(
            #[test]
            fn $name() {
                $crate::Program::$constructor(concat!($directory, "/", stringify!($name))).same();
            }
        )+
    };
}
