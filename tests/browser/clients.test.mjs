// What the widget and the desk do with what a server may say, order by order: a server seldom says it when one waits
// for it, so the test says it itself.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { load, pause, sockets } from "./helpers/fake.mjs";

const { Connection } = await load("widget/connection.js");

const { Conversation } = await load("widget/conversation.js");
const { Memory } = await load("widget/memory.js");
const { DeskStore } = await load("console/desk-store.js");

/** A connection that is online. */
function online(timing = {}) {
  const connection = new Connection({ url: "wss://x", protocol: "p", hello: () => ({ type: "hello" }), timing });
  const states = [];
  connection.addEventListener("status", ({ detail }) => states.push(detail));
  connection.open();
  const socket = sockets.at(-1);
  socket.open();
  socket.tell({ type: "welcome" });
  return { connection, socket, states };
}


const say = (text) => ({ type: "say", text });
const texts = (socket) => socket.of("say").map((frame) => frame.text);

describe("the connection", () => {
  test("a message that is refused for the moment is not overtaken by the next", async () => {
    for (const refusal of [{ type: "busy", retry_after_ms: 250 }, { type: "error", code: "rate_limited", retry_after_ms: 250 }]) {
      const { connection, socket } = online();
      for (const text of ["one", "two"]) connection.request(say(text)).catch(() => {});
      const [one] = socket.of("say");
      socket.tell({ ...refusal, id: one.id });
      connection.request(say("three")).catch(() => {});
      await pause(400);
      assert.deepEqual(texts(socket), ["one", "one"], "nothing else is on its way");
      for (const text of ["one", "two", "three"]) {
        assert.equal(texts(socket).at(-1), text);
        socket.tell({ type: "ack", id: socket.of("say").at(-1).id, seq: 1, at: 1 });
      }
      assert.deepEqual(texts(socket), ["one", "one", "two", "three"]);
      connection.close();
    }
  });

  test("what was written while there was no connection goes one by one, and a refusal holds nothing up", async () => {
    const { connection, socket } = online({ backoff: 10 });
    socket.end();
    const ends = ["one", "two", "three"].map((text) => connection.request(say(text)).then(() => text, (error) => error.code));
    await pause(30);
    const next = sockets.at(-1);
    next.open();
    next.tell({ type: "welcome" });
    assert.deepEqual(texts(next), ["one"]);
    next.tell({ type: "error", id: next.of("say")[0].id, code: "closed" });
    assert.deepEqual(texts(next), ["one", "two"]);
    next.end(); // before its answer came
    await pause(30);
    const last = sockets.at(-1);
    last.open();
    last.tell({ type: "welcome" });
    for (const frame of [0, 1]) last.tell({ type: "ack", id: last.of("say")[frame].id, seq: 1, at: 1 });
    assert.deepEqual(texts(last), ["two", "three"]);
    assert.deepEqual(await Promise.all(ends), ["closed", "two", "three"]);
    connection.close();
  });

  test("a press of a button goes at once, is not sent twice on one socket, and ends with it", async () => {
    const { connection, socket } = online({ resend: 60, backoff: 10 });
    connection.request(say("one")).catch(() => {});
    const claim = connection.request({ type: "claim" }, { keep: false }).catch((error) => error.code);
    await pause(150);
    assert.equal(socket.of("claim").length, 1);
    assert.ok(socket.of("say").length > 1, "a message is repeated under its id");
    socket.end();
    assert.equal(await claim, "offline");
    connection.close();
  });

  test("who is sent away again and again comes back ever later, and never before it was asked to", async () => {
    const connection = new Connection({ url: "wss://x", protocol: "p", hello: () => ({ type: "hello" }), timing: { backoff: 400, backoffMax: 30_000 } });
    const delays = [];
    connection.addEventListener("status", ({ detail }) => detail.status === "offline" && delays.push(detail.delay));
    const random = Math.random;
    Math.random = () => 1;
    try {
      for (let attempt = 0; attempt < 4; attempt += 1) {
        connection.open(); // at once, as for somebody who presses the button
        const socket = sockets.at(-1);
        socket.open();
        socket.tell({ type: "busy", retry_after_ms: 1_000 });
        socket.end();
      }
      assert.deepEqual(delays, [1_000, 1_000, 1_600, 3_200]);
    } finally {
      Math.random = random;
      connection.close();
    }
  });
});

let sites = 0;

/** A chat of a site of its own; `greet` plays the server's part of a handshake. */
function chat(options = {}) {
  const site = `site-${(sites += 1)}`;
  const conversation = new Conversation({ url: "wss://x", site, memory: new Memory(site), ...options });
  return { conversation, site, shown: () => conversation.entries.map((entry) => [entry.text, entry.sending]) };
}

/** Waits until the client has opened a socket after it let go of the last one. */
async function comesBack() {
  for (const begin = Date.now(); sockets.at(-1).readyState !== 0; ) {
    assert.ok(Date.now() - begin < 5_000, "it does not come back");
    await pause(10);
  }
}

function greet({ conversation = "c1", seq = 0, ...more } = {}) {
  const socket = sockets.at(-1);
  socket.open();
  socket.tell({ type: "welcome", conversation, epoch: "e", seq, state: "bot", ...more });
  if (seq === 0) socket.tell({ type: "resumed", seq });
  return socket;
}

/** The server stores what came last. */
function store(socket, seq) {
  const { id, text } = socket.of("say").at(-1);
  socket.tell({ type: "event", seq, at: 1, kind: "message", from: { role: "customer" }, text, id }, { type: "ack", id, seq, at: 1 });
}

describe("the chat", () => {
  for (const [how, wait] of [["and put back later", 30], ["and put elsewhere at once", 0]]) {
    test(`what was not stored is sent when the element was taken out ${how}`, async () => {
      const { conversation, shown } = chat();
      conversation.start();
      greet({ token: "t" });
      conversation.say("hello");
      conversation.stop();
      if (wait) await pause(wait);
      conversation.start();
      await pause(10);
      assert.deepEqual(shown(), [["hello", "sending"]]);
      const socket = greet();
      assert.deepEqual(texts(socket), ["hello"]);
      store(socket, 1);
      assert.deepEqual(shown(), [["hello", "sent"]]);
      conversation.stop();
    });
  }

  test("what one customer wrote is never sent as another", async () => {
    const { conversation, site, shown } = chat({ identity: "A" });
    let left = 0;
    conversation.addEventListener("left", () => { left += 1; });
    conversation.start();
    greet({ conversation: "of A", token: "tA" });
    conversation.say("A's secret");
    conversation.identify("B");
    await pause(600);
    const socket = greet({ conversation: "of B", token: "tB" });
    assert.equal(socket.sent[0].identity, "B");
    assert.deepEqual([texts(socket), shown(), left], [[], [], 1]);
    assert.deepEqual(JSON.parse(sessionStorage.getItem(`candor:chat:${site}`)).pending, []);
    conversation.stop();
  });

  test("nor after the page was loaded again", async () => {
    const first = chat({ identity: "A" });
    first.conversation.start();
    greet({ conversation: "of A", token: "tA" });
    first.conversation.say("A's secret");
    first.conversation.stop();
    const second = new Conversation({ url: "wss://x", site: first.site, memory: new Memory(first.site), identity: "B" });
    second.start();
    const socket = greet({ conversation: "of B", token: "tB" });
    assert.deepEqual([texts(socket), second.entries], [[], []]);
    second.stop();
  });

  test("a newer word on the same customer, or a conversation that is no more, costs no message", async () => {
    const renewed = chat({ identity: "A" });
    renewed.conversation.start();
    greet({ token: "tA" });
    renewed.conversation.say("mine");
    renewed.conversation.identify("A again");
    await pause(600);
    assert.deepEqual(texts(greet()), ["mine"], "the same visitor, the same conversation");
    renewed.conversation.stop();

    const forgotten = chat({ identity: "A" });
    forgotten.conversation.start();
    const socket = greet({ token: "tA" });
    forgotten.conversation.say("mine");
    socket.end();
    await pause(600);
    assert.deepEqual(texts(greet({ conversation: "c2", token: "tA2" })), ["mine"], "the same word: the same customer");
    forgotten.conversation.stop();
  });

  test("a request for a person, a message that was left, a rating and a thumb survive a reload", async () => {
    const first = chat();
    first.conversation.start();
    const before = greet({ token: "t", seq: 1, state: "closed" });
    before.tell({ type: "event", seq: 1, at: 1, kind: "state", from: { role: "system" }, state: "closed", survey: { kind: "ces", question: "" } });
    before.end();
    first.conversation.askForPerson();
    const lost = () => {}; // the page is gone
    first.conversation.leave("Write to me", "sam@mail.example").catch(lost);
    first.conversation.rate(5, "").catch(lost);
    first.conversation.judge({ seq: 1 }, true);
    first.conversation.stop();

    const second = new Conversation({ url: "wss://x", site: first.site, memory: new Memory(first.site) });
    assert.equal(second.asking, true, "the button does not come back");
    second.start();
    const socket = greet();
    const ids = [];
    for (const type of ["human", "leave", "rate", "feedback"]) {
      const frame = socket.sent.at(-1);
      assert.equal(frame.type, type);
      ids.push(frame.id);
      socket.tell({ type: "ack", id: frame.id, seq: 1, at: 1 });
      await pause(1);
    }
    assert.equal(new Set(ids).size, 4);
    assert.deepEqual(JSON.parse(sessionStorage.getItem(`candor:chat:${first.site}`)).requests, []);
    second.stop();
  });

  test("a message that is left again after a failure is stored once", async () => {
    const { conversation } = chat();
    conversation.start();
    const socket = greet({ token: "t" });
    const tries = ["Write to me", "Write to me", "Write to us"].map((text) => async () => {
      const left = conversation.leave(text, "").catch((error) => error.code);
      const frame = socket.of("leave").at(-1);
      socket.tell({ type: "error", id: frame.id, code: "internal" });
      assert.equal(await left, "internal");
      return frame.id;
    });
    const [one, two, three] = [await tries[0](), await tries[1](), await tries[2]()];
    assert.equal(one, two);
    assert.notEqual(two, three, "another text is another message");
    conversation.stop();
  });

  test("a new conversation gives back what the old one did not take", () => {
    const { conversation, shown } = chat();
    const back = [];
    conversation.addEventListener("unsent", ({ detail }) => back.push(detail.text));
    conversation.start();
    const socket = greet({ token: "t" });
    conversation.say("too late");
    conversation.say("this too");
    socket.tell({ type: "error", id: socket.of("say")[0].id, code: "closed" });
    conversation.startAnew();
    assert.deepEqual([back, shown()], [["too late\nthis too"], []]);
    conversation.stop();
  });

  test("who is far behind still learns who has the conversation", () => {
    const { conversation } = chat();
    conversation.start();
    const socket = greet({ token: "t", seq: 5_002, state: "assigned" });
    socket.tell({ type: "reset", reason: "too_far", after: 5_001 });
    socket.tell({ type: "event", seq: 5_002, at: 1, kind: "message", from: { role: "agent", name: "Dana" }, text: "Hello" });
    socket.tell({ type: "resumed", seq: 5_002 });
    assert.equal(conversation.owner, "assigned");
    conversation.stop();
  });

  test("a page that comes back from the cache goes on where another page of the tab was", async () => {
    const { conversation, site, shown } = chat();
    conversation.start();
    greet({ token: "t" });
    conversation.say("on page one");
    conversation.stop();
    const second = new Conversation({ url: "wss://x", site, memory: new Memory(site) });
    second.say("on page two");
    second.stop();

    conversation.start();
    conversation.takeOver();
    conversation.markRead();
    await comesBack();
    const socket = greet();
    assert.deepEqual(shown(), [["on page one", "sending"], ["on page two", "sending"]]);
    store(socket, 1);
    store(socket, 2);
    assert.deepEqual(texts(socket), ["on page one", "on page two"]);
    conversation.takeOver();
    assert.deepEqual(shown(), [["on page one", "sent"], ["on page two", "sent"]], "nothing new: it stays");
    conversation.stop();

    const other = new Conversation({ url: "wss://x", site, memory: new Memory(site), identity: "A" });
    other.signOut();
    conversation.start();
    let left = 0;
    conversation.addEventListener("left", () => { left += 1; });
    conversation.takeOver();
    await comesBack();
    assert.deepEqual([greet({ token: "t2" }).sent[0].token, shown(), left], [undefined, [], 1], "who signed out is not shown again");
    conversation.stop();
  });

  test("who signs out leaves nothing in the field", () => {
    const { conversation } = chat();
    let left = 0;
    conversation.addEventListener("left", () => { left += 1; });
    conversation.start();
    greet({ token: "t" });
    conversation.signOut();
    assert.equal(left, 1);
    conversation.stop();
  });
});

/** A desk of an agent, with the list that the server sends. */
function desk(agent, cards = []) {
  const store = new DeskStore(agent, "wss://x");
  store.start();
  const socket = sockets.at(-1);
  socket.open();
  socket.tell(snapshot(agent, cards));
  return { store, socket };
}

const snapshot = (agent, cards = [], version = 1) => ({ type: "snapshot", version, epoch: "e", me: { id: agent, name: agent, status: "online" }, cards, agents: [] });

describe("the desk", () => {
  test("a refused reply is shown again after a reload, and not sent by itself", async () => {
    const before = desk("dana");
    before.store.write("say", "c1", "Refused");
    before.socket.tell({ type: "error", id: before.socket.of("say")[0].id, code: "forbidden", message: "no" });
    await pause(10);
    before.store.write("say", "c1", "Not answered yet");
    before.store.stop();

    const { store, socket } = desk("dana");
    assert.deepEqual(store.pending("c1").map(({ text, failed }) => [text, failed]), [["Refused", "no"], ["Not answered yet", null]]);
    assert.deepEqual(texts(socket), ["Not answered yet"]);
    store.pending("c1")[0].retry();
    socket.tell({ type: "ack", id: socket.of("say")[0].id, seq: 4 });
    assert.deepEqual(texts(socket), ["Not answered yet", "Refused"], "on its author's word");
    socket.tell({ type: "ack", id: socket.of("say")[1].id, seq: 5 });
    await pause(10);
    assert.equal(sessionStorage.getItem("candor.outbox.dana"), null);
    store.stop();
  });

  test("who signs in where a session expired neither sends nor removes what the other wrote", async () => {
    const first = desk("dana");
    first.store.write("say", "c1", "Dana's");
    first.store.stop();
    const second = desk("mo");
    assert.deepEqual([texts(second.socket), second.store.pending("c1")], [[], []]);
    second.store.write("say", "c2", "Mo's");
    second.socket.tell({ type: "ack", id: second.socket.of("say")[0].id, seq: 2 });
    await pause(10);
    second.store.stop();
    const third = desk("dana");
    assert.deepEqual(texts(third.socket), ["Dana's"]);
    third.store.stop();
  });

  test("who came while the desk was away is announced once", () => {
    const card = (conversation, state) => ({ conversation, state, agent: null });
    const { store, socket } = desk("dana", [card("there before", "queued"), card("still with the bot", "bot")]);
    const arrived = [];
    store.addEventListener("arrived", ({ detail }) => arrived.push(detail.card.conversation));
    const queued = ["there before", "still with the bot", "new"].map((name) => card(name, "queued"));
    socket.tell(snapshot("dana", queued, 7), snapshot("dana", queued, 8));
    assert.deepEqual(arrived, ["still with the bot", "new"]);
    store.stop();
  });

  test("a conversation that is asked for too soon is asked for again", async () => {
    const { store, socket } = desk("dana");
    const missing = [];
    store.addEventListener("missing", ({ detail }) => missing.push(detail));
    store.open("c1");
    socket.tell({ type: "error", id: socket.of("open")[0].id, code: "rate_limited", retry_after_ms: 20 });
    await pause(60);
    assert.deepEqual([socket.of("open").length, missing], [2, []]);
    store.stop();
  });

  test("a reload makes nobody available, and a refused change is not shown as done", async () => {
    const before = desk("dana");
    before.store.setPresence("away");
    before.socket.tell({ type: "ack", id: before.socket.of("status")[0].id });
    before.store.stop();
    const { store, socket } = desk("dana");
    assert.equal(socket.sent[0].status, "away");
    store.stop();
    const other = desk("mo");
    assert.equal(other.socket.sent[0].status, undefined);
    other.socket.tell({ type: "agents", version: 2, agents: [{ id: "mo", status: "online" }] });
    other.store.setPresence("away");
    other.socket.tell({ type: "error", id: other.socket.of("status")[0].id, code: "rate_limited", retry_after_ms: 200 });
    await pause(5);
    assert.equal(other.store.me.status, "online");
    other.store.stop();
  });

  test("what the bot has handled long ago leaves the list, unless somebody reads it", () => {
    const card = (conversation, state, minute) => ({ conversation, state, agent: null, last_at: 1_795_340_000_000 + minute * 60_000 });
    const { store, socket } = desk("dana", [card("old", "bot", 0), card("read", "bot", 0), card("waits", "queued", 0), card("young", "bot", 20)]);
    store.open("read");
    socket.tell({ type: "card", version: 2, card: card("new", "bot", 31) }, { type: "pong", version: 2 });
    assert.deepEqual(store.cards.map(({ conversation }) => conversation), ["read", "waits", "young", "new"]);
    store.stop();
  });
});
