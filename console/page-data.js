// The life of a page that loads something: loading, failed with a way to try again, loaded, and
// cancelled when the page is left. Must not know what is loaded.

import { h, replace } from "./dom.js";
import { failure } from "./shell.js";

/**
 * `<data-page>`: calls `load(signal)` and draws `draw(data)` inside. `reload()` loads again and
 * keeps what is shown until the new data is here.
 */
class DataPage extends HTMLElement {
  #load;
  #draw;
  #abort = null;

  use(load, draw) {
    this.#load = load;
    this.#draw = draw;
    return this;
  }

  connectedCallback() {
    if (!this.firstChild) replace(this, h("p", { class: "loading", role: "status" }, "Loading …"));
    this.reload();
  }

  disconnectedCallback() {
    this.#abort?.abort();
  }

  async reload() {
    this.#abort?.abort();
    const abort = (this.#abort = new AbortController());
    this.setAttribute("aria-busy", "true");
    try {
      const data = await this.#load(abort.signal);
      if (!abort.signal.aborted) replace(this, this.#draw(data));
    } catch (error) {
      if (!abort.signal.aborted) replace(this, failure(error, () => this.reload()));
    } finally {
      if (!abort.signal.aborted) this.removeAttribute("aria-busy");
    }
  }
}
customElements.define("data-page", DataPage);

/** A part of a page that shows what `load` gives. */
export function dataPage(load, draw) {
  return document.createElement("data-page").use(load, draw);
}
