// The telephone: hook, keypad, display. Keys are dots from the moment they are pressed; no digit is kept here.

import { byId, stopwatch } from "./page.js";

const TYPING = "input:not([type=checkbox]), select, textarea";

export class Phone {
  #ask;
  #on = false;
  #pressed = Promise.resolve();
  #began = 0;
  #capturing = "";

  constructor(ask, heard) {
    this.#ask = ask;
    byId("ring").addEventListener("click", () => this.#ring());
    byId("hang-up").addEventListener("click", () => ask("hang-up"));
    byId("drop-line").addEventListener("click", () => ask("drop-line"));
    byId("interrupt").addEventListener("click", () => ask("interrupt", { heard: heard() }));
    byId("keypad").addEventListener("click", (event) => this.#press(event.target.closest("button")?.dataset.key));
    byId("cards").addEventListener("click", (event) => {
      const card = event.target.closest("button")?.dataset.card;
      if (card) ask("card", { card });
    });
    document.addEventListener("keydown", (event) => this.#typed(event));
    setInterval(() => this.#tick(), 500);
    this.#show(false);
  }

  begin() {
    this.starting();
    byId("dots").textContent = "";
  }

  starting() {
    byId("line-status").textContent = "Ringing …";
  }

  placed() {
    this.#began = stopwatch.seconds();
    this.#show(true);
  }

  ended() {
    this.#show(false);
    byId("line-status").textContent = "Call ended";
  }

  step(news) {
    const capturing = news.state.endsWith("_entry") ? news.state : "";
    if (capturing !== this.#capturing) byId("dots").textContent = "";
    this.#capturing = capturing;
    byId("keypad").classList.toggle("wanted", Boolean(capturing));
    byId("cards").classList.toggle("wanted", Boolean(capturing));
  }

  dot() {
    byId("dots").textContent = `${byId("dots").textContent}•`.slice(-24);
    if (!this.#capturing) setTimeout(() => this.#capturing || (byId("dots").textContent = ""), 1500);
  }

  async #ring() {
    this.starting();
    const choice = (id) => byId(id).value;
    const plan = { pace: choice("pace"), profile: choice("profile"), model: choice("model") };
    if (!(await this.#ask("ring", { ...plan, account: choice("account") }))) this.#show(false);
  }

  /** One after the other: of two requests under way the second may arrive first. */
  #press(key) {
    if (key && this.#on) this.#pressed = this.#pressed.then(() => this.#ask("press", { keys: key }));
  }

  #typed(event) {
    const elsewhere = event.target.closest?.(TYPING) || event.ctrlKey || event.metaKey || event.altKey;
    if (elsewhere || !byId("shortcuts").checked || !/^[0-9*#]$/.test(event.key)) return;
    event.preventDefault();
    this.#press(event.key);
    const key = byId("keypad").querySelector(`[data-key="${event.key}"]`);
    key.classList.add("down");
    setTimeout(() => key.classList.remove("down"), 120);
  }

  #show(on) {
    const lost = document.activeElement === byId(on ? "ring" : "hang-up");
    this.#on = on;
    byId("ring").hidden = on;
    byId("hang-up").hidden = !on;
    for (const id of ["interrupt", "drop-line", "say-it"]) byId(id).disabled = !on;
    for (const button of byId("cards").querySelectorAll("button")) button.disabled = !on;
    if (lost) byId(on ? "say" : "ring").focus(); // the button that had the focus is gone
    if (!on) byId("line-status").textContent = "Not in a call";
  }

  #tick() {
    if (!this.#on) return;
    const spent = Math.max(0, Math.floor(stopwatch.seconds() - this.#began));
    byId("line-status").textContent = `In a call · ${Math.floor(spent / 60)}:${String(spent % 60).padStart(2, "0")}`;
  }
}
