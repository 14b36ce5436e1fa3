// The notice that sample conversations are among the real ones, with the way to remove them.
// Must not know the page it stands on; `onremoved` tells the page to load again.

import { about, removeDemo } from "./api.js";
import { h } from "./dom.js";
import { twoStep } from "./form.js";
import { plural } from "./format.js";
import { toast, toastError } from "./toast.js";

/** A banner that appears once the server says that there is sample data. */
export function demoBanner(onremoved) {
  const banner = h("div", { class: "banner", hidden: true });
  about().then(
    ({ demo_conversations: n }) => {
      if (!n) return;
      banner.append(
        h("p", null, h("strong", null, "Sample data. "), `${plural(n, "conversation")} here ${n === 1 ? "is" : "are"} made up, so that the console is not empty on the first day.`),
        twoStep("Remove sample data", `Really remove ${n}?`, remove, { kind: "small" }),
      );
      banner.hidden = false;
    },
    () => {}, // Without the answer there is nothing to tell.
  );

  async function remove() {
    try {
      await removeDemo();
      banner.remove();
      toast("The sample conversations are gone.");
      onremoved();
    } catch (error) {
      toastError(error);
    }
  }
  return banner;
}
