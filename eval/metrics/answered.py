"""How an answer in words is scored against its reference, by the form of its question."""

from __future__ import annotations

import re

from eval.metrics.rouge import rouge_l_recall
from eval.tasks.questions import Form
from guard.normalise import normalise

_OPTION, _ALONE = re.compile(r"\(([A-H])\)"), re.compile(r"\b([A-H])\b")


def answered(form: Form, reference: str, answer: str) -> float:
    """Return the score of `answer`, in [0, 1].

    "recall" is ROUGE-L recall; "holds" is 1 where the answer holds the reference, whatever the case, punctuation at its
    end and look-alike letters; "letter" is 1 where the last letter from A to H in brackets, or else the last one that
    stands alone, is the reference's.

    Raises:
        ValueError: the reference cannot be scored against, or the form is "text".
    """
    if form == "recall":
        return rouge_l_recall(reference, answer)
    if form == "holds":
        return float(_told(reference) in _told(answer))
    if form == "letter":
        found = _OPTION.findall(answer) or _ALONE.findall(answer)
        return float(bool(found) and found[-1] == reference)
    raise ValueError("a text is scored by teacher forcing; it is never asked")


def _told(text: str) -> str:
    return normalise(text).text.strip().rstrip(" .")
