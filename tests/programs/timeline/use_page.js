// Put at the end of the page: does as a user would with pointer, wheel and keys, and writes down what came of it.
const seen = [], see = (what, is) => seen.push(`${what} ${is ? "works" : "FAILS"}`);
const at = (x, y) => ({ clientX: canvas.getBoundingClientRect().x + x, clientY: canvas.getBoundingClientRect().y + y,
    bubbles: true, pointerId: 1 });
const press = (key) => canvas.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true }));
const length = () => view.to - view.from, all = length();
// Seventh row: a thread that only sleeps.
canvas.dispatchEvent(new PointerEvent("pointermove", at(NAMES + 100, TOP + 7.5 * ROW)));
see("hovering", !tip.hidden && tip.textContent.startsWith("</scr" + 'ipt>"&ä thread 4194312sleeps'));
see("duration", /for [0-9.]+ ms/.test(tip.textContent));
canvas.dispatchEvent(new WheelEvent("wheel", { ...at(NAMES + 100, 100), deltaY: -300, cancelable: true }));
const zoomed = length();
see("wheel", zoomed < all * 0.7);
press("w"); see("w", length() < zoomed);
const from = view.from; press("d"); see("d", view.from > from);
press("a"); see("a", Math.abs(view.from - from) < 1);
press("s"); see("s", Math.abs(length() - zoomed) < 1);
press("0"); see("0", length() === all);
// Who was woken knows by whom, and that one knows whom it woke.
let flows = 0, back = 0;
for (let track = 0; track < recording.count; track++) {
    for (let slice = recording.first[track]; slice < recording.first[track + 1]; slice++) {
        const waker = recording.states[slice] === READY ? recording.waker(track, slice) : null;
        if (!waker) continue;
        flows++;
        const by = recording.find(waker[0], waker[1]);
        back += recording.woken(waker[0], by, 1000).some(([woken]) => woken === track);
    }
}
see(`flows (${back} of ${flows})`, flows > 20 && back > 0.9 * flows);
const slice = recording.find(2, all / 2);
view.kept = { track: 2, slice }; view.draw();
const button = document.querySelector("#legend button[title='sleeps']");
button.click();
see("legend", button.getAttribute("aria-pressed") === "false" && view.hidden.size === 1);
canvas.dispatchEvent(new PointerEvent("pointermove", at(NAMES + 100, TOP + 7.5 * ROW)));
see("hidden states", view.hovered.slice === -1);
box.value = "worker"; searchFromBox();
see("search box", location.hash === "#search=worker" && view.rowCount === 6);
document.getElementById("used").textContent = seen.join(", ");
