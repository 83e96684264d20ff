"use strict";
// Reads what is in the page: the threads, and the packed slices (timeline/src/html.rs tells how they are packed). The
// slices of all threads lie one thread after the other in typed arrays, for there may be a million of each: a slice is a
// number, and begins when the one before it ends. What a slice waits for is a number too, of a text in `whats`.

const RUNNING = 0, KERNEL = 1, READY = 2;
const LOCK_CAUSE = 1, LOCKS_CAUSE = 2, POLL_CAUSE = 4, READ_CAUSE = 5, WRITE_CAUSE = 6, HELPER_CAUSE = 7;

class Recording {
  constructor(about, threads, lines) {
    this.about = about;
    this.duration = Math.max(about.duration, 1);
    this.count = threads.length;
    this.names = new Array(this.count);
    this.ids = new Float64Array(this.count);
    this.begins = new Float64Array(this.count);
    threads.forEach(([name, id, begin], track) => {
      this.names[track] = name === 0 ? this.names[track - 1] : name;
      this.ids[track] = id;
      this.begins[track] = begin;
    });
    this.whats = [];
    this.sort(this.unpack(lines));
  }

  // All records, in the order in which they were written.
  unpack(lines) {
    const pieces = lines.trim().split("\n").map(atob);
    const most = Math.floor(pieces.reduce((sum, piece) => sum + piece.length, 0) / 3);
    const records = {
      count: 0, ends: new Float64Array(most), states: new Uint8Array(most), tracks: new Uint32Array(most),
      whats: new Uint32Array(most), wakers: new Int32Array(most),
    };
    const known = new Map(); // for each kind of waiting, the numbers of its values' texts
    let now = 0;
    for (const piece of pieces) {
      let at = 0;
      const byte = () => piece.charCodeAt(at++);
      const number = () => {
        let value = 0;
        for (let scale = 1; ; scale *= 128) {
          const next = byte();
          value += (next & 127) * scale;
          if (next < 128) return value;
        }
      };
      while (at < piece.length) {
        const record = records.count++;
        now += number();
        const kind = byte(), state = kind & 15, cause = kind >> 4;
        const track = number();
        let value = 0, file = 0, waker = -1;
        if (state === READY) waker = number() - 1;
        else if (state === KERNEL || HAS_VALUE.has(cause)) value = number();
        if (cause === READ_CAUSE || cause === WRITE_CAUSE) file = byte();
        let values = known.get(kind | file << 8);
        if (!values) known.set(kind | file << 8, values = new Map());
        let what = values.get(value);
        if (what === undefined) {
          values.set(value, what = this.whats.length);
          this.whats.push(this.describe(state, cause, file, value - 1));
        }
        records.ends[record] = now;
        records.states[record] = state;
        records.tracks[record] = track;
        records.whats[record] = what;
        records.wakers[record] = waker;
      }
    }
    return records;
  }

  // One thread's slices after the other's, each thread's in the order of time.
  sort(records) {
    this.first = new Uint32Array(this.count + 1);
    for (let record = 0; record < records.count; record++) this.first[records.tracks[record] + 1]++;
    for (let track = 0; track < this.count; track++) this.first[track + 1] += this.first[track];
    const next = this.first.slice();
    this.ends = new Float64Array(records.count);
    this.states = new Uint8Array(records.count);
    this.whatOf = new Uint32Array(records.count);
    this.wakers = new Int32Array(records.count);
    for (let record = 0; record < records.count; record++) {
      const slice = next[records.tracks[record]]++;
      this.ends[slice] = records.ends[record];
      this.states[slice] = records.states[record];
      this.whatOf[slice] = records.whats[record];
      this.wakers[slice] = records.wakers[record];
    }
  }

  // What a thread in this state does, in a few words.
  describe(state, cause, file, value) {
    const call = this.about.calls[value] ?? `system call ${value}`;
    const kind = this.about.files[file] ? ` (${this.about.files[file]})` : "";
    if (state === KERNEL) return `in ${call}`;
    switch (cause) {
      case LOCK_CAUSE: return `lock 0x${value.toString(16)}`;
      case LOCKS_CAUSE: return "one of several locks";
      case POLL_CAUSE: return value < 0 ? "polls" : `polls fd ${value}`;
      case READ_CAUSE: return `reads fd ${value}${kind}`;
      case WRITE_CAUSE: return `writes fd ${value}${kind}`;
      case HELPER_CAUSE: return `${call} by a helper`;
      default: return this.about.states[state][0];
    }
  }

  begin(track, slice) {
    return slice === this.first[track] ? this.begins[track] : this.ends[slice - 1];
  }

  // The first of the track's slices from `from` on that ends after this time.
  at(track, time, from = this.first[track]) {
    let low = from, high = this.first[track + 1];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.ends[middle] > time) high = middle;
      else low = middle + 1;
    }
    return low;
  }

  // The slice of the track at this time, or -1.
  find(track, time) {
    const slice = this.at(track, time);
    return slice < this.first[track + 1] && this.begin(track, slice) <= time ? slice : -1;
  }

  // Who made the thread ready that this slice is a wait, the being ready, or the running of: [track, time], or null.
  waker(track, slice) {
    const state = this.states[slice];
    const ready = state === READY ? slice : state === RUNNING || state === KERNEL ? slice - 1 : slice + 1;
    if (ready < this.first[track] || ready >= this.first[track + 1] || this.states[ready] !== READY) return null;
    return this.wakers[ready] < 0 ? null : [this.wakers[ready], this.begin(track, ready)];
  }

  // Whom the track made ready while it did this: [track, time] of each, at most so many.
  woken(waker, slice, most) {
    const from = this.begin(waker, slice), to = this.ends[slice], woken = [];
    for (const [track, ready] of this.wakesOf(waker)) {
      const time = this.begin(track, ready);
      if (time < from || time > to) continue;
      woken.push([track, time]);
      if (woken.length === most) break;
    }
    return woken;
  }

  // All that a track ever made ready, as [track, slice]. Asked for one track after the other, so the last is kept.
  wakesOf(waker) {
    if (this.lastWaker === waker) return this.lastWakes;
    this.lastWaker = waker;
    this.lastWakes = [];
    for (let track = 0; track < this.count; track++) {
      for (let slice = this.first[track]; slice < this.first[track + 1]; slice++) {
        if (this.wakers[slice] === waker) this.lastWakes.push([track, slice]);
      }
    }
    return this.lastWakes;
  }

  // How much of each of so many equal parts of the whole time some thread ran.
  load(parts) {
    const load = new Float64Array(parts), length = this.duration / parts;
    for (let track = 0; track < this.count; track++) {
      for (let slice = this.first[track]; slice < this.first[track + 1]; slice++) {
        if (this.states[slice] > KERNEL) continue;
        const from = this.begin(track, slice), to = this.ends[slice];
        for (let part = Math.floor(from / length); part < parts && part * length < to; part++) {
          load[part] += (Math.min(to, (part + 1) * length) - Math.max(from, part * length)) / length;
        }
      }
    }
    return load;
  }
}

const HAS_VALUE = new Set([LOCK_CAUSE, POLL_CAUSE, READ_CAUSE, WRITE_CAUSE, HELPER_CAUSE]);

// A time with three digits: "1.23 s", "45.6 ms".
function time(nanoseconds) {
  const [unit, name] = unitOf(nanoseconds);
  const value = nanoseconds / unit;
  return `${unit === 1 || value >= 100 ? Math.floor(value) : value.toPrecision(3)} ${name}`;
}

function unitOf(nanoseconds) {
  return [[1e9, "s"], [1e6, "ms"], [1e3, "µs"]].find(([unit]) => nanoseconds >= unit) ?? [1, "ns"];
}
