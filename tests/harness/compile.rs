//! Builds test programs: C, C++, OpenMP and Rust sources and shared libraries, each once for its content.
//!
//! The result's file name holds a hash of the source, of `check.h` and the headers beside it, of the command and of files that it names, so that
//! a changed source is built anew and an unchanged one is not; it is written under a name of this process's own and
//! renamed, since tests run in parallel processes.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::Command;

/// How a source becomes something to run or load.
#[derive(Clone, Copy, Debug)]
pub enum Language {
    C,
    CLibrary,
    Cpp,
    OpenMp,
    Rust,
}

impl Language {
    fn extension(self) -> &'static str {
        match self {
            Language::C | Language::CLibrary | Language::OpenMp => "c",
            Language::Cpp => "cpp",
            Language::Rust => "rs",
        }
    }

    fn command(self) -> &'static [&'static str] {
        const WARNINGS: &str = "-Wall";
        match self {
            Language::C => &["cc", "-std=gnu17", "-O2", "-g", WARNINGS, "-pthread"],
            Language::CLibrary => &["cc", "-std=gnu17", "-O2", "-g", WARNINGS, "-pthread", "-shared", "-fPIC"],
            Language::Cpp => &["c++", "-std=c++20", "-O2", "-g", WARNINGS, "-pthread"],
            Language::OpenMp => &["cc", "-std=gnu17", "-O2", "-g", WARNINGS, "-fopenmp"],
            Language::Rust => &["rustc", "--edition=2024", "-O", "-g"],
        }
    }

    /// Arguments that must stand behind the source.
    fn libraries(self) -> &'static [&'static str] {
        match self {
            Language::C | Language::OpenMp => &["-lm"],
            Language::CLibrary | Language::Cpp | Language::Rust => &[],
        }
    }
}

/// Where the sources of the test programs are.
pub fn programs_directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("programs")
}

/// The headers in the source's directory, which it may include, in order.
fn headers_beside(source: &Path) -> Vec<PathBuf> {
    let directory = source.parent().expect("a source lies in a directory");
    let entries = directory.read_dir().unwrap_or_else(|error| panic!("{}: {error}", directory.display()));
    let mut headers: Vec<PathBuf> = entries.filter_map(|entry| entry.ok().map(|entry| entry.path())).collect();
    headers.retain(|path| path.extension().is_some_and(|extension| extension == "h"));
    headers.sort_unstable();
    headers
}

/// Builds `programs/NAME.EXTENSION`, with further OPTIONS for the compiler, unless that has been done, and returns the
/// result's path.
pub fn compile(language: Language, name: &str, options: &[&str]) -> PathBuf {
    let source = programs_directory().join(name).with_extension(language.extension());
    let mut hasher = DefaultHasher::new();
    for file in [source.clone(), programs_directory().join("check.h")].into_iter().chain(headers_beside(&source)) {
        let content = std::fs::read(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        content.hash(&mut hasher);
    }
    (language.command(), language.libraries(), options).hash(&mut hasher);
    // Options may name further sources or libraries.
    for file in options.iter().filter_map(|option| std::fs::read(option).ok()) {
        file.hash(&mut hasher);
    }

    let directory = crate::target_directory().join("tests-programs");
    std::fs::create_dir_all(&directory).expect("a directory for test programs");
    let base = source.file_stem().expect("a source has a name").to_string_lossy().into_owned();
    let result = directory.join(format!("{base}-{:016x}", hasher.finish()));
    if result.exists() {
        return result;
    }
    let unfinished = directory.join(format!("{base}-{}-{:?}", std::process::id(), std::thread::current().id()));
    let [compiler, first @ ..] = language.command() else { unreachable!("a command has a first word") };
    let output = Command::new(compiler)
        .args(first)
        .arg(&source)
        .args(options)
        .args(language.libraries())
        .arg("-o")
        .arg(&unfinished)
        .output()
        .unwrap_or_else(|error| panic!("{compiler}: {error}"));
    assert!(
        output.status.success(),
        "{compiler} failed for {}:\n{}",
        source.display(),
        String::from_utf8_lossy(&output.stderr)
    );
    std::fs::rename(&unfinished, &result).expect("renaming a built program");
    result
}
