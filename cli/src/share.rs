//! `grivet share`: the files that an installation holds besides the command and the library, all made from the command
//! line's own description: man pages and completions for shells, each in its place below a `share` folder.

use std::fs;
use std::path::Path;

use clap::CommandFactory;
use clap_complete::Shell;

use crate::options::Options;
use crate::status::{Refusal, Status};
use crate::{library_page, man};

/// Where shells look for the completions of `grivet`.
const COMPLETIONS: [(Shell, &str); 3] = [
    (Shell::Bash, "bash-completion/completions/grivet"),
    (Shell::Zsh, "zsh/site-functions/_grivet"),
    (Shell::Fish, "fish/vendor_completions.d/grivet.fish"),
];

/// Writes all files below `folder`.
pub fn write(folder: &Path) -> Result<(), Refusal> {
    let place = |name: &str, content: &[u8]| {
        let path = folder.join(name);
        let folder = path.parent().unwrap_or(folder);
        fs::create_dir_all(folder)
            .and_then(|()| fs::write(&path, content))
            .map_err(|error| Refusal::of(Status::Usage, &path, format_args!("cannot be written ({error})")))
    };
    place("man/man1/grivet.1", &man::page(None)?)?;
    for command in Options::command().get_subcommands().filter(|command| !command.is_hide_set()) {
        let name = command.get_name();
        place(&format!("man/man1/grivet-{name}.1"), &man::page(Some(name))?)?;
    }
    place("man/man7/libgrivet.7", library_page::page().as_bytes())?;
    COMPLETIONS.iter().try_for_each(|&(shell, name)| place(name, &completions(shell)))
}

/// The completion script of one shell.
pub fn completions(shell: Shell) -> Vec<u8> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Options::command(), "grivet", &mut script);
    script
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_page_and_completion_has_its_place() {
        let folder = tempfile::tempdir().expect("a folder");
        write(folder.path()).expect("written");
        let read = |name: &str| fs::read_to_string(folder.path().join(name)).expect(name);
        assert!(read("man/man1/grivet-run.1").contains("GRIVET_STATS"));
        assert!(read("man/man1/grivet.1").contains("libgrivet"));
        assert!(read("man/man7/libgrivet.7").contains("GRIVET_POLLER"));
        for (_, name) in COMPLETIONS {
            assert!(read(name).contains("check"), "{name}");
        }
    }

    #[test]
    fn a_folder_that_cannot_be_written_is_named() {
        let refusal = write(Path::new("/dev/null/share")).expect_err("refused");
        assert!(
            refusal.message.starts_with("/dev/null/share/man/man1/grivet.1: cannot be written"),
            "{}",
            refusal.message
        );
    }
}
