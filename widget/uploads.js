// Files on their way to the server, each until it is stored or refused.
//
// It knows: where a file goes, and that a network that is away comes back.
// It must not know: what a conversation looks like, or which frames tell of a stored file.
import { RequestError } from "./connection.js";

const FIRST_PAUSE = 1_000;
const LONGEST_PAUSE = 20_000;

// What the server says for good, by status; anything else is tried again.
const REFUSED = { 400: "file", 401: "refused", 403: "refused", 404: "refused", 409: "closed", 413: "too_large", 422: "file" };

export class Uploads {
  #ended = new AbortController();
  #wakers = new Set();

  /** Sends a file under an id, which makes a second try harmless. `where()` names the conversation and the token. */
  async send(id, file, where) {
    const { signal } = this.#ended;
    for (let pause = FIRST_PAUSE; ; pause = Math.min(pause * 2, LONGEST_PAUSE)) {
      const { conversation, token } = where();
      const address = new URL(`../v1/conversations/${conversation}/attachments/${id}?name=${encodeURIComponent(file.name)}`, location.href);
      const answer = await fetch(address, { method: "PUT", headers: { authorization: `Bearer ${token}` }, body: file, signal }).catch(() => null);
      if (answer?.ok) return;
      if (signal.aborted) throw new RequestError("cancelled");
      const code = REFUSED[answer?.status];
      if (code) throw new RequestError(code);
      await this.#wait(pause);
    }
  }

  /** The network is back: what waits is tried at once. */
  wake() {
    for (const waker of this.#wakers) waker();
  }

  /** Ends all of them. */
  cancel() {
    this.#ended.abort();
    this.#ended = new AbortController();
    this.wake();
  }

  #wait(pause) {
    return new Promise((resolve) => {
      const waker = () => {
        clearTimeout(timer);
        this.#wakers.delete(waker);
        resolve();
      };
      const timer = setTimeout(waker, pause);
      this.#wakers.add(waker);
    });
  }
}
