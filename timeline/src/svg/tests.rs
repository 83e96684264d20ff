//! The picture is well-formed XML, shows what it should, and does not grow without bound.

use crate::Format;
use crate::event::{Cause, Kind, Recording};
use crate::testing::{Events, fails_when_full, rendered, two_threads};
use roxmltree::Document;

/// All texts that are seen.
fn texts(svg: &str) -> Vec<String> {
    let document = Document::parse(svg).expect("well-formed XML");
    let texts = document.descendants().filter(|node| node.has_tag_name("text"));
    let own =
        |node: roxmltree::Node| node.children().filter_map(|child| child.text().filter(|_| child.is_text())).collect();
    texts.map(own).collect()
}

fn has(texts: &[String], part: &str) -> bool {
    texts.iter().any(|text| text.contains(part))
}

/// So many threads, of which each sleeps and runs in turn, `rounds` times.
fn many(threads: u32, rounds: u64) -> Events {
    let mut events = Events::default();
    let mut time = 0;
    events.runs(0, 0);
    for thread in 1..threads {
        events.made(0, thread, 5_000_000 + thread, 0).named(0, thread, b"sleeper");
    }
    for _ in 0..rounds {
        for thread in 0..threads {
            time += 10;
            events.runs(time, thread).parked(time + 4, thread, Cause::Sleep, 0);
        }
    }
    events
}

#[test]
fn names_states_and_counts_are_seen() {
    let recorded = two_threads(b"worker");
    let mut recording = recorded.recording(200);
    recording.end = "signal 11";
    let svg = rendered(Format::Svg, &recording);
    let texts = texts(&svg);
    for part in ["a program", "2 threads, 200 µs, 4 switches; process 4242 ended by signal 11", "main", "worker", "I/O"]
    {
        assert!(has(&texts, part), "no {part}: {texts:?}");
    }
    assert!(has(&texts, "lock 0x7f00"), "a wide bar says what it stands for: {texts:?}");
    assert!(!has(&texts, "helper"), "the legend has only what occurs");
    assert!(!has(&texts, "dropped") && !has(&texts, "more thread"));
    assert_eq!(svg.matches("class=\"wake\"").count(), 2);
    assert!(svg.contains("prefers-color-scheme: dark") && !svg.contains("http://www.w3.org/1999"));
    for mark in ["0 µs", "20 µs", "200 µs"] {
        assert!(has(&texts, mark), "no {mark}: {texts:?}");
    }
}

#[test]
fn marks_have_as_many_decimals_as_they_need() {
    let mut events = Events::default();
    events.runs(0, 0);
    let texts = texts(&rendered(Format::Svg, &events.recording(1_300_000)));
    assert!(has(&texts, "0.2 s") && has(&texts, "1.2 s") && !has(&texts, "0.20 s"), "{texts:?}");
}

#[test]
fn of_many_threads_the_rest_is_shown_together() {
    let mut recorded = many(1000, 2);
    recorded.at(30_000, 777, Kind::Ready, 0).runs(30_000, 777).named(39_000, 777, b"hard worker");
    let texts = texts(&rendered(Format::Svg, &recorded.recording(40_000)));
    assert!(has(&texts, "Shown are the first 100 threads and the 100 that ran most"), "{texts:?}");
    assert!(has(&texts, "and 800 more threads of 1,000, together: sleeping 85 %, ready 15 %"), "{texts:?}");
    assert!(has(&texts, "hard worker"), "it ran most: {texts:?}");
    assert_eq!(texts.iter().filter(|text| *text == "sleeper").count(), 198);
}

#[test]
fn two_hundred_threads_have_a_row_each() {
    let recorded = many(200, 2);
    let texts = texts(&rendered(Format::Svg, &recorded.recording(5_000)));
    assert_eq!(texts.iter().filter(|text| *text == "sleeper").count(), 199);
    assert!(!has(&texts, "more thread"));
}

#[test]
fn the_size_is_bounded() {
    let few = rendered(Format::Svg, &many(20, 10_000).recording(2_100_000));
    assert!(few.len() < 400_000, "{}", few.len());
    let many = rendered(Format::Svg, &many(400, 1_000).recording(4_100_000));
    assert!(many.len() < 4_000_000, "{}", many.len());
    Document::parse(&many).expect("well-formed XML");
}

#[test]
fn what_is_dropped_is_told() {
    let recorded = two_threads(b"worker");
    let mut recording: Recording = recorded.recording(200);
    recording.dropped = 7_000_000;
    assert!(has(&texts(&rendered(Format::Svg, &recording)), "7,000,000 older events were dropped"));
}

#[test]
fn any_name_is_text() {
    for name in [b"</svg>\"&<!--".as_slice(), b"]]>\x01\x1f\n", b"\xff\xfe\xc3", b"\xef\xbf\xbf"] {
        let recorded = two_threads(name);
        let mut recording = recorded.recording(200);
        recording.program = "a <program> & \"more\"\u{1}";
        recording.end = "<end>";
        assert!(has(&texts(&rendered(Format::Svg, &recording)), "a <program> & \"more\"\u{2401}"));
    }
    let mut events = Events::default();
    events.made(0, 1, 5, u32::MAX.into()).at(0, 1, Kind::Spawned, 1).runs(0, 1);
    assert!(has(&texts(&rendered(Format::Svg, &events.recording(9))), "</script>\"&()"));
}

#[test]
fn a_recording_of_nothing_is_a_picture() {
    assert!(has(&texts(&rendered(Format::Svg, &Events::default().recording(0))), "0 threads"));
}

#[test]
fn a_full_disk_is_told() {
    fails_when_full(Format::Svg, &two_threads(b"worker").recording(200), 100);
}
