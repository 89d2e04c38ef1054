// What every part of the page uses, and the controls that belong to no part.

export const byId = (id) => document.getElementById(id);

/** An element with these attributes and children; text is always text, never markup. */
export function make(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

/** A name_with_underscores as code, which may be broken after each of them. */
export function code(name) {
  const pieces = name.split(/(?<=_)/).flatMap((piece) => [piece, make("wbr")]);
  return make("code", {}, ...pieces.slice(0, -1));
}

/** Put something at the end of a scrolling list, and keep the end in view if it was. */
export function append(list, ...elements) {
  const atEnd = list.scrollHeight - list.scrollTop - list.clientHeight < 60;
  list.append(...elements);
  if (atEnd) list.scrollTop = list.scrollHeight;
}

/** Seconds of the call's own clock: it slows, hurries and stands still with the line's. */
export class Stopwatch {
  #rate = 1;
  #told = 0;
  #since = performance.now();

  seconds() {
    return this.#told + ((performance.now() - this.#since) / 1000) * this.#rate;
  }

  pace(rate) {
    this.#told = this.seconds();
    this.#since = performance.now();
    this.#rate = rate;
  }
}

export const stopwatch = new Stopwatch();

class Controls {
  #faults = [...byId("faults").elements];

  /** Connect the controls; `ask` asks the room to do something. */
  wire(ask) {
    byId("pause").addEventListener("click", () => {
      const paused = byId("pause").getAttribute("aria-pressed") === "true";
      ask("clock", { rate: paused ? Number(byId("rate").value) : 0 });
    });
    byId("rate").addEventListener("change", () => ask("clock", { rate: Number(byId("rate").value) }));
    byId("faults").addEventListener("change", () => {
      ask("switch", Object.fromEntries(this.#faults.map((box) => [box.name, box.checked])));
    });
    byId("reset").addEventListener("click", () => ask("reset"));
    byId("scenario-form").addEventListener("submit", (event) => {
      event.preventDefault();
      ask("play", { scenario: byId("scenario").value });
    });
  }

  clock(rate) {
    const pause = byId("pause");
    pause.setAttribute("aria-pressed", String(rate === 0));
    pause.textContent = rate === 0 ? "Go on" : "Pause";
    document.body.classList.toggle("paused", rate === 0);
    if (rate && byId("rate").querySelector(`[value="${rate}"]`)) byId("rate").value = String(rate);
    stopwatch.pace(rate);
  }

  faults(on) {
    for (const box of this.#faults) box.checked = Boolean(on[box.name]);
    const count = this.#faults.filter((box) => box.checked).length;
    byId("faults-on").hidden = !count;
    byId("faults-on").textContent = `${count} on`;
  }

  people(people) {
    for (const who of people) {
      const option = byId("account").querySelector(`[value="${CSS.escape(who.account)}"]`);
      const owes = who.owes.map((bill) => `$${bill.amount}`).join(" and ");
      if (option) option.textContent = `${who.name} · ${owes ? `owes ${owes}` : "owes nothing"}`;
    }
  }
}

export const controls = new Controls();
