"use strict";
// Draws the view into the canvas: the names, the time axis, a strip that shows the whole time and which part of it is
// seen, the rows that are seen, and wake-ups of the slice that is pointed at. Only what is seen is looked at, and of what
// lies within one pixel only the longest, so that it does not matter how much there is.

const STRIP = 34, AXIS = 22, TOP = STRIP + AXIS, NAMES = 210, ROW = 20, BAR = 14, SCROLLBAR = 12;
const MOST_ARROWS = 200;

class View {
  constructor(canvas, recording) {
    this.canvas = canvas;
    this.recording = recording;
    this.context = canvas.getContext("2d");
    this.rows = null; // the tracks that are shown, null: all
    this.search = null; // what was searched for (search.js)
    this.hidden = new Set(); // states
    this.from = 0;
    this.to = recording.duration;
    this.scrolled = 0; // in rows
    this.hovered = null; // {track, slice}
    this.kept = null;
    this.asked = false;
  }

  get rowCount() { return this.rows ? this.rows.length : this.recording.count; }
  get plotWidth() { return Math.max(this.width - NAMES - SCROLLBAR, 1); }
  get rowsSeen() { return Math.max((this.height - TOP) / ROW, 1); }
  trackOf(row) { return this.rows ? this.rows[row] : row; }
  timeAt(x) { return this.from + (x - NAMES) / this.plotWidth * (this.to - this.from); }
  xOf(time) { return NAMES + (time - this.from) / (this.to - this.from) * this.plotWidth; }
  yOf(row) { return TOP + (row - this.scrolled) * ROW; }

  rowOf(track) {
    if (!this.rows) return track;
    let low = 0, high = this.rows.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.rows[middle] < track) low = middle + 1;
      else high = middle;
    }
    return this.rows[low] === track ? low : -1;
  }

  // What is at this place of the canvas: {track, slice}, the slice -1 beside all; or null.
  under(x, y) {
    const row = Math.floor(this.scrolled + (y - TOP) / ROW);
    if (y < TOP || row < 0 || row >= this.rowCount || x >= NAMES + this.plotWidth) return null;
    const track = this.trackOf(row);
    if (x < NAMES) return { track, slice: -1 };
    // A slice narrower than the pointer is easier to meet if it is looked for around it.
    const reach = (this.to - this.from) / this.plotWidth;
    let slice = this.recording.find(track, this.timeAt(x));
    if (slice < 0) slice = this.recording.find(track, this.timeAt(x) - reach);
    if (slice >= 0 && this.hidden.has(this.recording.states[slice])) slice = -1;
    return { track, slice };
  }

  // Shows this time and these rows, as far as there are such.
  show(from, to, scrolled = this.scrolled) {
    const length = Math.min(Math.max(to - from, 20), this.recording.duration);
    this.from = Math.min(Math.max((from + to - length) / 2, 0), this.recording.duration - length);
    this.to = this.from + length;
    this.scrolled = Math.max(Math.min(scrolled, this.rowCount - this.rowsSeen + 1), 0);
    this.ask();
  }

  zoom(factor, x = NAMES + this.plotWidth / 2) {
    const time = this.timeAt(x);
    const length = Math.min(Math.max((this.to - this.from) * factor, 20), this.recording.duration);
    const from = time - (x - NAMES) / this.plotWidth * length;
    this.show(from, from + length);
  }

  pan(x, rows) {
    const time = x / this.plotWidth * (this.to - this.from);
    this.show(this.from + time, this.to + time, this.scrolled + rows);
  }

  // Draws soon, once for all changes until then.
  ask() {
    if (this.asked) return;
    this.asked = true;
    requestAnimationFrame(() => { this.asked = false; this.draw(); });
  }

  resize() {
    const ratio = devicePixelRatio || 1, box = this.canvas.getBoundingClientRect();
    this.width = box.width;
    this.height = box.height;
    this.canvas.width = Math.round(box.width * ratio);
    this.canvas.height = Math.round(box.height * ratio);
    this.context.setTransform(ratio, 0, 0, ratio, 0, 0);
    this.load = this.recording.load(Math.max(Math.floor(this.plotWidth), 1));
    this.colours();
    this.show(this.from, this.to);
    this.draw();
  }

  // From the style sheet, for light or dark.
  colours() {
    const style = getComputedStyle(document.documentElement);
    const colour = (name) => style.getPropertyValue(`--${name}`).trim();
    this.states = this.recording.about.states.map(([, name]) => colour(name));
    for (const name of ["paper", "edge", "ink", "faint", "raised", "accent", "mono"]) this[name] = colour(name);
  }

  draw() {
    const { context, width, height } = this;
    context.fillStyle = this.paper;
    context.fillRect(0, 0, width, height);
    context.font = `12px ${this.mono}`;
    context.textBaseline = "middle";
    this.drawAxis();
    this.clipped(0, TOP, NAMES + this.plotWidth, height - TOP, () => {
      const last = Math.min(Math.ceil(this.scrolled + this.rowsSeen), this.rowCount);
      for (let row = Math.floor(this.scrolled); row < last; row++) this.drawRow(this.trackOf(row), this.yOf(row));
      this.drawArrows(this.kept ?? this.hovered);
    });
    this.drawStrip();
    this.drawScrollbar();
  }

  clipped(x, y, width, height, draw) {
    this.context.save();
    this.context.beginPath();
    this.context.rect(x, y, width, height);
    this.context.clip();
    draw();
    this.context.restore();
  }

  drawAxis() {
    const { context } = this, step = stepOf((this.to - this.from) / this.plotWidth * 110);
    const [unit, name] = unitOf(this.to);
    const decimals = Math.max(0, Math.ceil(Math.log10(unit / step) - 1e-9));
    context.textAlign = "center";
    for (let at = Math.ceil(this.from / step) * step; at <= this.to; at += step) {
      const x = Math.round(this.xOf(at)) + 0.5;
      context.fillStyle = this.edge;
      context.fillRect(x - 0.5, STRIP + AXIS - 4, 1, this.height);
      context.fillStyle = this.faint;
      context.fillText(`${(at / unit).toFixed(decimals)} ${name}`, x, STRIP + AXIS / 2);
    }
  }

  drawRow(track, y) {
    const { context, recording } = this;
    const isOf = (one) => one?.track === track;
    if (isOf(this.hovered) || isOf(this.kept)) {
      context.fillStyle = this.raised;
      context.fillRect(0, y, NAMES + this.plotWidth, ROW);
    }
    context.fillStyle = this.ink;
    context.textAlign = "right";
    context.fillText(shortened(recording.names[track], 26), NAMES - 10, y + ROW / 2);
    this.clipped(NAMES, y, this.plotWidth, ROW, () => this.drawSlices(track, y + (ROW - BAR) / 2));
  }

  drawSlices(track, y) {
    const { recording } = this, end = recording.first[track + 1], right = NAMES + this.plotWidth;
    const isFaded = (slice) => this.search !== null && !this.search.has(track, slice);
    // Neighbours of the same look are drawn as one.
    let bar = null;
    const add = (state, faded, x, to, slice) => {
      if (bar && bar.state === state && bar.faded === faded && x - bar.to < 0.5) {
        Object.assign(bar, { to: Math.max(bar.to, to), slice: -1 });
        return;
      }
      if (bar) this.drawBar(track, y, bar);
      bar = { state, faded, x, to, slice };
    };
    for (let slice = recording.at(track, this.from); slice < end;) {
      const x = this.xOf(recording.begin(track, slice)), to = this.xOf(recording.ends[slice]);
      if (x >= right) break;
      if (to - x >= 1) {
        add(recording.states[slice], isFaded(slice), x, to, slice);
        slice++;
        continue;
      }
      const beyond = Math.max(recording.at(track, this.timeAt(Math.floor(x) + 1), slice), slice + 1);
      const longest = this.longest(track, slice, beyond);
      if (longest >= 0) add(recording.states[longest], isFaded(longest), Math.floor(x), Math.floor(x) + 1, -1);
      slice = beyond;
    }
    if (bar) this.drawBar(track, y, bar);
  }

  // Of a few of the slices, which are within a pixel, the one to draw, or -1. What is searched for goes first.
  longest(track, from, to) {
    const stride = Math.max(1, Math.floor((to - from) / 32));
    let longest = -1, most = -1;
    for (let slice = from; slice < to; slice += stride) {
      if (this.hidden.has(this.recording.states[slice])) continue;
      let length = this.recording.ends[slice] - this.recording.begin(track, slice);
      if (this.search?.hasWhat(slice)) length += this.recording.duration;
      if (length > most) [longest, most] = [slice, length];
    }
    return longest;
  }

  drawBar(track, y, { state, faded, x, to, slice }) {
    if (this.hidden.has(state)) return;
    const { context } = this, left = Math.max(x, NAMES - 1), right = Math.min(to, NAMES + this.plotWidth + 1);
    context.globalAlpha = faded ? 0.2 : 1;
    context.fillStyle = this.states[state];
    context.fillRect(left, y, Math.max(right - left, 1), BAR);
    const isOne = (one) => one !== null && slice >= 0 && one.track === track && one.slice === slice;
    if (isOne(this.hovered) || isOne(this.kept)) {
      context.strokeStyle = this.ink;
      context.lineWidth = 1.5;
      context.strokeRect(left + 0.75, y - 0.25, Math.max(right - left - 1.5, 0.5), BAR + 0.5);
    }
    const room = Math.floor((right - left - 8) / 6.7);
    const text = slice >= 0 ? this.recording.whats[this.recording.whatOf[slice]] : "";
    if (text && room >= Math.min(text.length, 12)) {
      context.fillStyle = state <= KERNEL ? this.paper : this.ink;
      context.textAlign = "center";
      context.font = `11px ${this.mono}`;
      context.fillText(shortened(text, room), (left + right) / 2, y + BAR / 2 + 0.5);
      context.font = `12px ${this.mono}`;
    }
    context.globalAlpha = 1;
  }

  // From the one that woke to the one that was woken.
  drawArrows(one) {
    if (!one || one.slice < 0) return;
    const waker = this.recording.waker(one.track, one.slice);
    if (waker) this.drawArrow(waker[0], one.track, waker[1]);
    if (this.recording.states[one.slice] > KERNEL) return;
    for (const [track, time] of this.recording.woken(one.track, one.slice, MOST_ARROWS)) this.drawArrow(one.track, track, time);
  }

  drawArrow(fromTrack, toTrack, time) {
    const from = this.rowOf(fromTrack), to = this.rowOf(toTrack);
    if (from < 0 || to < 0) return;
    const { context } = this, x = this.xOf(time), y = this.yOf(from) + ROW / 2, end = this.yOf(to) + ROW / 2;
    const bend = Math.min(24, Math.abs(end - y) / 3), point = end > y ? -5 : 5;
    context.strokeStyle = context.fillStyle = this.ink;
    context.lineWidth = 1.25;
    context.beginPath();
    context.moveTo(x, y);
    context.bezierCurveTo(x + bend, y, x + bend, end, x, end + point);
    context.stroke();
    context.beginPath();
    context.moveTo(x, end);
    context.lineTo(x - 1, end + 2 * point);
    context.lineTo(x + 6, end + 1.4 * point);
    context.fill();
  }

  // How busy the process was all the time, and which part of it is seen.
  drawStrip() {
    const { context } = this, scale = this.plotWidth / this.recording.duration, bottom = STRIP - 2;
    context.fillStyle = this.paper;
    context.fillRect(0, 0, this.width, STRIP);
    context.fillStyle = this.faint;
    context.textAlign = "right";
    context.fillText("some thread runs", NAMES - 10, STRIP / 2);
    context.fillStyle = this.states[RUNNING];
    this.load.forEach((part, x) => {
      const high = Math.min(part, 1) * (STRIP - 8);
      if (high > 0) context.fillRect(NAMES + x, bottom - Math.max(high, 1), 1, Math.max(high, 1));
    });
    context.fillStyle = this.edge;
    context.fillRect(NAMES, bottom, this.plotWidth, 1);
    if (this.to - this.from < this.recording.duration) {
      const x = NAMES + this.from * scale, width = Math.max((this.to - this.from) * scale, 2);
      context.fillStyle = this.accent;
      context.globalAlpha = 0.18;
      context.fillRect(x, 2, width, STRIP - 4);
      context.globalAlpha = 1;
      context.strokeStyle = this.accent;
      context.lineWidth = 1;
      context.strokeRect(x + 0.5, 2.5, width, STRIP - 5);
    }
  }

  drawScrollbar() {
    if (this.rowCount <= this.rowsSeen) return;
    const { context } = this, [top, high] = this.thumb();
    context.fillStyle = this.edge;
    context.beginPath();
    context.roundRect(this.width - SCROLLBAR + 2, top, SCROLLBAR - 4, high, 4);
    context.fill();
  }

  // The upper edge and the height of what is moved to scroll.
  thumb() {
    const room = this.height - TOP, rows = Math.max(this.rowCount - this.rowsSeen + 1, 1);
    const high = Math.max(room * this.rowsSeen / (this.rowCount + 1), 24);
    return [TOP + (room - high) * Math.min(this.scrolled / rows, 1), high];
  }

  // Scrolls to where the thumb's middle is here.
  scrollTo(y) {
    const high = this.thumb()[1], part = (y - TOP - high / 2) / Math.max(this.height - TOP - high, 1);
    this.show(this.from, this.to, part * Math.max(this.rowCount - this.rowsSeen + 1, 0));
  }
}

// 1, 2 or 5 times a power of ten, and no less than this.
function stepOf(least) {
  const unit = 10 ** Math.floor(Math.log10(Math.max(least, 1)));
  return [1, 2, 5, 10].map((factor) => factor * unit).find((step) => step >= least);
}

function shortened(text, most) {
  return text.length > most ? `${text.slice(0, most - 1)}…` : text;
}
