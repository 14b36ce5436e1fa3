// Registers the <candor-chat> element, once per page.
//
// It knows: the element's name. It must not know what the element does.
import { CandorChat } from "./element.js";

if (!customElements.get("candor-chat")) customElements.define("candor-chat", CandorChat);
