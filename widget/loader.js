// The one script tag of a site: <script src="https://chat.example/widget.js" data-site="default" async></script>
// Optional: data-accent="#2f5d50", data-position="left". Served as /widget.js with the build id filled in.
//
// It knows: where it came from, and its own attributes.
// It must not know: anything of the chat. It stores nothing and opens no socket.
//
// A strict Content-Security-Policy of the host page needs candor's origin in
// `script-src` and its wss: address in `connect-src`; no inline style or script is used.
(() => {
  const script = document.currentScript;
  if (!script || document.querySelector("candor-chat")) return;
  const start = async () => {
    await import(new URL("assets/__BUILD__/widget/define.js", script.src).href);
    // Two tags on one page race through the import; the first one to get here wins.
    if (document.querySelector("candor-chat")) return;
    const chat = document.createElement("candor-chat");
    for (const name of ["site", "accent", "position", "locale"]) {
      if (script.dataset[name]) chat.setAttribute(name, script.dataset[name]);
    }
    document.body.append(chat);
  };
  const run = () => start().catch((error) => console.error("candor: the chat could not be loaded.", error));
  if (document.body) run();
  else addEventListener("DOMContentLoaded", run, { once: true });
})();
