"""A fine-tuned sequence classifier in place of the hybrid head: slower to fit, all of it learned from the examples.

The recipe of Liu et al. 2024 (embedding-corrupted prompts): an encoder with a classification layer, trained on what to
forget against what to retain, the rarer class weighing more. Here it is the policy's encoder, for all topics at once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from transformers import (
    AutoModelForSequenceClassification,
    AutoTokenizer,
    DataCollatorWithPadding,
    PreTrainedModel,
    PreTrainedTokenizerBase,
    Trainer,
    TrainerCallback,
    TrainingArguments,
    set_seed,
)

from classifiers.encoder import Floats
from guard.errors import ArtifactError, ConfigError

SEED = 0
EPOCHS = 2.0
_RATE, _BATCH, _WARMUP = 5e-5, 32, 0.06
_LONGEST = 256

Progressed = Callable[[int], None]


class Tuned:
    """A sequence classifier with a class for every topic and one for none. Runs on the CPU; safe to share."""

    def __init__(self, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> None:
        self._model = model.eval()
        self._tokenizer = tokenizer

    @classmethod
    def new(cls, encoder: Path, topics: int) -> Tuned:
        """The encoder in a folder, under a classification layer that knows nothing yet.

        Raises:
            ConfigError: the folder holds no encoder that transformers can load.
        """
        set_seed(SEED)
        try:
            model = AutoModelForSequenceClassification.from_pretrained(encoder, num_labels=topics + 1)
            return cls(model, AutoTokenizer.from_pretrained(encoder))
        except (OSError, ValueError) as error:
            raise ConfigError(f"the encoder in {encoder} cannot be tuned: {error}; fit without --tune") from error

    @classmethod
    def load(cls, folder: Path) -> Tuned:
        """Read what `files` gave.

        Raises:
            ArtifactError: it cannot be read.
        """
        try:
            model = AutoModelForSequenceClassification.from_pretrained(folder)
            return cls(model, AutoTokenizer.from_pretrained(folder))
        except (OSError, ValueError) as error:
            raise ArtifactError(
                f"the classifier in {folder} cannot be read ({error}); run `lethe fit` again"
            ) from error

    def files(self) -> dict[str, bytes]:
        """Its files by name: weights as safetensors, configuration and tokenizer as JSON."""
        with TemporaryDirectory() as name:
            self._model.save_pretrained(name)
            self._tokenizer.save_pretrained(name)
            return {path.name: path.read_bytes() for path in sorted(Path(name).iterdir())}

    @torch.inference_mode()
    def logits(self, texts: Sequence[str]) -> Floats:
        """Log-odds (texts x topics) of each topic against all else."""
        order = sorted(range(len(texts)), key=lambda i: len(texts[i]))
        out = np.empty((len(texts), int(self._model.config.num_labels) - 1), dtype=np.float32)
        for start in range(0, len(order), _BATCH):
            rows = order[start : start + _BATCH]
            batch = self._encoded([texts[i] for i in rows], padding=True, return_tensors="pt")
            logs = torch.log_softmax(self._model(**batch).logits.double(), dim=-1)
            # log p - log(1 - p), where 1 - p is what the other classes add up to.
            others = [torch.logsumexp(torch.cat([logs[:, :k], logs[:, k + 1 :]], dim=1), dim=1) for k in self._topics]
            out[rows] = (logs[:, :-1] - torch.stack(others, dim=1)).float().numpy()
        return out

    def train(
        self,
        texts: Sequence[str],
        labels: Sequence[int],
        *,
        epochs: float = EPOCHS,
        progress: Progressed | None = None,
    ) -> None:
        """Train on texts with a topic's number or -1; `progress` is told how many more texts are done."""
        none = len(self._topics)
        classes = torch.tensor([none if label < 0 else label for label in labels])
        counts = torch.bincount(classes, minlength=none + 1).clamp(min=1)
        weights = len(classes) / (len(counts) * counts.float())
        encoded = self._encoded(list(texts))["input_ids"]
        data: list[dict[str, Any]] = [
            {"input_ids": ids, "labels": int(label)} for ids, label in zip(encoded, classes, strict=True)
        ]

        def loss(outputs: Any, labels: torch.Tensor, num_items_in_batch: Any = None) -> torch.Tensor:
            return torch.nn.functional.cross_entropy(outputs.logits, labels, weight=weights.to(labels.device))

        with TemporaryDirectory() as name:
            arguments = TrainingArguments(
                output_dir=name,
                num_train_epochs=epochs,
                per_device_train_batch_size=_BATCH,
                learning_rate=_RATE,
                warmup_steps=int(_WARMUP * epochs * len(data) / _BATCH),
                weight_decay=0.01,
                train_sampling_strategy="group_by_length",
                seed=SEED,
                save_strategy="no",
                report_to=[],
                disable_tqdm=True,
                logging_strategy="no",
                use_cpu=not torch.cuda.is_available(),
            )
            Trainer(
                model=self._model,
                args=arguments,
                train_dataset=data,
                data_collator=DataCollatorWithPadding(self._tokenizer),
                compute_loss_func=loss,
                callbacks=[_Told(progress)] if progress else None,
            ).train()
        self._model = self._model.cpu().eval()

    @property
    def _topics(self) -> range:
        return range(int(self._model.config.num_labels) - 1)

    def _encoded(self, texts: list[str], **options: Any) -> Any:
        return self._tokenizer(texts, truncation=True, max_length=_LONGEST, **options)


class _Told(TrainerCallback):
    """Reports finished texts while the trainer runs."""

    def __init__(self, progress: Progressed) -> None:
        self._progress = progress

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """One batch more."""
        self._progress(_BATCH)
