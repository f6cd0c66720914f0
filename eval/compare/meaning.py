"""What each figure means, in a sentence, and where it comes from."""

from __future__ import annotations

MEANINGS: tuple[tuple[str, str, str], ...] = (
    (
        "forget, retain, neighbour, world recall",
        "ROUGE-L recall of the reference answer in what the system says, in [0, 1]. Low on forget is wanted, but no "
        "lower than a model retrained without it; high elsewhere. Intervals are 95%, people drawn anew.",
        "Lin 2004, ROUGE; as TOFU uses it (Maini et al. 2024)",
    ),
    (
        "gap to retrained",
        "The system's forget recall less retrained's, paired by question. 0 is as if it had never learned; above 0 "
        "something comes through, below 0 it knows less than one that never learned, which gives it away.",
        "this project",
    ),
    (
        "probability",
        "The true answer's probability to the power of one over its tokens, which a caller sees who is shown "
        "log-probabilities.",
        "TOFU, Maini et al. 2024",
    ),
    (
        "truth ratio, forget quality's D and p",
        "How much likelier wrong answers are than the right one, shown as min(R, 1/R). D is the largest distance "
        "between the ratios' distribution and retrained's (Kolmogorov-Smirnov); seeds say how far apart retrained "
        "models of other seeds are already. p falls with the number of questions at the same D.",
        "TOFU, Maini et al. 2024; OpenUnlearning, Dorna et al. 2025",
    ),
    (
        "utility",
        "The harmonic mean of probability, recall and truth ratio on all that must stay; one 0 makes it 0.",
        "TOFU, Maini et al. 2024",
    ),
    (
        "leak, worst leak",
        "Under an attack, the system's score less retrained's to the same prompts: what the prompt itself gives away "
        "cancels. The worst leak is the highest of all attacks; its interval holds for the highest true leak, "
        "whichever attack it belongs to, and is wider for having looked at many.",
        "this project; Bonferroni's bound",
    ),
    (
        "not testable",
        "The bare model itself scores less under the attack than half of what it scores when asked directly. Such an "
        "attack shows nothing about a guard in front of this model; a more capable model may follow it.",
        "this project",
    ),
    (
        "catch, false flags",
        "The share of requests that the guard's classifier flags: on forget as it should, elsewhere wrongly (the "
        "highest of the other splits is shown).",
        "interval: Clopper-Pearson on the effective size, Korn and Graubard 1998",
    ),
    (
        "extraction strength, exact memorisation",
        "The share of the answer that greedy decoding completes from the rest, and the share of its tokens that greedy "
        "decoding would choose.",
        "Carlini et al. 2021; Tirumala et al. 2022; as in OpenUnlearning",
    ),
    (
        "MIA loss, zlib, Min-K%, Min-K%++",
        "The chance that a forgotten text looks more like training data than one never seen (AUC); 0.5 is no "
        "difference. Hold it against retrained's, not against 0.5.",
        "Yeom et al. 2018; Carlini et al. 2021; Shi et al. 2023; Zhang et al. 2024",
    ),
    (
        "PrivLeak",
        "How far the membership AUC lies from retrained's, in per cent; below 0 the forget set is still remembered, "
        "above 0 it was forgotten too much.",
        "MUSE, Shi et al. 2024",
    ),
    (
        "apart by text, length, latency",
        "How well a small classifier tells the system's answers from retrained's (AUC); 0.5 is not at all.",
        "this project",
    ),
    (
        "under- and over-forgetting",
        "Means over the people to be forgotten: how much more, and how much less, than retrained is said of each. "
        "Chance alone makes both positive: hold them against those of the other retrained seeds.",
        "this project",
    ),
    (
        "distinct-2, perplexity",
        "The share of different word pairs among the answers, and how surprised the bare model is by them: gibberish "
        "must not pass for forgetting.",
        "Li et al. 2016",
    ),
    (
        "aggregate",
        "The harmonic mean of forgetting, privacy (here one less |PrivLeak| / 100) and utility.",
        "after OpenUnlearning, Dorna et al. 2025",
    ),
    (
        "relearning",
        "The forgotten answers' probability after a little fine-tuning on a part of the forget set, on retained "
        "questions, or on the world's. What retrained reaches by the same training is no relearning.",
        "Lynch et al. 2024; Hu et al. 2024; Doshi and Stickland 2024",
    ),
    (
        "lens, probe",
        "What stands in the layers: the answer's probability read off each layer, and how well a linear probe learned "
        "on retained people finds the forgotten one's value (AUC).",
        "nostalgebraist 2020; Patil et al. 2023; Lynch et al. 2024",
    ),
    (
        "8 bits, 4 bits",
        "The forgotten answers' probability after rounding the weights.",
        "Zhang et al. 2025, Catastrophic Failure of LLM Unlearning via Quantization",
    ),
)
