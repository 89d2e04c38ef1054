// The conversation: what is said, as it is said, by whom, and what might be said next.

import { append, byId, make } from "./page.js";

const WHOSE = { model: "the model’s words", fixed: "fixed sentence" };
const ENDS = {
  hung_up_by_app: "The agent ended the call.",
  caller_hung_up: "The caller hung up.",
  application_error: "Twilio got no answer, and ended the call.",
  queue: "A person took the call, from the queue.",
  dial: "A person took the call.",
};
const VERBS = { enqueue: "The call waits for a person.", dial: "A person is rung up." };
const RELAY = { dropped: "The line dropped.", failed: "The socket is gone." };

export class Talk {
  #transcript = byId("transcript");
  #ask;
  #aloud = null;
  #bubbles = new Map();
  #open = null;
  #language = "en";
  #connections = 0;
  #database = "";
  #sid = "";

  constructor(ask) {
    this.#ask = ask;
    byId("say-form").addEventListener("submit", (event) => {
      event.preventDefault();
      const words = byId("say").value.trim();
      if (!words) return;
      byId("say").value = "";
      this.#say(words);
    });
    byId("sayings").addEventListener("click", (event) => {
      const button = event.target.closest("button");
      if (!button) return;
      this.#say(button.textContent);
      byId("say").focus({ preventScroll: true });
    });
    byId("voice").addEventListener("change", () => this.#hush());
  }

  async #say(words) {
    await this.#over();
    this.#ask("say", { words });
  }

  begin(news) {
    this.#hush();
    this.#transcript.replaceChildren();
    this.#bubbles.clear();
    this.#open = null;
    this.#connections = 0;
    this.#language = "en";
    byId("scene").textContent = news.scenario ? `Scenario: ${news.description}` : "";
    byId("scene").hidden = !news.scenario;
    this.#database = news.database;
    this.offer([]);
  }

  placed(sid) {
    this.#sid = sid;
  }

  /** What the caller has heard of what is being spoken aloud; null where nothing is, so that it is not known. */
  heard() {
    return this.#aloud && this.#aloud.words.slice(0, this.#aloud.spoken).trim();
  }

  token(words) {
    if (!this.#open) {
      this.#open = this.#bubble("agent", "");
      this.#open.classList.add("streaming");
    }
    append(this.#transcript);
    const piece = make("span", { class: "piece" }, words);
    this.#open.querySelector("p").append(piece);
    this.#toEnd();
  }

  agent(number, words) {
    const bubble = this.#open ?? this.#bubble("agent", "");
    bubble.querySelector("p").textContent = words;
    bubble.classList.remove("streaming");
    this.#open = null;
    this.#bubbles.set(number, bubble);
    this.#toEnd();
    this.#speak(words);
  }

  voice(number, voice) {
    const bubble = this.#bubbles.get(number);
    if (!bubble) return;
    bubble.classList.add(voice);
    bubble.querySelector("small").textContent = WHOSE[voice];
  }

  caller(words, cut) {
    const bubble = this.#bubble("caller", words);
    if (cut) bubble.append(make("small", { class: "cut" }, "a card number was cut out before anybody read it"));
    this.#toEnd();
  }

  interrupted(heard) {
    this.#hush();
    this.note(heard ? `The caller talks over the agent, having heard: “${heard}”` : "The caller talks over the agent.");
  }

  relay(what) {
    if (what === "connected" && ++this.#connections > 1) this.note("The line is back.");
    if (RELAY[what]) this.note(RELAY[what], "warn");
  }

  verb(name) {
    if (VERBS[name]) this.note(VERBS[name]);
  }

  ended(how) {
    this.note(ENDS[how] ?? "The call is over.");
    const command = `payagent trace ${this.#sid} --database sqlite:///${this.#database}`;
    append(this.#transcript, make("p", { class: "note" }, "Every step of it: ", make("code", {}, command)));
    this.offer([]);
  }

  played(ok, problems) {
    this.note(ok ? "The scenario went as expected." : "The scenario did not go as expected:", ok ? "good" : "bad");
    for (const problem of problems) this.note(problem, "bad");
  }

  note(words, mood = "") {
    append(this.#transcript, make("p", { class: `note ${mood}` }, words));
    this.#toEnd();
  }

  offer(sayings) {
    byId("sayings").replaceChildren(...sayings.map((words) => make("button", { type: "button" }, words)));
  }

  speaks(language) {
    this.#language = language;
  }

  #bubble(who, words) {
    const tag = make("small", {}, who === "caller" ? "caller" : "agent");
    const bubble = make("div", { class: `bubble ${who}` }, tag, make("p", {}, words));
    append(this.#transcript, bubble);
    return bubble;
  }

  #toEnd() {
    this.#transcript.scrollTop = this.#transcript.scrollHeight;
  }

  #speak(words) {
    if (!byId("voice").checked || !window.speechSynthesis) return;
    const utterance = new SpeechSynthesisUtterance(words);
    utterance.lang = this.#language === "es" ? "es-US" : "en-US";
    utterance.onstart = () => (this.#aloud = { words, spoken: 0 });
    utterance.onboundary = (event) => this.#aloud && (this.#aloud.spoken = event.charIndex + (event.charLength ?? 0));
    utterance.onend = () => (this.#aloud = null);
    window.speechSynthesis.speak(utterance);
  }

  /** The caller speaks: what is being spoken aloud is talked over. */
  async #over() {
    const heard = this.heard();
    this.#hush();
    if (heard !== null) await this.#ask("interrupt", { heard });
  }

  #hush() {
    this.#aloud = null;
    window.speechSynthesis?.cancel();
  }
}
