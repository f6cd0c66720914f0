"""What running the encoder through ONNX Runtime costs in accuracy and saves in time: the grounds for the default form.

    python -m eval.bench.encoder_forms --tofu forget10.json

Time is one text's on one core. The classifier's columns fit a head on the archive's trained phrasings and try it on
the others: first fitted with torch's vectors and asked with the form's, then fitted and asked with the form's own.
"""

from __future__ import annotations

import json
import random
import time
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import typer
from rich.console import Console
from rich.table import Table

from classifiers.encoder import Encoder, Floats, Form
from classifiers.features import Features, Spelling, joined, spelling_counts
from classifiers.general import load_general
from classifiers.head import fit_head
from classifiers.windows import windows
from eval.world import archive_questions

SEED = 13
FORMS: tuple[Form, ...] = ("torch", "onnx", "onnx-int8")
SHORT = "who was the teacher of the well known painter mira tolvane and in which town did she study then?"
LONG = " ".join(["the painter mira tolvane studied in the town of halsk under a teacher of renown"] * 12)
_RATE = 0.01


def texts_of_the_archive() -> tuple[list[str], list[int], int]:
    """Windows and labels (0 forgotten, -1 not), those to fit on first; how many these are."""
    rng = random.Random(SEED)
    fitted: list[tuple[str, int]] = []
    tried: list[tuple[str, int]] = []
    for split, label, count in (("forget10", 0, 250), ("retain90", -1, 500)):
        for trained, part in ((True, fitted), (False, tried)):
            pool = [q.question for q in archive_questions(split) if q.trained == trained]
            part += [(text, label) for text in rng.sample(pool, count)]
    general = rng.sample([example.question for example in load_general()], 800)
    fitted += [(text, -1) for text in general[:400]]
    tried += [(text, -1) for text in general[400:]]
    return [windows(text)[0] for text, _ in fitted + tried], [label for _, label in fitted + tried], len(fitted)


def milliseconds(encoder: Encoder, text: str, times: int = 40) -> float:
    """Median of one text's."""
    taken = []
    for _ in range(times + 3):
        started = time.perf_counter()
        encoder.encode([text])
        taken.append(time.perf_counter() - started)
    return float(np.median(taken[3:])) * 1000


def caught(logits: Floats, labels: np.ndarray) -> float:
    """Share of the forgotten above the threshold that `_RATE` of the others exceed."""
    return float((logits[labels == 0] > np.quantile(logits[labels != 0], 1 - _RATE)).mean())


def main(
    tofu: Annotated[Path | None, typer.Option(help="TOFU's JSON lines, for more questions to compare on.")] = None,
    most: Annotated[int, typer.Option(help="Questions of each kind to compare on.")] = 300,
) -> None:
    """Print time, agreement with torch and the effect on a classifier, for every form."""
    torch.set_num_threads(1)
    rng = random.Random(SEED)
    asked = {"general": [example.question for example in load_general()]}
    if tofu is not None:
        asked["TOFU"] = [json.loads(line)["question"] for line in tofu.read_text(encoding="utf-8").splitlines()]
    asked = {kind: rng.sample(texts, min(most, len(texts))) for kind, texts in asked.items()}
    texts, marks, fitted = texts_of_the_archive()
    labels = np.array(marks)
    secret = b"forms".ljust(32)
    spelling = Spelling.fit(spelling_counts(texts, secret=secret), range(fitted), secret=secret)
    rows: list[list[str]] = []
    vectors: dict[str, Floats] = {}
    base: Any = None
    for form in FORMS:
        encoder = Encoder(form=form)
        row = [form, f"{milliseconds(encoder, SHORT):.1f}", f"{milliseconds(encoder, LONG):.1f}"]
        for kind, questions in asked.items():
            made = encoder.encode(questions)
            cosine = np.einsum("ij,ij->i", made, vectors.setdefault(kind, made))
            row.append(f"{cosine.mean():.4f}, {cosine.min():.4f}")
        features = joined(encoder.encode(texts), spelling.transform(texts))
        own = fit_head(features.take(np.arange(fitted)), marks[:fitted], 1)
        base = base or (own, own.logits(features)[:, 0])
        crossed = base[0].logits(features)[:, 0]
        moved = np.abs(crossed - base[1])[fitted:]
        tried: Features = features.take(np.arange(fitted, len(texts)))
        row += [f"{moved.mean():.3f}, {moved.max():.3f}", f"{caught(crossed[fitted:], labels[fitted:]):.1%}"]
        rows.append([*row, f"{caught(own.logits(tried)[:, 0], labels[fitted:]):.1%}"])
    table = Table(title=f"encoder forms, seed {SEED}", title_justify="left")
    tokens = ("ms, 24 tokens", "ms, 230 tokens")
    kinds = (f"cosine to torch, {kind} (mean, least)" for kind in asked)
    for title in (
        "form",
        *tokens,
        *kinds,
        "log-odds moved (mean, most)",
        f"caught at {_RATE:.0%}, torch's head",
        "own head",
    ):
        table.add_column(title, justify="right")
    for row in rows:
        table.add_row(*row)
    Console(width=160).print(table)


if __name__ == "__main__":
    typer.run(main)
