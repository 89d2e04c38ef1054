/* Keeps a page up to date and its clocks running, and sends a form once. Without it every page works by reloading.

   [data-live=URL]   its content is fetched every two seconds as URL?known=VERSION; 204 says that nothing has changed.
                     Within it [data-known] holds the version shown, [data-title] the page's title.
   body[data-now]    the server's time; with each answer it comes as X-Console-Now.
   [data-since]      the time since then, as 0:07.        [data-until]  the time left, or “overdue”.
   progress[data-from][data-due]   how much of a wait is over.
   [data-show=ID]    is scrolled so that the state of that id is in the middle.
   form[data-once]   is sent once, however often it is clicked. */

"use strict";

const EVERY = 2000;
let ahead = 0; // this machine's clock against the server's, in ms

const now = () => Date.now() - ahead;

function hear(time) {
  if (time) ahead = Date.now() - Date.parse(time);
}

function stopwatch(ms) {
  const all = Math.max(0, Math.floor(ms / 1000));
  const two = (n) => String(n).padStart(2, "0");
  const [hours, minutes, seconds] = [Math.floor(all / 3600), Math.floor(all / 60) % 60, all % 60];
  return hours ? `${hours}:${two(minutes)}:${two(seconds)}` : `${minutes}:${two(seconds)}`;
}

function tick() {
  const time = now();
  for (const each of document.querySelectorAll("[data-since]")) {
    each.textContent = stopwatch(time - Date.parse(each.dataset.since));
  }
  for (const each of document.querySelectorAll("[data-until]")) {
    const left = Date.parse(each.dataset.until) - time;
    each.textContent = left > 0 ? `in ${stopwatch(left)}` : "overdue";
  }
  for (const each of document.querySelectorAll("progress[data-due]")) {
    const from = Date.parse(each.dataset.from);
    const share = (time - from) / Math.max(1, Date.parse(each.dataset.due) - from);
    each.value = Math.min(1, Math.max(0, share));
    each.classList.toggle("late", share >= 1);
  }
}

/* Make `old` like `made`, changing only what differs, so that focus, selection, scroll and what is typed stay. */
function morph(old, made) {
  if (old.isEqualNode(made)) return;
  if (old.nodeType !== Node.ELEMENT_NODE || made.nodeName !== old.nodeName || made.id !== old.id) {
    old.replaceWith(made);
    return;
  }
  for (const { name } of [...old.attributes]) if (!made.hasAttribute(name)) old.removeAttribute(name);
  for (const { name, value } of made.attributes) if (old.getAttribute(name) !== value) old.setAttribute(name, value);
  morphChildren(old, made);
}

function morphChildren(old, made) {
  const named = new Map([...old.children].filter((child) => child.id).map((child) => [child.id, child]));
  const wanted = new Set([...made.children].map((child) => child.id));
  let at = old.firstChild;
  for (const child of [...made.childNodes]) {
    const same = child.id && named.get(child.id);
    while (at && at.id && !wanted.has(at.id)) at = drop(at); // gone
    if (same) {
      if (same === at) at = at.nextSibling;
      else old.insertBefore(same, at);
      morph(same, child);
    } else {
      const like = child.id ? null : alike(at, child);
      while (like && at !== like) at = drop(at);
      if (!like) {
        old.insertBefore(child, at);
        continue;
      }
      at = like.nextSibling;
      morph(like, child);
    }
  }
  while (at) at = drop(at);
}

/* The next of the nameless nodes from `at` on that is of the same kind. */
function alike(at, child) {
  while (at && !at.id && at.nodeName !== child.nodeName) at = at.nextSibling;
  return at && !at.id ? at : null;
}

function drop(node) {
  const next = node.nextSibling;
  node.remove();
  return next;
}

function live(part) {
  const notice = document.createElement("p");
  notice.className = "note warn notice";
  notice.setAttribute("role", "status");
  notice.hidden = true;
  part.before(notice);

  const pause = document.createElement("button");
  pause.type = "button";
  pause.className = "pause";
  pause.textContent = "Pause updates";
  let paused = false;
  pause.addEventListener("click", () => {
    paused = !paused;
    pause.textContent = paused ? "Go on updating" : "Pause updates";
    if (!paused) update();
  });
  part.before(pause);

  let busy = false;
  async function update() {
    if (busy || paused || document.hidden) return;
    busy = true;
    try {
      const known = part.querySelector("[data-known]")?.dataset.known ?? "";
      const url = new URL(part.dataset.live, location.href);
      url.searchParams.set("known", known);
      const answer = await fetch(url, { headers: { Accept: "text/html" }, redirect: "error" });
      if (answer.status === 401) location.reload();
      else if (answer.status === 200) show(await answer.text());
      else if (answer.status !== 204) throw new Error(String(answer.status));
      notice.hidden = true;
      hear(answer.headers.get("X-Console-Now"));
    } catch {
      const time = new Date(now()).toISOString().slice(11, 19);
      if (notice.hidden) notice.textContent = `No answer since ${time}: what is shown may be out of date. Still trying.`;
      notice.hidden = false;
    } finally {
      busy = false;
    }
  }

  function show(text) {
    const made = new DOMParser().parseFromString(`<div>${text}</div>`, "text/html").body.firstElementChild;
    morphChildren(part, document.importNode(made, true));
    document.title = part.querySelector("[data-title]")?.dataset.title ?? document.title;
    tick();
  }

  setInterval(update, EVERY);
  document.addEventListener("visibilitychange", update);
}

for (const form of document.querySelectorAll("form[data-once]")) {
  form.addEventListener("submit", (event) => {
    if (form.dataset.sent) event.preventDefault();
    form.dataset.sent = "yes";
    setTimeout(() => delete form.dataset.sent, 5000); // an answer that never came may be asked for again
  });
}

for (const drawing of document.querySelectorAll("[data-show]")) {
  const place = document.getElementById(drawing.dataset.show)?.getBoundingClientRect();
  const frame = drawing.getBoundingClientRect();
  if (place) {
    drawing.scrollTop += (place.top + place.bottom) / 2 - (frame.top + frame.bottom) / 2;
    drawing.scrollLeft += (place.left + place.right) / 2 - (frame.left + frame.right) / 2;
  }
}

hear(document.body.dataset.now);
document.querySelectorAll("[data-live]").forEach(live);
tick();
setInterval(tick, 1000);
