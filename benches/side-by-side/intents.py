"""What a customer's question asks: accuracy and milliseconds per message, in this process, one message at a time.

    python intents.py draw BANKING77_FOLDER OUT_FOLDER     the examples that all fit on, and the questions
    python intents.py tfidf|minilm FOLDER [--models DIR]   fits, asks, prints JSON

tfidf is words and pairs of words with logistic regression; minilm is the packaged encoder in PyTorch with the same
regression on its vectors. rasa_intents.py and intents.mjs do the same for Rasa and node-nlp.
"""

import argparse
import csv
import json
import random
import statistics
import time
from pathlib import Path

SEED = 7
EXAMPLES = 10  # of each intent
WARM_UP = 50  # messages asked before the clock starts


def read(path):
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    return [row["text"].strip() for row in rows], [row["category"] for row in rows]


def draw(source, folder):
    texts, intents = read(source / "train.csv")
    chance = random.Random(SEED)
    by_intent = {intent: [] for intent in sorted(set(intents))}
    for text, intent in zip(texts, intents, strict=True):
        by_intent[intent].append(text)
    train = [(text, intent) for intent, known in by_intent.items() for text in chance.sample(known, EXAMPLES)]
    folder.mkdir(parents=True, exist_ok=True)
    for name, rows in (("train.csv", train), ("test.csv", zip(*read(source / "test.csv"), strict=True))):
        with (folder / name).open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows([("text", "category"), *rows])
    # For node, which reads no CSV.
    for name, (texts, intents) in (("train", examples(folder)), ("test", read(folder / "test.csv"))):
        rows = list(zip(texts, intents, strict=True))
        (folder / f"{name}.json").write_text(json.dumps(rows), encoding="utf-8")


def examples(folder):
    """What is fitted on: the draw and, because candor takes it as an example too, each intent's name in words."""
    texts, intents = read(folder / "train.csv")
    names = sorted(set(intents))
    return texts + [name.replace("_", " ") for name in names], intents + names


def ask(answer, folder, version, fit_s):
    """Asks all questions one after another; `answer` gives an intent for a text."""
    texts, intents = read(folder / "test.csv")
    for text in texts[:WARM_UP]:
        answer(text)
    times, right = [], 0
    for text, intent in zip(texts, intents, strict=True):
        started = time.perf_counter()
        found = answer(text)
        times.append((time.perf_counter() - started) * 1000)
        right += found == intent
    p99 = statistics.quantiles(times, n=100)[98]
    figures = {"version": version, "fit_s": fit_s, "p50_ms": statistics.median(times), "p99_ms": p99}
    print(json.dumps({**figures, "accuracy": right / len(texts), "questions": len(texts)}))


def fit_tfidf(_models):
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    words = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True)
    return make_pipeline(words, LogisticRegression(C=10, max_iter=1000))


def fit_minilm(models):
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import FunctionTransformer

    from engines import open_torch

    encode = open_torch(models, "float32")
    return make_pipeline(FunctionTransformer(encode), LogisticRegression(C=10, max_iter=1000))


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("what", choices=("draw", "tfidf", "minilm"))
    arguments.add_argument("folders", type=Path, nargs="+")
    arguments.add_argument("--models", type=Path)
    given = arguments.parse_args()
    if given.what == "draw":
        return draw(*given.folders)
    import sklearn

    folder = given.folders[0]
    texts, intents = examples(folder)
    started = time.perf_counter()
    classifier = {"tfidf": fit_tfidf, "minilm": fit_minilm}[given.what](given.models)
    classifier.fit(texts, intents)
    took = time.perf_counter() - started
    return ask(lambda text: classifier.predict([text])[0], folder, f"scikit-learn {sklearn.__version__}", took)


if __name__ == "__main__":
    main()
