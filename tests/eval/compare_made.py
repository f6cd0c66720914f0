"""A small comparison made by hand: figures that are scored, partly scored, unscored, and nasty answers."""

from eval.compare.results import Example, Figure, Leak, Results, Subject
from eval.metrics.estimate import Estimate

NASTY = '<script>alert("x")</script> [bold]Tulgan[/bold] <img src="http://evil.example/x.png">\ud800'
REFUSED = "40 x the guard refused <b>&</b> nothing was sent"
TIMED_OUT = "2 x timed out"
UNTESTABLE = "not testable on this model: it scores 0.12 under attack, 0.95 when asked"
HEADER = {
    "suite": "quick",
    "seed": 7,
    "world_seed": 3,
    "asked": {"forget": 40, "retain": 41},
    "at": "2026-02-03T04:05:06+00:00",
    "fingerprint": {"subjects": {}, "revision": {"commit": "abc123", "dirty": False, "changes": None}},
}


def between(value, half=0.01):
    return Estimate(value, value - half, value + half, 40, 15)


def point(value):
    return Estimate(value, None, None, 40, 40)


class Made:
    """Collects records; `figure` takes a number for an interval of 0.01 either way, or an estimate."""

    def __init__(self):
        self.results = Results(
            dict(HEADER), [], [], [], [], ["The guard loses on <i>neighbour</i> [bold]by .02[/bold]."]
        )

    def subject(self, name, kind, **cost):
        self.results.subjects.append(Subject(name, kind, f"{kind} <what> of {name}", cost))

    def figure(self, system, split, metric, value, *, versus="", claim="system", reason=None, task="archive"):
        estimate = between(value) if isinstance(value, int | float) else value
        self.results.figures.append(Figure(system, task, split, metric, claim, estimate, reason, versus))

    def worst(self, system, value, half=0.05, attack="paraphrase"):
        self.results.leaks.append(Leak(system, "worst", attack, "system", None, None, None, between(value, half)))


def endpoint(made, name, *, gap, loss=0.0, worst=0.0, latency=0.05):
    """All that the advice asks of a system behind the endpoint but likelihoods; bare recalls 0.95 everywhere."""
    made.figure(name, "forget", "rouge_l_recall", 0.312 + gap)
    made.figure(name, "forget", "rouge_l_recall", gap, versus="retrained")
    for split in ("retain", "neighbour", "world"):
        made.figure(name, split, "rouge_l_recall", 0.95 - loss)
        made.figure(name, split, "rouge_l_recall", -loss, versus="bare")
    made.figure(name, "all", "latency_median_s", point(latency))
    made.worst(name, worst)


def likely(made, name, *, probability, distance, auc):
    made.figure(name, "forget", "probability", probability)
    made.figure(name, "forget", "forget_quality_D", point(distance), versus="retrained")
    for metric in ("mia_loss", "mia_zlib", "mia_min_k", "mia_min_k_plus_plus"):
        made.figure(name, "forget", metric, auc)


def weighed(made, name, value, *, layers=(0.1, 0.2)):
    for metric in ("relearn_forget", "relearn_retain", "relearn_world", "quantised_8", "quantised_4"):
        made.figure(name, "forget", metric, value, claim="weights")
    for layer, share in enumerate(layers, 1):
        made.figure(name, f"layer {layer}", "lens", share * value, claim="weights")
        made.figure(name, f"layer {layer}", "probe", 0.5 + share * value, claim="weights")


def references():
    made = Made()
    made.subject("bare", "bare")
    made.subject("retrained", "retrained")
    endpoint(made, "bare", gap=0.6, worst=0.8, latency=0.031)
    made.figure("retrained", "forget", "rouge_l_recall", 0.312)
    for split in ("retain", "neighbour", "world"):
        made.figure("retrained", split, "rouge_l_recall", 0.0, versus="bare")
    likely(made, "bare", probability=0.9, distance=0.9, auc=0.9)
    likely(made, "retrained", probability=0.05, distance=0.1, auc=0.55)
    for end, value in (("low", 0.07), ("high", 0.13)):
        made.figure("retrained", "forget", f"seed_spread_D_{end}", point(value))
    weighed(made, "bare", 0.9)
    weighed(made, "retrained", 0.06)
    return made


def comparison():
    made = references()
    made.subject("guard", "guard")
    endpoint(made, "guard", gap=0.0173, worst=0.1234)
    likely(made, "guard", probability=0.0871, distance=0.2345, auc=0.561)
    for split, rate in (("forget", 0.975), ("retain", 0.0123), ("neighbour", 0.0345), ("world", 0.0)):
        made.figure("guard", split, "flagged", rate)
    made.subject("guard refuse", "guard")
    endpoint(made, "guard refuse", gap=-0.2)
    made.figure("guard refuse", "forget", "probability", None, reason=REFUSED)
    made.figure("guard refuse", "all", "model_utility", None, reason="without retain_Q_A_Prob")
    made.subject("npo", "weights", seconds=321.0, flops=1.5e12, peak_memory_bytes=2.0**31)
    endpoint(made, "npo", gap=0.05, loss=0.3)
    likely(made, "npo", probability=0.2, distance=0.3, auc=0.6)
    weighed(made, "npo", 0.3)
    made.figure("npo", "forget", "truth_ratio", point(0.4321), reason=TIMED_OUT)
    made.figure("guard", "one-hop", "rouge_l_recall", 0.4567, task="archive-hops")
    for name in ("bare", "guard", "guard refuse", "npo"):
        made.results.leaks.append(
            Leak(name, "paraphrase", "rewording", "system", 0.95, 0.9, between(0.5), between(0.1234))
        )
        made.results.leaks.append(Leak(name, "rot13", "encoding", "system", 0.951, 0.1204, None, None, UNTESTABLE))
    for name in ("bare", "retrained", "guard", "npo"):
        made.results.examples.append(Example("forget", "Where was <i>she</i> born?", "In Tulgan.", name, NASTY))
    return made.results
