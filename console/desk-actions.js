// What an agent may do with a conversation, once for buttons, menu and keys.
// Must not draw: it names the actions that fit a card, and runs them through the store.

import { toast, toastError, undoable } from "./toast.js";

/** Conversations whose close waits for its undo: conversation -> {now, undo}. */
const closing = new Map();

/** Actions that fit `card`, in the order of the toolbar: [{name, label, key, primary, run}]. */
export function actionsFor(store, card) {
  if (!card || closing.has(card.conversation)) return [];
  const mine = card.state === "assigned" && card.agent?.id === store.me?.id;
  if (card.state === "queued") return [{ name: "claim", label: "Claim", key: "c", primary: true, run: () => claim(store, card) }];
  if (card.state === "bot" || card.state === "offered") {
    return [{ name: "claim", label: "Take over", key: "c", primary: true, run: () => claim(store, card) }];
  }
  if (!mine) return [];
  return [
    { name: "transfer", label: "Transfer", key: "t", choices: () => transferChoices(store, card) },
    { name: "release", label: "Back to queue", run: () => act(store, "release", card, "Back in the queue") },
    { name: "return_to_bot", label: "Back to bot", key: "b", run: () => act(store, "return_to_bot", card, "The bot answers again") },
    { name: "close", label: "Close", key: "e", run: () => close(store, card) },
  ];
}

/** True while a close can still be undone. */
export const isClosing = (conversation) => closing.has(conversation);

/** Takes back a close that was not done yet. */
export const undoClose = (conversation) => closing.get(conversation)?.undo();

async function claim(store, card) {
  try {
    await store.act("claim", card.conversation);
  } catch (error) {
    toastError(error);
  }
}

async function act(store, type, card, done, fields) {
  try {
    await store.act(type, card.conversation, fields);
    toast(`${card.customer}: ${done.charAt(0).toLowerCase()}${done.slice(1)}`);
  } catch (error) {
    toastError(error);
  }
}

function transferChoices(store, card) {
  return store.agents
    .filter((agent) => agent.id !== store.me?.id && agent.status === "online")
    .map((agent) => ({
      label: agent.name,
      hint: "online",
      run: () => act(store, "transfer", card, `Transferred to ${agent.name}`, { agent: agent.id }),
    }));
}

// Closing cannot be taken back on the server, so the wait for the undo is here.
function close(store, card) {
  const { conversation } = card;
  const settle = () => {
    closing.delete(conversation);
    store.dispatchEvent(new CustomEvent("cards", { detail: { changed: conversation } }));
  };
  closing.set(
    conversation,
    undoable(
      `Closing ${card.customer} …`,
      async () => {
        try {
          await store.act("close", conversation);
        } catch (error) {
          toastError(error);
        } finally {
          settle();
        }
      },
      { onundo: settle },
    ),
  );
  store.dispatchEvent(new CustomEvent("cards", { detail: { changed: conversation } }));
}
