"""Scores of the tools that a business would otherwise pick, on labelled rows, for `candor eval --predictions`.

    python3 -m venv /tmp/baselines && /tmp/baselines/bin/pip install vaderSentiment textblob afinn scikit-learn
    /tmp/baselines/bin/python benches/baselines/predict.py ROWS.csv OUT_FOLDER [--corpus models/data]

ROWS is a CSV with a `text` column, or our own dialogues (JSON lines); the rows of OUT_FOLDER/{vader,textblob,afinn,
tfidf}.csv are in the same order, and rows.txt is what predict.mjs reads. The lexicons have no frustration: the negative score stands in for it. The
TF-IDF regression is trained on the same support turns and posts as the model.
"""

import argparse
import csv
import json
import math
from pathlib import Path


def rows(path):
    if path.suffix == ".jsonl":
        for line in path.read_text(encoding="utf-8").splitlines():
            found = json.loads(line)
            for turn in found.get("turns", [found]):
                if turn.get("who", "customer") == "customer":
                    yield turn
    else:
        with path.open(encoding="utf-8", newline="") as file:
            yield from csv.DictReader(file)


def by_compound(compound, threshold):
    """A score from -1 to 1 as the columns of a prediction; the tools' own neutral zone."""
    sentiment = "positive" if compound >= threshold else "negative" if compound <= -threshold else "neutral"
    negative = (1 - compound) / 2
    return {"sentiment": sentiment, "negative": negative, "positive": 1 - negative, "frustration": negative}


def vader(texts):
    from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

    analyzer = SentimentIntensityAnalyzer()
    return [by_compound(analyzer.polarity_scores(text)["compound"], 0.05) for text in texts]


def textblob(texts):
    from textblob import TextBlob

    return [by_compound(TextBlob(text).sentiment.polarity, 1e-9) for text in texts]


def afinn(texts):
    from afinn import Afinn

    lexicon = Afinn(emoticons=True)
    return [by_compound(math.tanh(lexicon.score(text) / 4), 1e-9) for text in texts]


def tfidf(texts, corpus):
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    turns = [turn for name in "abdefghijlmopqrsvwxy" for turn in rows(corpus / f"support-{name}.jsonl")]
    posts = [post for path in sorted(corpus.glob("posts-*.jsonl")) for post in rows(path)]

    def fit(learned, label):
        words = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, min_df=2)
        regression = LogisticRegression(C=10, max_iter=500, class_weight="balanced")
        return make_pipeline(words, regression).fit([row["text"] for row in learned], [label(row) for row in learned])

    mood = fit(turns + posts, lambda row: row["sentiment"])
    anger = fit(turns, lambda row: row["frustration"] in ("clear", "severe"))
    shares, angry = mood.predict_proba(texts), anger.predict_proba(texts)[:, 1]
    places = {name: place for place, name in enumerate(mood.classes_)}
    return [
        {
            "sentiment": mood.classes_[share.argmax()],
            "negative": share[places["negative"]],
            "positive": share[places["positive"]],
            "frustration": other,
        }
        for share, other in zip(shares, angry)
    ]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rows", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--corpus", type=Path, default=Path("models/data"))
    options = parser.parse_args()
    texts = [row["text"] for row in rows(options.rows)]
    options.out.mkdir(parents=True, exist_ok=True)
    # One text a line, for predict.mjs.
    (options.out / "rows.txt").write_text("".join(" ".join(text.split()) + "\n" for text in texts), encoding="utf-8")
    tools = {"vader": vader, "textblob": textblob, "afinn": afinn, "tfidf": lambda all: tfidf(all, options.corpus)}
    for name, tool in tools.items():
        with (options.out / f"{name}.csv").open("w", encoding="utf-8", newline="") as file:
            table = csv.DictWriter(file, ["sentiment", "negative", "positive", "frustration"])
            table.writeheader()
            table.writerows(tool(texts))


if __name__ == "__main__":
    main()
