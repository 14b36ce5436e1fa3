"""The texts that every engine reads: those of `candor bench`, so that all read the same ones.

A text of a length is one sentence of words of one token each, cut or joined to that length; its number varies the
words, so that no engine can answer from memory. `python texts.py TOKENIZER.json OUT.json` writes them and refuses
to if the tokenizer counts another length.
"""

import json
import sys
from pathlib import Path

LENGTHS = (8, 16, 32, 64, 128)  # tokens, with both marks
SIZES = (1, 8, 32)  # texts of a call
WORDS = ["where", "is", "my", "order", "and", "when", "will", "it", "come", "please", "help", "me"]
DIFFERENT = 997

# On these the vectors of two engines are compared; their lengths differ, so padding and its mask are tried as well.
CHECK = [
    "Where is my order?",
    "I was charged twice for the same jacket and nobody answers my mails.",
    "Thanks, that solved it!",
    "Can I still change the delivery address? The parcel has not left yet, as far as I can see.",
    "How do I close my account",
    "The app says wrong password, but I reset it an hour ago and it worked on my laptop.",
    "do you ship to Norway and what does it cost",
    "I'd like to speak to a person, please.",
]


def text(tokens, number):
    """As `text` in src/cli/bench.rs."""
    digits = number % DIFFERENT
    words = (WORDS[(at + digits // len(WORDS) ** min(at, 9)) % len(WORDS)] for at in range(tokens - 2))
    return " ".join(words)


def main():
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(sys.argv[1])
    tokenizer.no_padding()
    lengths = {tokens: [text(tokens, number) for number in range(DIFFERENT)] for tokens in LENGTHS}
    for tokens, texts in lengths.items():
        counts = {len(encoding.ids) for encoding in tokenizer.encode_batch(texts)}
        if counts != {tokens}:
            sys.exit(f"texts of {tokens} tokens have {sorted(counts)}")
    Path(sys.argv[2]).write_text(json.dumps({"lengths": lengths, "check": CHECK}), encoding="utf-8")


if __name__ == "__main__":
    main()
