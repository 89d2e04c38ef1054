// The page's beginning: the stream of news in, deeds out, and who shows what.

import { Diagram } from "./diagram.js";
import { Phone } from "./phone.js";
import { Talk } from "./talk.js";
import { Wire } from "./wire.js";
import { byId, controls } from "./page.js";

const room = document.body.dataset.room;

/** Ask the room to do something; what it cannot do is said in words. Resolves to whether it was done. */
async function ask(deed, about = {}) {
  let said = "The lab does not answer. Is it still running?";
  try {
    const answer = await fetch(`/rooms/${room}/${deed}`, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(about),
    });
    said = answer.ok ? "" : await answer.text();
    if (answer.status === 409) said = "No call is on: press Call first.";
  } catch {
    // said already
  }
  alarm(said);
  return !said;
}

function alarm(words) {
  byId("alarm").textContent = words;
  byId("alarm").hidden = !words;
}

const talk = new Talk(ask);
const diagram = new Diagram();
const phone = new Phone(ask, () => talk.heard());
const wire = new Wire();

const shows = {
  call(news) {
    for (const part of [talk, phone, wire]) part.begin(news);
    diagram.begin(news.pace, news.profile);
    controls.people(news.people);
    controls.faults(news.faults);
    controls.clock(news.rate);
    place("", "");
  },
  placed: (news) => {
    phone.placed();
    talk.placed(news.sid);
  },
  line: () => phone.starting(),
  token: (news) => talk.token(news.words),
  agent: (news) => talk.agent(news.number, news.words),
  voice: (news) => talk.voice(news.number, news.voice),
  caller: (news) => talk.caller(news.words, news.cut),
  interrupt: (news) => talk.interrupted(news.heard),
  not_interruptible: () => talk.note("What was said last cannot be talked over."),
  sayings: (news) => talk.offer(news.sayings),
  key: () => phone.dot(),
  digits_lost: (news) => talk.note(`${news.count} keys of the ${news.field.replaceAll("-", " ")} were lost.`),
  language: (news) => talk.note(`The line speaks ${news.code} now.`),
  relay: (news) => talk.relay(news.what),
  verb: (news) => talk.verb(news.name),
  violation: (news) => talk.note(`Twilio would object: ${news.text}`, "bad"),
  callback: (news) => wire.callback(news),
  rest: (news) => wire.rest(news),
  charge: (news) => wire.charge(news),
  tool: (news) => wire.tool(news),
  step(news) {
    wire.step(news);
    diagram.step(news);
    phone.step(news);
    talk.speaks(news.language);
    place(news.state, news.meaning);
  },
  ended(news) {
    phone.ended();
    talk.ended(news.how);
    wire.ended();
  },
  played: (news) => talk.played(news.ok, news.problems),
  people: (news) => controls.people(news.people),
  faults: (news) => controls.faults(news.on),
  clock: (news) => controls.clock(news.rate),
};

function place(state, meaning) {
  byId("state").textContent = state.replaceAll("_", " ") || "ringing";
  byId("state").classList.toggle("lit", Boolean(state));
  byId("meaning").textContent = meaning;
}

const source = new EventSource(`/rooms/${room}/news`);
source.onmessage = (message) => {
  const news = JSON.parse(message.data);
  shows[news.kind]?.(news);
};
source.onopen = () => alarm("");
source.onerror = () => alarm("The lab is gone. Start it again, then reload this page.");

controls.wire(ask);
