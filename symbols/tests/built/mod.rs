//! Builds small objects with the machine's compilers, in a directory that goes away, and asks for their functions.

// Each test file uses some of this.
#![allow(dead_code, reason = "every test file is a crate of its own and uses a part")]

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use grivet_symbols::{FindError, Function, ObjectFile, find, parse_rule};
use tempfile::TempDir;

/// A directory of sources and what was built of them.
pub struct Workshop(TempDir);

impl Workshop {
    pub fn new() -> Self {
        Workshop(TempDir::new().unwrap())
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.path(name)).unwrap()
    }

    pub fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
    }

    /// Runs a command line in the directory; words are parted by spaces. It must succeed.
    pub fn run(&self, line: &str) {
        let mut words = line.split_ascii_whitespace();
        let output = Command::new(words.next().unwrap()).args(words).current_dir(self.0.path()).output().unwrap();
        assert!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
    }

    /// Compiles a C program without its debug information.
    pub fn c(&self, text: &str) -> Vec<u8> {
        self.write("a.c", text);
        self.run("cc -O1 -o a a.c");
        self.read("a")
    }

    /// Compiles a C++ program.
    pub fn cpp(&self, text: &str) -> Vec<u8> {
        self.write("a.cc", text);
        self.run("c++ -std=c++17 -O1 -o a a.cc");
        self.read("a")
    }
}

/// The program itself.
pub fn program(bytes: &[u8]) -> ObjectFile<'_> {
    ObjectFile { name: "/opt/app", bytes, debug: None, is_program: true }
}

/// A library of the program.
pub fn library<'a>(name: &'a str, bytes: &'a [u8]) -> ObjectFile<'a> {
    ObjectFile { name, bytes, debug: None, is_program: false }
}

pub fn found(rule: &str, objects: &[ObjectFile<'_>]) -> Result<Vec<Function>, FindError> {
    find(&parse_rule(rule).unwrap(), objects)
}

/// The names of what `rule` means; it must mean something.
pub fn names(rule: &str, objects: &[ObjectFile<'_>]) -> Vec<String> {
    found(rule, objects).unwrap_or_else(|error| panic!("{error}")).into_iter().map(|function| function.name).collect()
}

/// The message for a `rule` that means nothing.
pub fn message(rule: &str, objects: &[ObjectFile<'_>]) -> String {
    found(rule, objects).expect_err("a function was found").to_string()
}
