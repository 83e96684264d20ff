//! No test program is forgotten: each source under `programs` is named by some test.

use grivet_tests::programs_directory;
use std::path::Path;

#[test]
fn every_program_is_run_by_a_test() {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("end_to_end");
    let files = read_directory(&tests)
        .into_iter()
        .flat_map(|path| if path.is_dir() { read_directory(&path) } else { vec![path] });
    let tests: String = files.map(|file| std::fs::read_to_string(file).expect("a test")).collect();
    let words: Vec<&str> = tests.split(|letter: char| !letter.is_alphanumeric() && letter != '_').collect();
    let mut forgotten = Vec::new();
    for directory in read_directory(&programs_directory()).iter().filter(|path| path.is_dir()) {
        for program in read_directory(directory) {
            let name = program.file_stem().expect("a name").to_string_lossy().into_owned();
            let is_header = program.extension().is_some_and(|extension| extension == "h");
            if !is_header && !words.contains(&name.as_str()) {
                forgotten.push(program);
            }
        }
    }
    assert_eq!(forgotten, Vec::<std::path::PathBuf>::new());
}

fn read_directory(directory: &Path) -> Vec<std::path::PathBuf> {
    std::fs::read_dir(directory).expect("a directory").map(|entry| entry.expect("an entry").path()).collect()
}
