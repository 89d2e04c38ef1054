// The money, the tools, what passes between the program and Twilio, and the steps on the record.

import { append, byId, code, make } from "./page.js";

const OUTCOMES = {
  none: ["–", ""],
  paid: ["paid", "good"],
  declined: ["declined", "bad"],
  cancelled: ["cancelled", "warn"],
  unknown: ["unknown", "bad"],
};
const CALLBACKS = {
  start: "payment session opened",
  began: "listening for",
  done: "captured",
  error: "could not use",
  final: "the payment session is over",
};
const MOST = 400;

const words = (text) => text.replaceAll("_", " ").replaceAll("-", " ");
const money = (text) => text.replace(/^(\d+(?:\.\d+)?) USD$/, "$$$1");

export class Wire {
  #charged = [];
  #keys = null;

  begin(news) {
    this.#charged = [];
    this.#keys = null;
    for (const id of ["tools", "tried", "wire", "record"]) byId(id).replaceChildren();
    for (const id of ["owed", "agreed", "charged"]) byId(id).textContent = "–";
    for (const id of ["bill", "card-used", "charge-code", "outcome-note"]) byId(id).textContent = "";
    byId("outcome").replaceChildren("–");
  }

  callback(news) {
    if (news.name === "partial") {
      this.#keys ??= this.#line("callback", "←", "");
      const count = Number(this.#keys.dataset.count ?? 0) + 1;
      this.#keys.dataset.count = count;
      this.#keys.querySelector("p").textContent = `keys, masked ${"•".repeat(Math.min(count, 20))}`;
      return;
    }
    this.#keys = null;
    const card = news.last_four && news.name !== "start" ? `${news.card ?? "card"} •••• ${news.last_four}` : "";
    const parts = [news.field, news.error, news.result, news.code && `code ${news.code}`, news.confirmation, card];
    const about = parts.filter(Boolean).map(words).join(" · ");
    const bad = news.error || (news.result && news.result !== "success");
    this.#line(bad ? "callback bad" : "callback", "←", `${CALLBACKS[news.name] ?? news.name} ${about}`);
  }

  rest(news) {
    this.#keys = null;
    const failed = news.status >= 400;
    const why = news.code ? ` (${news.code})` : "";
    this.#line(failed ? "rest bad" : "rest", "→", `${words(news.operation)} … ${news.status}${why}`);
  }

  charge(news) {
    this.#charged.push(news);
    byId("charged").textContent = this.#charged.map((each) => money(each.amount)).join(" + ");
    byId("charge-code").textContent = news.confirmation;
    this.#line("charge", "$", `the processor charged ${money(news.amount)}`);
  }

  tool(news) {
    const item = make("li", { class: news.refused ? "refused" : "" }, code(news.name));
    if (news.refused) item.append(make("span", {}, ` refused: ${news.refused}`));
    append(byId("tried"), item);
  }

  step(news) {
    this.#offer(news.tools);
    this.#money(news.money);
    const head = [make("span", { class: "seq" }, String(news.seq)), make("span", { class: `party ${news.party}` }, news.party)];
    const item = make("li", {}, ...head, code(news.trigger), news.what ? ` ${news.what}` : "");
    if (news.before !== news.state) item.append(make("b", {}, ` → ${words(news.state)}`));
    if (news.refused) item.append(make("span", { class: "refused" }, ` refused: ${news.refused}`));
    if (news.orders.length) item.append(make("div", { class: "orders" }, `orders ${news.orders.join("; ")}`));
    this.#add("record", item);
  }

  ended() {
    this.#offer([]);
  }

  #offer(tools) {
    const shown = byId("tools");
    if (shown.dataset.names === tools.join() && shown.children.length) return;
    shown.dataset.names = tools.join();
    const chips = tools.map((name) => make("li", {}, code(name)));
    shown.replaceChildren(...(chips.length ? chips : [make("li", { class: "soft" }, "nothing: no tool is open here")]));
  }

  #money(now) {
    const [label, mood] = OUTCOMES[now.outcome];
    byId("owed").textContent = money(now.owed) || "–";
    byId("bill").textContent = [now.bill, now.name].filter(Boolean).join(" · ");
    byId("agreed").textContent = money(now.agreed) || "–";
    byId("card-used").textContent = now.card;
    byId("outcome").replaceChildren(mood ? make("span", { class: `pill ${mood}` }, label) : label);
    byId("outcome-note").textContent = now.confirmation ? `told as ${now.confirmation}` : "";
  }

  #line(kind, sign, text) {
    const mark = make("span", { class: "sign", "aria-hidden": "true" }, sign);
    const item = make("li", { class: kind }, mark, make("p", {}, text));
    this.#add("wire", item);
    return item;
  }

  #add(id, item) {
    const list = byId(id);
    append(list, item);
    while (list.children.length > MOST) list.firstChild.remove();
  }
}
