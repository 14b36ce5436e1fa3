// Types of what the loader (/widget.js) puts on a page: `window.candor` and <candor-chat>.

/** What the page may learn of the chat; never a word of what is said. */
export interface CandorEvents {
  open: Record<string, never>;
  close: Record<string, never>;
  /** Messages that were not seen yet. */
  unread: { count: number };
  message: { role: "bot" | "agent"; seq: number };
  handoff: { state: "queued" | "assigned" };
  /** The identity was not taken, and why. */
  unidentified: { reason: string };
}

export interface Candor {
  /** Shows the chat and moves the focus into it. */
  open(): void;
  /** Hides it; the conversation goes on. */
  close(): void;
  /** Shows and hides the launcher. */
  show(): void;
  hide(): void;
  /** A token of your own server (docs/identity.md); `null` when the customer signs out. */
  identify(token: string | null): void;
  /** A BCP 47 tag such as "de-AT"; without one, the page's language counts again. */
  setLanguage(locale?: string): void;
  /** Tells the triggers of invitations what happened on the page; it is sent nowhere. */
  track(name: string, detail?: { value?: number; number?: string }): void;
  /** Calls `listener` each time; gives the function that ends it. */
  on<Name extends keyof CandorEvents>(name: Name, listener: (detail: CandorEvents[Name]) => void): () => void;
}

/** What a page may leave for the loader before it is there. */
export interface CandorBefore {
  identity?: string;
  q?: [name: string, detail?: { value?: number; number?: string }][];
}

export interface CandorChatElement extends HTMLElement {
  readonly opened: boolean;
  open(): void;
  close(): void;
  identify(token: string | null): void;
}

declare global {
  interface Window {
    candor?: Candor | CandorBefore;
  }
  interface HTMLElementTagNameMap {
    "candor-chat": CandorChatElement;
  }
}
