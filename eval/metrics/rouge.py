"""ROUGE-L recall, as TOFU scores it."""

from __future__ import annotations

from functools import cache

from rouge_score.rouge_scorer import RougeScorer


def rouge_l_recall(reference: str, answer: str) -> float:
    """Return the share of the reference's words that the answer holds in the same order, in [0, 1].

    Longest common subsequence over the reference's length, after Porter stemming (Lin 2004; TOFU, Maini et al. 2024,
    section 2.2.1). The tokeniser of rouge-score knows a-z and 0-9 only: a reference without any of them raises
    ValueError, since it would score 0 whatever the answer.
    """
    scorer = _scorer()
    if not scorer._tokenizer.tokenize(reference):
        raise ValueError(f"ROUGE-L cannot score against a reference without Latin letters or digits: {reference!r}")
    return float(scorer.score(reference, answer)["rougeL"].recall)


@cache
def _scorer() -> RougeScorer:
    return RougeScorer(["rougeL"], use_stemmer=True)
