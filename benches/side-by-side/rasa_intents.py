"""Rasa on the questions of intents.py, with the pipeline that `rasa init` suggests, in this process.

    rasa/bin/python rasa_intents.py FOLDER WORK_FOLDER

Trains with all cores (minutes), unless WORK_FOLDER holds the model already, and asks on one. No HTTP in between.
"""

import asyncio
import json
import logging
import os
import subprocess
import sys
import time
from pathlib import Path

# The suggested pipeline without its selector of canned answers, which intents alone do not use.
CONFIG = """
recipe: default.v1
assistant_id: side-by-side
language: en
pipeline:
- name: WhitespaceTokenizer
- name: RegexFeaturizer
- name: LexicalSyntacticFeaturizer
- name: CountVectorsFeaturizer
- name: CountVectorsFeaturizer
  analyzer: char_wb
  min_ngram: 1
  max_ngram: 4
- name: DIETClassifier
  epochs: 100
  constrain_similarities: true
  random_seed: 7
- name: EntitySynonymMapper
- name: FallbackClassifier
  threshold: 0.3
  ambiguity_threshold: 0.1
"""
OFFLINE = {"RASA_TELEMETRY_ENABLED": "false", "TF_CPP_MIN_LOG_LEVEL": "3", "SQLALCHEMY_SILENCE_UBER_WARNING": "1"}
ONE_THREAD = {"TF_INTER_OP_PARALLELISM_THREADS": "1", "TF_INTRA_OP_PARALLELISM_THREADS": "1", "OMP_NUM_THREADS": "1"}


def train(folder, work):
    from intents import examples

    by_intent = {}
    for text, intent in zip(*examples(folder), strict=True):
        # Brackets mark entities in Rasa's format, so they would not be the customer's.
        plain = " ".join(text.replace("[", "(").replace("]", ")").split())
        by_intent.setdefault(intent, []).append(plain)
    lines = ['version: "3.1"', "nlu:"]
    for intent, texts in by_intent.items():
        lines += [f"- intent: {intent.replace('/', '_')}", "  examples: |", *(f"    - {text}" for text in texts)]
    (work / "nlu.yml").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (work / "config.yml").write_text(CONFIG, encoding="utf-8")
    started = time.perf_counter()
    command = [Path(sys.executable).with_name("rasa"), "train", "nlu", "--fixed-model-name", "model"]
    command += ["--nlu", "nlu.yml", "--config", "config.yml", "--out", "."]
    subprocess.run(command, cwd=work, check=True, stdout=subprocess.DEVNULL, env={**os.environ, **OFFLINE})
    (work / "train.json").write_text(json.dumps({"fit_s": time.perf_counter() - started}), encoding="utf-8")


def main():
    folder, work = (Path(argument).resolve() for argument in sys.argv[1:3])
    work.mkdir(parents=True, exist_ok=True)
    if not (work / "train.json").exists():
        train(folder, work)
    os.environ.update({**OFFLINE, **ONE_THREAD})
    import rasa.version
    from rasa.core.agent import Agent
    from rasa.utils.log_utils import configure_structlog
    from rasa.utils.tensorflow.environment import setup_tf_environment

    from intents import ask

    configure_structlog(logging.ERROR)  # otherwise it prints every message
    setup_tf_environment()
    agent = Agent.load(str(work / "model.tar.gz"))
    loop = asyncio.new_event_loop()

    def answer(text):
        # The first in the ranking, whether or not it passes the fallback's threshold, as the others answer too.
        ranking = loop.run_until_complete(agent.parse_message(text))["intent_ranking"]
        return next((found["name"] for found in ranking if found["name"] != "nlu_fallback"), None)

    ask(answer, folder, f"Rasa {rasa.version.__version__}", json.loads((work / "train.json").read_text())["fit_s"])


if __name__ == "__main__":
    main()
