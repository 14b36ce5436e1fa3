"""Runs every engine that is there, one at a time, and writes figures, a Markdown table and a picture.

    python measure.py WORK_FOLDER --candor PROGRAM [--quick] [--picture FILE.svg]

`run` calls it after it has installed what there is. What is missing or fails is left out, and the table says why. The
rounds go over all engines in turn, so that a busy minute of the machine does not fall on one of them alone.
"""

import argparse
import json
import math
import os
import platform
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path

import report

HERE = Path(__file__).resolve().parent
# What else could start threads, in any of the engines.
ONE_THREAD = {
    name: "1" for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "RAYON_NUM_THREADS", "CANDLE_NUM_THREADS")
} | {"HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}
LIMIT_S = 1800


class Bench:
    def __init__(self, given):
        self.given = given
        self.work = given.work.resolve()
        self.models = self.work / "models"
        self.python = sys.executable
        self.skipped = {}
        self.loads = []
        # All on one core: helper threads gain nothing, and all engines share it with the same neighbours.
        core = max(os.sched_getaffinity(0))
        self.pin = ["taskset", "-c", str(core)] if shutil.which("taskset") else []

    def call(self, name, command, pinned=True):
        """What a command prints as JSON; none if it fails, which is noted under its name."""
        self.loads.append(os.getloadavg()[0])
        print(f"{time.strftime('%H:%M:%S')} {name}", file=sys.stderr, flush=True)
        words = [str(word) for word in (*(self.pin if pinned else []), *command)]
        try:
            done = subprocess.run(words, capture_output=True, text=True, timeout=LIMIT_S, env=os.environ | ONE_THREAD)
        except (OSError, subprocess.TimeoutExpired) as error:
            self.skipped[name] = str(error)
            return None
        if done.returncode:
            self.skipped[name] = (done.stderr.strip().splitlines() or ["no message"])[-1][:200]
            return None
        return json.loads(done.stdout[done.stdout.index("{") :])

    def candor(self, *words):
        return [self.given.candor.resolve(), *words, *(["--models", self.given.model] if self.given.model else [])]

    def encoders(self, seconds):
        """Name, label and command of each engine that reads the texts alone."""
        from engines import ENGINES

        # The cheapest call that names the tiers; its figures are not used.
        first = self.call("candor", self.candor("bench", "--json", "--seconds", "0.001"))
        tiers = [*(first or {}).get("tiers_here", []), "f32"] if first else []
        for tier in tiers:
            label = "candle f32 (candor's reference)" if tier == "f32" else f"candor int8, {tier}"
            command = self.candor("bench", "--json", "--threads", "1", "--seconds", seconds, "--tier", tier)
            yield f"candor-{tier}", label, command
        for name, (_, _, file) in ENGINES.items():
            if file.endswith((".onnx", ".xml")) and not (self.models / file).exists():
                self.skipped[name] = f"{file} was not made"
                continue
            yield name, None, [self.python, HERE / "engines.py", name, "--models", self.models, "--seconds", seconds]
        rten = self.work / "rten-target" / "release" / "rten-side-by-side"
        for name, file in (("rten-f32", "f32.onnx"), ("rten-int8", "int8.onnx")):
            tokenizer = self.models / "minilm" / "tokenizer.json"
            yield name, None, [rten, self.models / file, tokenizer, self.models / "texts.json", seconds]

    def speeds(self, rounds, seconds):
        engines = list(self.encoders(seconds))
        found = {}
        for number in range(rounds):
            for name, label, command in engines:
                if name in self.skipped:
                    continue
                answer = self.call(name, command)
                if answer:
                    found.setdefault(name, {"label": label, "runs": []})["runs"].append(answer)
            print(f"round {number + 1} of {rounds} done", file=sys.stderr)
        return {name: joined(engine["label"], engine["runs"]) for name, engine in found.items()}

    def intents(self, readings):
        """Accuracy and speed of a whole turn."""
        if not self.given.questions:
            self.skipped["intents"] = "no --questions FOLDER with banking77"
            return {}
        folder = self.work / "intents"
        if not (folder / "test.json").exists():
            subprocess.run([self.python, HERE / "intents.py", "draw", self.given.questions, folder], check=True)
        found = {}
        csv = ("--train", folder / "train.csv", "--test", folder / "test.csv")
        ours = [found for name, found in readings.items() if name.startswith("candor-")]
        answer = self.call("candor-intents", self.candor("intents", *csv, "--per-class", "10", "--seeds", "1"), False)
        if answer and ours:
            # The fastest tier is the one that the server takes.
            label, reading = min(map(reading_of, ours), key=lambda found: found[1]["p50_ms"])
            accuracy = answer["clean"]["mean"]["accuracy"]
            found["candor"] = {"version": label, "accuracy": accuracy, "fit_s": None} | reading
        commands = {
            "tfidf": [self.python, HERE / "intents.py", "tfidf", folder],
            "minilm": [self.python, HERE / "intents.py", "minilm", folder, "--models", self.models],
            "node-nlp": ["node", HERE / "intents.mjs", folder, self.work / "node_modules"],
            "rasa": [self.work / "rasa" / "bin" / "python", HERE / "rasa_intents.py", folder, self.work / "rasa-model"],
        }
        trained = (self.work / "rasa-model" / "train.json").exists()
        if self.given.quick and not trained:
            del commands["rasa"]
            self.skipped["rasa"] = "trains for minutes; not with --quick"
        for name, command in commands.items():
            # Rasa trains on all cores and keeps itself to one thread afterwards.
            answer = self.call(name, command, name != "rasa" or trained)
            if answer:
                found[name] = answer
        return found


def reading_of(engine):
    """What one message costs as a whole: 16 tokens, one caller."""
    cases = engine["readings"]
    return engine["label"], next(case for case in cases if (case["tokens"], case["size"]) == (16, 1))


def joined(label, runs):
    """The median over the runs, case by case, and of candor the whole readings apart."""
    cases = {}
    for case in (case for run in runs for case in run["cases"]):
        cases.setdefault((case.get("what", "meaning"), case["tokens"], case["size"]), []).append(case)

    def middle(key):
        of = {name: statistics.median(case[name] for case in cases[key]) for name in ("p50_ms", "texts_per_second")}
        p99 = [case["p99_ms"] for case in cases[key] if "p99_ms" in case]
        return {"tokens": key[1], "size": key[2], **of} | ({"p99_ms": statistics.median(p99)} if p99 else {})

    first = runs[0]
    return {
        "label": label or first["version"],
        "cases": [middle(key) for key in cases if key[0] == "meaning"],
        "readings": [middle(key) for key in cases if key[0] == "reading"],
        "resident_mib": first.get("resident_mib"),
        "vectors": first.get("vectors"),
    }


def cosine(first, second):
    product = sum(a * b for a, b in zip(first, second, strict=True))
    return product / math.hypot(*first) / math.hypot(*second)


def agreement(engines):
    """Mean cosine of each engine's vectors with those of PyTorch in f32: that it computes the same thing."""
    reference = engines.get("torch-f32", {}).get("vectors")
    for engine in engines.values():
        vectors = engine.pop("vectors")
        if vectors and reference:
            engine["cosine"] = statistics.mean(map(cosine, vectors, reference))


def processor():
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("work", type=Path)
    arguments.add_argument("--candor", type=Path, required=True, help="the program")
    arguments.add_argument("--model", type=Path, help="its model folder, if it is not beside it or here")
    arguments.add_argument("--questions", type=Path, help="banking77: a folder with train.csv and test.csv")
    arguments.add_argument("--quick", action="store_true", help="one short round, and no training of Rasa")
    arguments.add_argument("--picture", type=Path, help="where the SVG goes [default: WORK_FOLDER]")
    given = arguments.parse_args()
    rounds, seconds = (1, 0.2) if given.quick else (5, 0.5)
    bench = Bench(given)
    engines = bench.speeds(rounds, seconds)
    agreement(engines)
    figures = {
        "date": time.strftime("%Y-%m-%d"),
        "processor": f"{processor()}, {os.cpu_count()} cores",
        "flags": report.features(),
        "rounds": rounds,
        "seconds": seconds,
        "engines": engines,
        "intents": {},
        "skipped": bench.skipped,
        "load": [min(bench.loads), max(bench.loads)],
    }
    # The first half is kept even if the second is interrupted.
    (bench.work / "figures.json").write_text(json.dumps(figures, indent=1), encoding="utf-8")
    figures |= {"intents": bench.intents(engines), "load": [min(bench.loads), max(bench.loads)]}
    (bench.work / "figures.json").write_text(json.dumps(figures, indent=1), encoding="utf-8")
    report.write(figures, bench.work / "figures.md", given.picture or bench.work / "side-by-side.svg")


if __name__ == "__main__":
    main()
