// The state diagram, drawn from the running table: where the call is, where it has been, which moves it made.

import { append, byId, make, stopwatch } from "./page.js";

const SCALE = 1.55; // the drawing's small print becomes some 12 pixels
const WAITS = {
  silence: "asks whether somebody is there",
  entry_waiting: "says it is waiting for the keypad",
  still_working: "says it is still working",
  result_overdue: "gives the result up as unknown",
};

export class Diagram {
  #frame = byId("diagram");
  #path = byId("path");
  #drawing = null;
  #drawn = "";
  #state = "";
  #trail = [];
  #whole = false;
  #due = null;

  constructor() {
    byId("whole").addEventListener("click", () => {
      this.#whole = !this.#whole;
      byId("whole").setAttribute("aria-pressed", String(this.#whole));
      this.#look();
    });
    new ResizeObserver(() => this.#look()).observe(this.#frame);
    setInterval(() => this.#tick(), 500);
    this.begin("model", "card");
  }

  /** Show the drawing of this pace and profile, with nothing lit. */
  async begin(pace, profile) {
    this.#state = "";
    this.#trail = [];
    this.#due = null;
    this.#path.replaceChildren();
    this.#clear();
    if (this.#drawn === `${pace}/${profile}`) return;
    this.#drawn = `${pace}/${profile}`;
    const answer = await fetch(`/drawings/${pace}/${profile}`);
    const text = answer.ok ? await answer.text() : "";
    const parsed = new DOMParser().parseFromString(text, "image/svg+xml").documentElement;
    this.#drawing = text && parsed.localName === "svg" ? document.adoptNode(parsed) : null;
    this.#frame.replaceChildren(this.#drawing ?? make("p", { class: "soft" }, "Install Graphviz to see the diagram here."));
    this.#drawing?.setAttribute("aria-hidden", "true");
    for (const { arrow, state } of this.#trail) this.#light(state, arrow);
    this.#look();
  }

  step(news) {
    this.#due = news.wait && { ...news.wait, at: stopwatch.seconds() + news.wait.seconds };
    this.#tick();
    if (news.state === this.#state) return;
    if (!this.#trail.length && news.before !== news.state) this.#enter(news.before, "", "");
    this.#enter(news.state, news.arrow, news.party);
    this.#look();
  }

  #enter(state, arrow, party) {
    this.#state = state;
    this.#trail.push({ state, arrow });
    this.#light(state, arrow);
    for (const stop of this.#path.children) stop.removeAttribute("aria-current");
    const stop = make("li", { "aria-current": "step", class: party }, state.replaceAll("_", " "));
    append(this.#path, stop);
    this.#path.scrollLeft = this.#path.scrollWidth;
    this.#frame.setAttribute("aria-label", `State diagram; the call is in ${state.replaceAll("_", " ")}`);
  }

  #light(state, arrow) {
    if (!this.#drawing) return;
    this.#drawing.classList.add("live");
    this.#drawing.querySelector(".now")?.classList.replace("now", "been");
    this.#drawing.querySelector(`[id="state-${state}"]`)?.classList.add("now");
    if (arrow) this.#drawing.querySelector(`[id="${CSS.escape(arrow)}"]`)?.classList.add("taken");
  }

  #clear() {
    this.#drawing?.classList.remove("live");
    for (const lit of this.#drawing?.querySelectorAll(".now, .been, .taken") ?? []) {
      lit.classList.remove("now", "been", "taken");
    }
    this.#look();
  }

  /** Bring the current state into the middle, or the whole drawing into view. */
  #look() {
    if (!this.#drawing) return;
    const { width, height } = this.#drawing.viewBox.baseVal;
    const frame = this.#frame.getBoundingClientRect();
    const points = (4 / 3) * SCALE;
    const scale = this.#whole ? Math.min(frame.width / width, frame.height / height) : points;
    this.#drawing.style.width = `${width * scale}px`;
    this.#drawing.style.height = `${height * scale}px`;
    const spot = this.#spot(scale);
    const free = { x: frame.width - width * scale, y: frame.height - height * scale };
    const x = free.x > 0 ? free.x / 2 : Math.min(0, Math.max(free.x, frame.width / 2 - spot.x));
    const y = free.y > 0 ? free.y / 2 : Math.min(0, Math.max(free.y, frame.height / 2 - spot.y));
    this.#drawing.style.transform = `translate(${x}px, ${y}px)`;
  }

  /** The middle of the current state (the top of the path before there is one), in pixels of the drawing. */
  #spot(scale) {
    const state = this.#drawing.querySelector(`[id="state-${this.#state || "verifying_identity"}"]`);
    if (!state) return { x: 0, y: 0 };
    const box = state.getBoundingClientRect();
    const whole = this.#drawing.getBoundingClientRect();
    const shown = whole.width / this.#drawing.viewBox.baseVal.width || 1;
    const middle = { x: box.left + box.width / 2 - whole.left, y: box.top + box.height / 2 - whole.top };
    return { x: (middle.x / shown) * scale, y: (middle.y / shown) * scale };
  }

  #tick() {
    const left = this.#due ? Math.max(0, Math.ceil(this.#due.at - stopwatch.seconds())) : 0;
    const what = this.#due && (WAITS[this.#due.name] ?? this.#due.name.replaceAll("_", " "));
    byId("wait").textContent = this.#due && this.#due.seconds < 3600 ? `in ${left} s: ${what}` : "";
  }
}
