// What a customer takes along: the conversation as a text file, its attached files, and what the server keeps about them.
//
// It knows: how a line of a transcript is written, and where the server gives what it keeps.
// It must not know: what is drawn.
import { make } from "./dom.js";

/** The conversation as lines of text: who said what, and when. */
export function transcript({ business, entries }, texts) {
  const who = ({ role, name }) => {
    if (role === "customer") return texts.say("you");
    return [name, texts.say(role === "bot" ? "aiAssistant" : "personSuffix")].filter(Boolean).join(", ");
  };
  const lines = [business, ""];
  let day = "";
  for (const entry of entries) {
    const date = texts.date(entry.at);
    if (date !== day) lines.push(date, "");
    day = date;
    const said = [entry.reasonText, entry.text].filter(Boolean).join("\n");
    if (!said) continue;
    lines.push(entry.role === "system" || entry.kind === "state" ? `${texts.time(entry.at)}  ${said}` : `${texts.time(entry.at)}  ${who(entry)}:\n${said}`, "");
  }
  return lines.join("\n");
}

/** All that the server keeps about whoever holds the token, as a file's text. */
export async function keptAbout(token) {
  const answer = await fetch(new URL("../v1/me", location.href), { headers: { authorization: `Bearer ${token}` } });
  if (!answer.ok) throw new Error(String(answer.status));
  return JSON.stringify(await answer.json(), null, 2);
}

/** A file of the conversation, for whoever holds the token. */
export async function attached({ id }, token) {
  const answer = await fetch(new URL(`../v1/attachments/${id}`, location.href), { headers: { authorization: `Bearer ${token}` } });
  if (!answer.ok) throw new Error(String(answer.status));
  return answer.blob();
}

/** Gives a text, or bytes, to the browser as a file of this name. */
export function download(name, type, content) {
  const address = URL.createObjectURL(new Blob([content], { type }));
  const link = make("a", { href: address, download: name, hidden: true });
  document.body.append(link);
  link.click();
  link.remove();
  // The browser may begin to read it a moment later.
  setTimeout(() => URL.revokeObjectURL(address), 60_000);
}
