//! The renderers' files, of a made-up recording (timeline/examples/synthetic.rs), in a real browser: the page and the
//! picture show something, the page makes no error, and searching, zooming, hovering and the legend do what they should.

use grivet_tests::{programs_directory, target_directory};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::LazyLock;

/// Colours of states on a light ground (timeline/src/state.rs).
const RUNNING: [u8; 3] = [0x1a, 0x7f, 0x37];
const SLEEPING: [u8; 3] = [0xc4, 0xcf, 0xdb];
const LOCK: [u8; 3] = [0xff, 0x81, 0x82];
const FILE: [u8; 3] = [0x80, 0xcc, 0xff];
/// The same of what runs, on a dark one.
const RUNNING_DARK: [u8; 3] = [0x3f, 0xb9, 0x50];

const LIGHT: &str = "--blink-settings=preferredColorScheme=1";
const DARK: &str = "--blink-settings=preferredColorScheme=0";

/// The folder with the three files, made once.
fn files() -> &'static Path {
    static FILES: LazyLock<PathBuf> = LazyLock::new(|| {
        let directory = target_directory().join("timeline");
        std::fs::create_dir_all(&directory).expect("a folder");
        let directory = directory.canonicalize().expect("its path");
        let repository = programs_directory().ancestors().nth(2).expect("the repository's folder").to_path_buf();
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let mut command = Command::new(cargo);
        command.args(["run", "--locked", "-p", "grivet-timeline", "--example", "synthetic", "--manifest-path"]);
        command.arg(repository.join("Cargo.toml")).arg("--target-dir").arg(target_directory());
        let output = command.arg("--").arg(&directory).output().expect("cargo");
        assert!(output.status.success(), "{command:?}:\n{}", String::from_utf8_lossy(&output.stderr));
        directory
    });
    &FILES
}

/// Runs the browser on a file; what it prints. `name` keeps browsers of other tests apart.
fn chromium(name: &str, options: &[&str], file: &str) -> String {
    let profile = files().join(format!("profile-{name}"));
    let mut command = Command::new("timeout");
    command.args(["-s", "KILL", "90", "chromium", "--headless=new", "--no-sandbox", "--disable-gpu"]);
    command.args(["--disable-dev-shm-usage", "--hide-scrollbars", "--window-size=1200,800"]).args(options);
    command.arg(format!("--user-data-dir={}", profile.display()));
    command.arg(format!("file://{}/{file}", files().display())).stdin(Stdio::null());
    let output = command.output().expect("chromium");
    let _ = std::fs::remove_dir_all(profile);
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// A picture of the file as the browser shows it.
struct Screenshot(Vec<[u8; 3]>);

impl Screenshot {
    fn of(name: &str, scheme: &str, file: &str) -> Screenshot {
        let path = files().join(format!("{name}.png"));
        chromium(name, &[scheme, &format!("--screenshot={}", path.display())], file);
        let file = std::fs::read(&path).expect("a screenshot");
        let header = minipng::decode_png_header(&file).expect("a PNG file");
        let mut bytes = vec![0; header.required_bytes_rgba8bpc()];
        let mut image = minipng::decode_png(&file, &mut bytes).expect("its pixels");
        image.convert_to_rgba8bpc().expect("room for colours");
        Screenshot(image.pixels().chunks(4).map(|pixel| [pixel[0], pixel[1], pixel[2]]).collect())
    }

    /// How much of it has this colour, in per cent.
    fn share(&self, colour: [u8; 3]) -> f64 {
        let count = self.0.iter().filter(|pixel| **pixel == colour).count();
        count as f64 * 100.0 / self.0.len() as f64
    }

    /// The threads wait for files most of the time and some only sleep; they take short turns at a lock, and run little.
    fn shows_the_threads(&self) {
        let [running, sleeping, lock, file] = [RUNNING, SLEEPING, LOCK, FILE].map(|colour| self.share(colour));
        let shares = format!("running {running} %, sleeping {sleeping} %, lock {lock} %, I/O {file} %");
        assert!((0.1..5.0).contains(&running), "{shares}");
        assert!((3.0..20.0).contains(&sleeping), "{shares}");
        assert!((0.2..5.0).contains(&lock), "{shares}");
        assert!((12.0..40.0).contains(&file), "{shares}");
        assert!(sleeping > 2.0 * lock && file > sleeping, "{shares}");
    }
}

/// The page's document after its scripts have run.
fn document(name: &str, file: &str) -> String {
    let document = chromium(name, &["--dump-dom"], file);
    assert!(document.contains("data-ready=\"yes\""), "{}", text_of(&document, "error"));
    assert_eq!(text_of(&document, "error"), "");
    document
}

/// What is in the element of this id.
fn text_of<'a>(document: &'a str, id: &str) -> &'a str {
    let after = document.split_once(&format!(" id=\"{id}\"")).map(|(_, after)| after);
    let inside = after.and_then(|after| after.split_once('>')).map(|(_, inside)| inside);
    inside.and_then(|inside| inside.split_once("</")).unwrap_or_else(|| panic!("no {id}: {document}")).0
}

#[test]
fn the_page_shows_the_threads() {
    Screenshot::of("page", LIGHT, "synthetic.html").shows_the_threads();
}

#[test]
fn the_picture_shows_the_threads() {
    Screenshot::of("picture", LIGHT, "synthetic.svg").shows_the_threads();
}

#[test]
fn both_have_dark_colours() {
    for (name, file) in [("dark-page", "synthetic.html"), ("dark-picture", "synthetic.svg")] {
        let screenshot = Screenshot::of(name, DARK, file);
        let [light, dark, white] = [RUNNING, RUNNING_DARK, [255; 3]].map(|colour| screenshot.share(colour));
        assert!(dark > 0.1 && light == 0.0 && white < 10.0, "{name}: dark {dark} %, light {light} %, white {white} %");
    }
}

#[test]
fn the_page_says_what_it_is_about() {
    let document = document("summary", "synthetic.html");
    let summary = text_of(&document, "summary");
    assert!(summary.starts_with("26 threads, 225 ms, "), "{summary}");
    assert!(summary.ends_with("switches; process 4242 ended by signal 11"), "{summary}");
    assert_eq!(text_of(&document, "found"), "");
}

#[test]
fn the_address_can_say_what_is_searched_for() {
    for (name, text, found) in [
        ("by-name", "worker", "6 of 26 threads"),
        ("by-id", "4194309", "1 of 26 threads"),
        ("by-function", "FETCH()", "3 of 26 threads"),
        ("by-lock", "0x7f3a5c001040", "20 of 26 threads"),
        ("by-file", "fd%2014%20(TCP)", "1 of 26 threads"),
        ("hostile-name", "%3C/script%3E%22%26", "1 of 26 threads"),
        ("nothing", "no%20such%20thing", "0 of 26 threads"),
    ] {
        assert_eq!(text_of(&document(name, &format!("synthetic.html#search={text}")), "found"), found, "{name}");
    }
}

/// Pointer, wheel and keys, by a script at the page's end.
#[test]
fn the_page_can_be_used() {
    let script = include_str!("../programs/timeline/use_page.js");
    let script = format!("<p id=\"used\"></p><script>{script}</script></body>");
    let page = std::fs::read_to_string(files().join("synthetic.html")).expect("the page");
    std::fs::write(files().join("used.html"), page.replace("</body>", &script)).expect("a file");
    let document = document("used", "used.html");
    let used = text_of(&document, "used");
    assert!(used.contains("works") && !used.contains("FAILS"), "{used}");
}
