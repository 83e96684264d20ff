"use strict";
// A search: a thread is found by its name, function or id, or because it ever did what was searched for, such as wait for
// a lock's address. Where it is only for what it did, the rest of its slices is faded.

class Search {
  constructor(recording, text) {
    const wanted = text.toLowerCase();
    this.recording = recording;
    this.byName = new Uint8Array(recording.count);
    this.byWhat = Uint8Array.from(recording.whats, (what) => what.toLowerCase().includes(wanted));
    this.rows = this.find(wanted);
  }

  find(wanted) {
    const { recording, byName, byWhat } = this, anyWhat = byWhat.includes(1), rows = [];
    let lastName = null, lastFound = false; // neighbours often have the same
    for (let track = 0; track < recording.count; track++) {
      const name = recording.names[track];
      if (name !== lastName) [lastName, lastFound] = [name, name.toLowerCase().includes(wanted)];
      byName[track] = lastFound || String(recording.ids[track]).includes(wanted);
      let found = byName[track];
      for (let slice = recording.first[track]; !found && anyWhat && slice < recording.first[track + 1]; slice++) {
        found = byWhat[recording.whatOf[slice]];
      }
      if (found) rows.push(track);
    }
    return Uint32Array.from(rows);
  }

  // Whether this slice is of what was searched for.
  has(track, slice) {
    return this.byName[track] === 1 || this.hasWhat(slice);
  }

  hasWhat(slice) {
    return this.byWhat[this.recording.whatOf[slice]] === 1;
  }
}
