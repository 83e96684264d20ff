"""Draws what programs printed with the seconds since their start, as an SVG file: one panel a run, one bar a task.

The lines understood are those of demo-bin/sequential_tasks: `[0.00 s] A starts`, `[2.00 s] A finishes`, `Total 4.00 s`.
All runs share one time axis, so that the shorter one is seen to be shorter. The picture carries its own background and
both sets of colours; which one shows is up to the reader's light or dark setting.
"""

import re
from dataclasses import dataclass
from html import escape

WIDTH, MARGIN = 800, 24
LEFT, RIGHT = 192, WIDTH - 40  # where the time axis begins and ends
LANE, BAR = 36, 26  # heights
HEADING, GAP = 58, 22  # above a panel's lanes, and below them

# Plain rules for each class, no CSS variables: not every viewer knows those.
COLOURS = """
  .paper {{ fill: {paper}; stroke: {edge} }} .grid {{ stroke: {edge} }}
  text {{ fill: {ink} }} .faint {{ fill: {faint} }} .on-bar {{ fill: {paper} }}
  .task-1 {{ fill: {blue} }} .task-2 {{ fill: {green} }} .task-3 {{ fill: {purple} }}
  .end {{ stroke: {orange} }} .dot, .total {{ fill: {orange} }}
"""
LIGHT = dict(paper="#ffffff", edge="#d0d7de", ink="#1f2328", faint="#59636e")
LIGHT |= dict(blue="#0969da", green="#1a7f37", purple="#8250df", orange="#bc4c00")
DARK = dict(paper="#0d1117", edge="#30363d", ink="#f0f6fc", faint="#9198a1")
DARK |= dict(blue="#4493f8", green="#3fb950", purple="#ab7df8", orange="#f0883e")
SANS = 'system-ui, -apple-system, "Segoe UI", "DejaVu Sans", sans-serif'
MONO = 'ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace'
STYLE = f"""
  text {{ font: 14px {SANS} }} .heading {{ font: 600 17px {SANS} }} .code, .lane {{ font: 13px {MONO} }}
  .on-bar, .total {{ font-weight: 600 }} .end {{ stroke-width: 2 }}
{COLOURS.format(**LIGHT)}
  @media (prefers-color-scheme: dark) {{ {COLOURS.format(**DARK)} }}
"""


@dataclass
class Panel:
    """One run: what it is called, the command, and the lines that it printed."""

    heading: str
    command: str
    lines: list[str]

    def bars(self):
        """The name, start and end of each task, in the order in which they start."""
        bars = {}
        for line in self.lines:
            if found := re.match(r"\[([\d.]+) s\] (.+) (starts|finishes)$", line):
                seconds, name, what = float(found[1]), found[2], found[3]
                start = seconds if what == "starts" else bars[name][0]
                bars[name] = (start, seconds)
        return [(name, start, end) for name, (start, end) in bars.items()]

    def total(self):
        """When the program reported; None if it did not."""
        found = [re.match(r"Total ([\d.]+) s$", line) for line in self.lines]
        return next((float(one[1]) for one in found if one), None)

    def height(self):
        return HEADING + LANE * (len(self.bars()) + 1) + GAP


def svg(panels, lane="{}", last_lane=""):
    """The picture of `panels`. `lane` says how a task's name is written, `last_lane` what the total's lane is called."""
    totals = [panel.total() for panel in panels]
    longest = max(max(totals), 1e-9)
    height = 2 * MARGIN + sum(panel.height() for panel in panels) + 8
    summary = ", ".join(f"{panel.heading} {total:.2f} s" for panel, total in zip(panels, totals))

    def at(seconds):
        return LEFT + (RIGHT - LEFT) * seconds / longest

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" '
        f'role="img" aria-label="{escape(summary)}">',
        f"<title>{escape(summary)}</title>",
        f"<style>{STYLE}</style>",
        f'<rect class="paper" x="0.5" y="0.5" width="{WIDTH - 1}" height="{height - 1}" rx="8"/>',
    ]
    top = MARGIN
    for panel, total in zip(panels, totals):
        parts += panel_parts(panel, total, top, at, longest, lane, last_lane)
        top += panel.height()
    for second in range(int(longest) + 1):
        parts.append(f'<text class="faint" x="{at(second):.1f}" y="{top + 4}" text-anchor="middle">{second} s</text>')
    return "\n".join([*parts, "</svg>\n"])


def panel_parts(panel, total, top, at, longest, lane, last_lane):
    """The elements of one panel, whose upper edge is at `top`."""
    lanes = top + HEADING
    bars = panel.bars()
    bottom = lanes + LANE * (len(bars) + 1)
    parts = [
        f'<text class="heading" x="{MARGIN}" y="{top + 18}">{escape(panel.heading)}</text>',
        f'<text class="code faint" x="{MARGIN}" y="{top + 40}">$ {escape(panel.command)}</text>',
    ]
    for second in range(int(longest) + 1):
        x = f"{at(second):.1f}"
        parts.append(f'<line class="grid" x1="{x}" y1="{lanes}" x2="{x}" y2="{bottom}"/>')
    for place, (name, start, end) in enumerate(bars):
        y = lanes + LANE * place
        middle = y + LANE / 2 + 5
        parts += [
            f'<text class="lane" x="{LEFT - 12}" y="{middle}" text-anchor="end">{escape(lane.format(name))}</text>',
            f'<rect class="task-{place % 3 + 1}" x="{at(start):.1f}" y="{y + (LANE - BAR) / 2}" '
            f'width="{at(end) - at(start):.1f}" height="{BAR}" rx="4"/>',
            f'<text class="on-bar" x="{at((start + end) / 2):.1f}" y="{middle}" text-anchor="middle">'
            f"{escape(name)} waits {end - start:.2f} s</text>",
        ]
    y = lanes + LANE * len(bars) + LANE / 2
    x = at(total)
    side, anchor = (-12, "end") if x > (LEFT + RIGHT) / 2 + 1 else (12, "start")
    parts += [
        f'<text class="lane" x="{LEFT - 12}" y="{y + 5}" text-anchor="end">{escape(last_lane)}</text>',
        f'<line class="end" x1="{x:.1f}" y1="{lanes}" x2="{x:.1f}" y2="{y}"/>',
        f'<circle class="dot" cx="{x:.1f}" cy="{y}" r="5"/>',
        f'<text class="total" x="{x + side:.1f}" y="{y + 5}" text-anchor="{anchor}">Total {total:.2f} s</text>',
    ]
    return parts
