//! What of the picture is known before the events are gone through: the title, what is to be said of the whole, the
//! legend, the names of the rows, how much each thread ran, and the time axis.

use super::ARROWS;
use super::layout::{BAND, COLUMNS, LEFT, Layout, MARGIN, REST, WIDTH, states, step};
use crate::Failed;
use crate::event::Recording;
use crate::out::Out;
use crate::state::{STATES, State};
use crate::tracks::Tracks;
use crate::words::{self, Count, Share, unit_of};

/// The colours of paper, lines, text, and faint text: on a light and on a dark ground.
const GROUND: [[&str; 4]; 2] =
    [["#ffffff", "#d0d7de", "#1f2328", "#59636e"], ["#0d1117", "#30363d", "#f0f6fc", "#9198a1"]];
const SANS: &str = "system-ui, -apple-system, \"Segoe UI\", \"DejaVu Sans\", sans-serif";
const MONO: &str = "ui-monospace, SFMono-Regular, Menlo, Consolas, \"DejaVu Sans Mono\", monospace";

pub fn write(recording: &Recording, tracks: &Tracks, layout: &Layout, out: &mut Out) -> Result<(), Failed> {
    let (height, program) = (layout.height, recording.program.as_bytes());
    out.format(format_args!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" width=\"{WIDTH}\" \
         height=\"{height}\" role=\"img\">\n<title>"
    ));
    out.xml(program);
    out.text(": ");
    out.bytes(words::summary(tracks).get());
    out.text("</title>\n");
    style(layout, out);
    out.format(format_args!(
        "<rect class=\"paper\" x=\"0.5\" y=\"0.5\" width=\"{}\" height=\"{}\" rx=\"8\"/>\n",
        WIDTH - 1,
        height - 1
    ));
    out.format(format_args!("<text class=\"heading\" x=\"{MARGIN}\" y=\"36\">"));
    out.xml(program);
    out.format(format_args!("</text>\n<text x=\"{MARGIN}\" y=\"58\">"));
    out.bytes(words::summary(tracks).get());
    out.format(format_args!("; process {} ", recording.pid));
    out.xml(words::end(recording).get());
    out.text("</text>\n");
    if layout.has_remarks {
        remarks(recording, tracks, layout, out);
    }
    legend(tracks, layout, out);
    axis(tracks, layout, out);
    rows(recording, tracks, layout, out)
}

/// Plain rules for each class, no CSS variables: not every viewer knows those.
fn style(layout: &Layout, out: &mut Out) {
    let size = match layout.row_height {
        12 => 10,
        16 => 11,
        _ => 12,
    };
    out.format(format_args!(
        "<style>\n  text {{ font: 13px {SANS} }} .heading {{ font: 600 17px {SANS} }} .small {{ font: 12px {SANS} }}\n  \
         .row, .bar {{ font: {size}px {MONO} }} .bar {{ font-size: 11px }} .end {{ text-anchor: end }} \
         .middle {{ text-anchor: middle }}\n  .run {{ fill: none; stroke-width: {}; shape-rendering: crispEdges }} \
         .area {{ shape-rendering: crispEdges }}\n  .wake {{ fill: none; stroke-width: 1 }} .wake, .woken {{ opacity: 0.5 }}\n",
        layout.bar_height,
    ));
    for (ground, [paper, edge, ink, faint]) in GROUND.iter().enumerate() {
        let is_dark = ground == 1;
        out.text(if is_dark { "  @media (prefers-color-scheme: dark) {\n" } else { "" });
        out.format(format_args!(
            "  .paper {{ fill: {paper}; stroke: {edge} }} .grid {{ stroke: {edge} }} text, .bar {{ fill: {ink} }} \
             .small {{ fill: {faint} }} .bar.on-running, .bar.on-kernel {{ fill: {paper} }} .wake {{ stroke: {ink} }} .woken {{ fill: {ink} }}\n"
        ));
        for state in STATES {
            let [light, dark] = state.colours();
            let (class, colour) = (state.class(), if is_dark { dark } else { light });
            out.format(format_args!("  .run.{class} {{ stroke: {colour} }} .area.{class} {{ fill: {colour} }}\n"));
        }
    }
    out.text("  }\n</style>\n");
}

/// What is missing in the picture.
fn remarks(recording: &Recording, tracks: &Tracks, layout: &Layout, out: &mut Out) {
    out.format(format_args!("<text class=\"small\" x=\"{MARGIN}\" y=\"77\">"));
    let mut separator = "";
    if let Some(dropped) = words::dropped(recording, tracks) {
        out.bytes(dropped.get());
        separator = ". ";
    }
    if layout.hidden > 0 {
        let half = layout.shown.len() / 2;
        out.format(format_args!("{separator}Shown are the first {half} threads and the {half} that ran most"));
        separator = ". ";
    }
    if tracks.wakes > ARROWS {
        out.format(format_args!("{separator}{} wake-ups are not drawn", Count(tracks.wakes)));
    }
    out.text("</text>\n");
}

fn legend(tracks: &Tracks, layout: &Layout, out: &mut Out) {
    let mut x = LEFT;
    let y = layout.legend_top;
    for state in states(tracks) {
        out.format(format_args!("<g><title>{}</title>", state.meaning()));
        out.format(format_args!(
            "<rect class=\"area {}\" x=\"{x}\" y=\"{}\" width=\"12\" height=\"12\"/>",
            state.class(),
            y - 1
        ));
        out.format(format_args!("<text x=\"{}\" y=\"{}\">{}</text></g>\n", x + 18, y + 10, state.name()));
        x += 18 + 8 * state.name().len() as u64 + 20;
    }
}

fn axis(tracks: &Tracks, layout: &Layout, out: &mut Out) {
    let step = step(tracks.duration);
    let (unit, unit_name) = unit_of(tracks.duration);
    let (top, bottom) = (layout.process_top, layout.axis - 14);
    let mut time = 0u64;
    while time <= tracks.duration {
        let x = layout.x(time);
        out.format(format_args!("<path class=\"grid\" d=\"M{x}.5 {top}V{bottom}\"/>"));
        out.format(format_args!("<text class=\"small middle\" x=\"{x}\" y=\"{}\">{}", layout.axis, time / unit));
        let (mut rest, mut digit) = (time % unit, unit / 10);
        if step < unit {
            out.text(".");
            while digit > 0 && digit.saturating_mul(10) > step {
                out.number(rest / digit);
                (rest, digit) = (rest % digit, digit / 10);
            }
        }
        out.format(format_args!(" {unit_name}</text>\n"));
        time = time.saturating_add(step);
        if time == u64::MAX {
            break;
        }
    }
}

fn rows(recording: &Recording, tracks: &Tracks, layout: &Layout, out: &mut Out) -> Result<(), Failed> {
    let right = LEFT + COLUMNS + 52;
    let process = layout.process_top + BAND / 2 + 4;
    let total = tracks.total.get(State::Running) + tracks.total.get(State::Kernel);
    let at = LEFT - 12;
    out.format(format_args!("<text class=\"row end\" x=\"{at}\" y=\"{process}\">all threads</text>"));
    let share = Share(total, layout.duration);
    out.format(format_args!("<text class=\"row end\" x=\"{right}\" y=\"{process}\">{share}</text>\n"));
    out.format(format_args!("<text class=\"small end\" x=\"{right}\" y=\"{}\">runs</text>\n", layout.legend_top + 10));
    for (row, &number) in layout.shown.iter().enumerate() {
        let Some(track) = tracks.get(number) else { continue };
        let y = layout.row_middle(row) + if layout.row_height == 24 { 4 } else { 3 };
        out.format(format_args!("<text class=\"row end\" x=\"{at}\" y=\"{y}\"><title>"));
        let label = track.label(recording);
        out.xml(label.get());
        out.format(format_args!(", thread {}</title>", track.tid));
        let (shown, is_cut) = label.first(23);
        out.xml(shown);
        out.text(if is_cut { "…</text>" } else { "</text>" });
        let share = Share(track.ran, layout.duration);
        out.format(format_args!("<text class=\"row end\" x=\"{right}\" y=\"{y}\">{share}</text>\n"));
        out.check()?;
    }
    if layout.hidden > 0 {
        let y = layout.rest_top + REST / 2 + 4;
        out.format(format_args!("<text class=\"row end\" x=\"{at}\" y=\"{y}\">the others</text>\n"));
    }
    Ok(())
}
