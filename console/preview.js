// Puts the chat on the preview's page, as the snippet of the Install page would. Must not know the console.

const given = new URLSearchParams(location.search);
const script = document.createElement("script");
script.src = new URL("/widget.js", location.href).href;
for (const name of ["accent", "position", "locale"]) if (given.get(name)) script.dataset[name] = given.get(name);
script.dataset.noTriggers = "";
document.body.append(script);
