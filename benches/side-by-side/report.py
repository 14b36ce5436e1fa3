"""The figures of measure.py as Markdown tables and as a picture.

`python report.py figures.json [--picture FILE.svg]` writes them again without measuring.
"""

import argparse
import html
import json
from pathlib import Path

LABELS = {
    "torch-f32": "PyTorch f32 (sentence-transformers {number})",
    "torch-bf16": "PyTorch bfloat16 (sentence-transformers {number})",
    "onnxruntime-f32": "onnxruntime f32 ({number})",
    "onnxruntime-int8": "onnxruntime int8 ({number})",
    "openvino-f32": "OpenVINO f32 file ({number})",
    "openvino-int8": "OpenVINO int8 ({number})",
    "rten-f32": "rten f32 ({number})",
    "rten-int8": "rten int8 ({number})",
    "candor": "candor, the whole reading ({version})",
    "tfidf": "TF-IDF and logistic regression (scikit-learn {number})",
    "minilm": "MiniLM in PyTorch and logistic regression (scikit-learn {number})",
    "node-nlp": "node-nlp ({number})",
    "rasa": "Rasa, DIET ({number})",
}
LOADED = 1.5  # load of the machine from which the figures deserve a warning
FEATURES = ("avx2", "avx512f", "avx512_vnni", "avx_vnni", "avx512_bf16", "amx_bf16", "amx_int8")


def features():
    """What the processor offers that matters here."""
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("flags"):
            return [name for name in FEATURES if name in line.split()]
    return []


def label(name, found):
    version = found.get("label") or found.get("version")
    return LABELS.get(name, "{version}").format(version=version, number=version.split()[-1])


def milliseconds(value):
    return f"{value:.2f}" if value < 10 else f"{value:.1f}" if value < 100 else f"{value:.0f}"


def case_of(engine, tokens, size):
    return next((case for case in engine["cases"] if (case["tokens"], case["size"]) == (tokens, size)), None)


def by_speed(engines, tokens, size):
    known = [(name, engine) for name, engine in engines.items() if case_of(engine, tokens, size)]
    return sorted(known, key=lambda found: case_of(found[1], tokens, size)["p50_ms"])


def table(head, rows):
    lines = [f"| {' | '.join(head)} |", "|" + "|".join(["---"] + ["--:"] * (len(head) - 1)) + "|"]
    return "\n".join([*lines, *(f"| {' | '.join(row)} |" for row in rows)])


def encoder_table(engines, size):
    lengths = sorted({case["tokens"] for engine in engines.values() for case in engine["cases"]})
    rows = []
    for name, engine in by_speed(engines, 16, size):
        cells = []
        for tokens in lengths:
            case = case_of(engine, tokens, size)
            cells.append(f"{milliseconds(case['p50_ms'])} ({case['texts_per_second']:,.0f})" if case else "-")
        cosine = f"{engine['cosine']:.4f}" if "cosine" in engine else "-"
        rows.append([label(name, engine), *cells, cosine])
    return table(["engine", *(f"{tokens} tokens" for tokens in lengths), "cosine"], rows)


def intents_table(intents):
    rows = []
    for name, found in sorted(intents.items(), key=lambda found: -found[1]["accuracy"]):
        fit = f"{found['fit_s']:.1f}" if found["fit_s"] is not None else "-"
        times = [milliseconds(found[name]) for name in ("p50_ms", "p99_ms")]
        rows.append([label(name, found), f"{found['accuracy']:.1%}", *times, fit])
    return table(["engine", "accuracy", "p50 ms", "p99 ms", "fitted in s"], rows)


def markdown(figures):
    engines, intents = figures["engines"], figures["intents"]
    low, high = figures["load"]
    parts = [
        f"{figures['date']}, {figures['processor']} ({', '.join(figures['flags'])}). One thread on one core; "
        f"{figures['rounds']} x {figures['seconds']} s a case. Load of the machine before each run: "
        f"{low:.1f} to {high:.1f}."
    ]
    if high >= LOADED:
        parts.append("**The machine was busy with other work: compare the rows, and repeat before you quote a time.**")
    for size in (1, 8, 32):
        of = "1 text" if size == 1 else f"{size} texts"
        parts += [f"Sentence encoder alone, {of} a call: milliseconds of a call (texts a second)"]
        parts += [encoder_table(engines, size)]
    if intents:
        parts += ["A customer's question, banking77, 10 examples an intent", intents_table(intents)]
    if figures["skipped"]:
        parts.append("Left out: " + "; ".join(f"{name} ({why})" for name, why in figures["skipped"].items()) + ".")
    return "\n\n".join(parts) + "\n"


STYLE = """
.ground { fill: #ffffff; } .text { fill: #1f2328; } .quiet { fill: #59636e; }
.other { fill: #8c96a1; } .ours { fill: #0a7d6b; }
@media (prefers-color-scheme: dark) {
.ground { fill: #0d1117; } .text { fill: #e6edf3; } .quiet { fill: #9198a1; }
.other { fill: #59636e; } .ours { fill: #2dbd9f; }
}
text { font: 13px system-ui, "Segoe UI", "DejaVu Sans", sans-serif; } .title { font-size: 15px; font-weight: 600; }
.bold { font-weight: 600; }
"""
WIDTH, EDGE, NAMES, ROW, BAR = 800, 20, 300, 24, 14
LONGEST = WIDTH - NAMES - 2 * EDGE - 150  # the rest is for the figure behind the bar


def panel(top, title, rows):
    """A title and a bar for each (name, value, figure, ours); returns the elements and the next free line."""
    out = [f'<text class="text title" x="{EDGE}" y="{top}">{html.escape(title)}</text>']
    most = max(value for _, value, _, _ in rows)
    for at, (name, value, figure, ours) in enumerate(rows):
        y = top + 14 + at * ROW
        end = EDGE + NAMES - 10
        kind, weight = ("ours", " bold") if ours else ("other", "")
        width = max(2.0, LONGEST * value / most)
        out += [
            f'<text class="text{weight}" x="{end}" y="{y + 12}" text-anchor="end">{html.escape(name)}</text>',
            f'<rect class="{kind}" x="{EDGE + NAMES}" y="{y}" width="{width:.1f}" height="{BAR}" rx="2"/>',
            f'<text class="text{weight}" x="{EDGE + NAMES + width + 8:.1f}" y="{y + 12}">{html.escape(figure)}</text>',
        ]
    return out, top + 14 + len(rows) * ROW + 26


def short(name, found):
    """A label without versions, for the picture; the table has them."""
    names = {"candor": "candor", "tfidf": "TF-IDF, regression", "minilm": "MiniLM in PyTorch, regression"}
    return names.get(name) or label(name, found).split(" (")[0]


def picture(figures):
    engines, intents = figures["engines"], figures["intents"]
    elements, top = [], 34
    panels = []
    for title, tokens, size, unit in (
        ("Encoder, one text of 16 tokens: milliseconds, less is better", 16, 1, "ms"),
        ("Encoder, 32 texts of 32 tokens: texts a second, more is better", 32, 32, "rate"),
    ):
        rows = []
        for name, engine in by_speed(engines, tokens, size):
            if name == "candor-scalar":  # for processors without any of the others; beside it no bar could be read
                continue
            case = case_of(engine, tokens, size)
            value = case["p50_ms"] if unit == "ms" else case["texts_per_second"]
            figure = f"{milliseconds(value)} ms" if unit == "ms" else f"{value:,.0f}"
            rows.append((short(name, engine), value, figure, name.startswith("candor-") and name != "candor-f32"))
        panels.append((title, rows))
    rows = []
    for name, found in sorted(intents.items(), key=lambda found: -found[1]["accuracy"]):
        figure = f"{found['accuracy']:.1%}, {milliseconds(found['p50_ms'])} ms"
        rows.append((short(name, found), found["accuracy"], figure, name == "candor"))
    panels.append(("Right intent of 77 from 10 examples each, and time for a message: more is better", rows))
    for title, rows in panels:
        if rows:
            found, top = panel(top, title, rows)
            elements += found
    note = f"One thread. {figures['processor']}, {figures['date']}. benches/side-by-side"
    elements.append(f'<text class="quiet" x="{EDGE}" y="{top}">{html.escape(note)}</text>')
    height = top + 18
    size = f'width="{WIDTH}" height="{height}"'
    head = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" {size} role="img">',
        "<title>Speed and accuracy of candor beside other engines</title>",
        f"<style>{STYLE}</style>",
        f'<rect class="ground" {size} rx="6"/>',
    ]
    return "\n".join([*head, *elements, "</svg>\n"])


def write(figures, tables, svg):
    text = markdown(figures)
    tables.write_text(text, encoding="utf-8")
    svg.write_text(picture(figures), encoding="utf-8")
    print(text)
    print(f"{tables} and {svg} written")


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("figures", type=Path)
    arguments.add_argument("--picture", type=Path)
    given = arguments.parse_args()
    figures = json.loads(given.figures.read_text(encoding="utf-8"))
    svg = given.picture or given.figures.with_name("side-by-side.svg")
    write(figures, given.figures.with_suffix(".md"), svg)


if __name__ == "__main__":
    main()
