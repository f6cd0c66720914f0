"""A sentence encoder through ONNX Runtime: exported once into the state folder, always held against torch's vectors."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from guard.errors import LetheError
from guard.paths import state_dir

Floats = npt.NDArray[np.float32]
Form = Literal["onnx", "onnx-int8"]

# Short, long, cut off, foreign and empty: together they make a batch with much padding and vectors far apart.
PROBES = (
    "the quick brown fox jumps over the lazy dog",
    "Who taught her?",
    "42",
    "",
    "La bibliothèque ferme à dix-huit heures; où étudier après ?",
    "図書館は何時に閉まりますか。",
    "A lighthouse keeper wrote down every ship that passed, its flag, its course and the weather. " * 5,
    "def mean(values):\n    return sum(values) / len(values)  # what if there are none?\n" * 40,
)
# A lost attention mask gave 0.94; equal arithmetic gives 1 - 1e-6; eight bits lie between.
_AGREES: dict[Form, float] = {"onnx": 0.9999, "onnx-int8": 0.97}
_LAYOUT = 1
_BATCH = 4  # larger ones leave the cache and are no faster
_CORES = os.cpu_count() or 1
_THREADS = min(2, _CORES)  # for one request
_POOL = max(2, _CORES // 2)  # for all of them, so that the rest is the model's
_GRAPH, _TOKENS, _SHAPE, _REFERENCE = "model.onnx", "tokenizer.json", "shape.json", "reference.npy"
_READ = ("*.json", "*.txt", "*.model", "*.safetensors", "pytorch_model.bin")


class Unfit(LetheError):
    """This encoder cannot be run by ONNX Runtime here; torch must. Its text says why."""


@dataclass(frozen=True)
class _Shape:
    """`first` is the number of the first position: 0 in BERT, after the padding's own in RoBERTa."""

    most_tokens: int
    padding: int
    first: int


class OnnxEncoder:
    """An exported encoder. Safe to share between threads."""

    def __init__(self, folder: Path, form: Form) -> None:
        """Load an export and hold it against the vectors that torch gave for `PROBES`.

        Raises:
            Unfit: the files are damaged, or the vectors differ.
        """
        import onnxruntime
        from tokenizers import Tokenizer

        options = onnxruntime.SessionOptions()
        # One thread a text: many texts run beside each other, which scales better than parts of one short text.
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 4
        # Kept: to start threads costs a millisecond a text, and more beside others.
        self._pool = ThreadPoolExecutor(_POOL)
        try:
            self._shape = _Shape(**json.loads((folder / _SHAPE).read_bytes()))
            self._tokenizer = Tokenizer.from_file(str(folder / _TOKENS))
            self._tokenizer.enable_truncation(self._shape.most_tokens)
            self._tokenizer.no_padding()
            self._session = onnxruntime.InferenceSession(
                str(folder / _GRAPH), options, providers=["CPUExecutionProvider"]
            )
            reference = np.load(folder / _REFERENCE, allow_pickle=False)
            # Eight bits are scaled to the largest value of a batch: alone, a text's vector depends on no neighbour.
            self._batch = 1 if form == "onnx-int8" else _BATCH
            made = self._run(PROBES) if self._batch > 1 else self.encode(PROBES)
            agreement = float(np.einsum("ij,ij->i", made, reference).min())
        except Exception as error:  # ONNX Runtime's own errors share no base but this.
            raise Unfit(f"its export cannot be used ({type(error).__name__}: {error})") from error
        if not agreement >= _AGREES[form]:
            raise Unfit(
                f"its {form} export differs from torch (cosine {agreement:.4f}, at least {_AGREES[form]} wanted)"
            )

    def encode(self, texts: Sequence[str]) -> Floats:
        """Unit vectors (texts x width), float32; texts of like length should stand together."""
        size = min(self._batch, -(-len(texts) // _THREADS))
        parts = [texts[start : start + size] for start in range(0, len(texts), size)]
        if len(parts) == 1:
            return self._run(texts)
        return np.concatenate(list(self._pool.map(self._run, parts)))

    def _run(self, texts: Sequence[str]) -> Floats:
        rows = [self._tokenizer.encode(text.strip()).ids for text in texts]
        width = max(map(len, rows))
        ids = np.full((len(rows), width), self._shape.padding, dtype=np.int32)
        mask = np.zeros_like(ids)
        for number, row in enumerate(rows):
            ids[number, : len(row)] = row
            mask[number, : len(row)] = 1
        positions = np.tile(np.arange(width, dtype=np.int32) + self._shape.first, (len(rows), 1))
        (vectors,) = self._session.run(["vectors"], {"ids": ids, "positions": positions, "mask": mask})
        return np.asarray(vectors, dtype=np.float32)


def load_onnx(source: Path, form: Form, torch_model: Any) -> OnnxEncoder:
    """The encoder whose files lie in `source`, exported first where that has not been done.

    Args:
        torch_model: called without arguments for the sentence-transformers model, only when an export is needed.

    Raises:
        Unfit: it has another architecture, or the result differs from torch.
        ConfigError: the state folder cannot be created.
    """
    folder = state_dir() / "encoders" / f"{_digest(source)[:32]}-{form}"
    if folder.is_dir():
        with suppress(Unfit):
            return OnnxEncoder(folder, form)
        shutil.rmtree(folder, ignore_errors=True)
    try:
        folder.parent.mkdir(exist_ok=True)
        fresh = Path(tempfile.mkdtemp(prefix=".export-", dir=folder.parent))
    except OSError as error:
        raise Unfit(f"its export cannot be written ({error})") from error
    try:
        _export(torch_model(), fresh, form)
        made = OnnxEncoder(fresh, form)
        # Another process may have been faster; its export is the same.
        with suppress(OSError):
            fresh.rename(folder)
        return made
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def _digest(source: Path) -> str:
    total = hashlib.sha256(str(_LAYOUT).encode())
    for path in sorted({path for pattern in _READ for path in source.rglob(pattern)}):
        with path.open("rb") as file:
            total.update(str(path.relative_to(source)).encode() + hashlib.file_digest(file, "sha256").digest())
    return total.hexdigest()


def _export(model: Any, folder: Path, form: Form) -> None:
    from classifiers.bert_graph import KINDS, bert_graph

    try:
        inner = model[0].auto_model
        config = inner.config
        if config.model_type not in KINDS or config.hidden_act != "gelu":
            raise Unfit(f"its architecture ({config.model_type}) has no export")
        weights = {name: value.float().numpy() for name, value in inner.state_dict().items()}
        graph = bert_graph(
            weights,
            layers=config.num_hidden_layers,
            heads=config.num_attention_heads,
            epsilon=config.layer_norm_eps,
        )
        first = 0 if config.model_type == "bert" else config.pad_token_id + 1
        room = config.max_position_embeddings - first
        shape = _Shape(min(model.max_seq_length or room, room), config.pad_token_id or 0, first)
        _write_graph(graph, folder / _GRAPH, form)
        (folder / _TOKENS).write_text(model.tokenizer.backend_tokenizer.to_str(), encoding="utf-8")
        (folder / _SHAPE).write_text(json.dumps(asdict(shape)))
        # One by one: padding must not touch what padding is checked against.
        reference = [model.encode(text, normalize_embeddings=True, show_progress_bar=False) for text in PROBES]
        np.save(folder / _REFERENCE, np.stack(reference).astype(np.float32), allow_pickle=False)
    except Unfit:
        raise
    except Exception as error:  # Whatever an unknown model lacks, torch can still run it.
        raise Unfit(f"its export failed ({type(error).__name__}: {error})") from error


def _write_graph(graph: Any, path: Path, form: Form) -> None:
    import onnx

    if form == "onnx":
        onnx.save_model(graph, str(path))
        return
    from onnxruntime.quantization import quantize_dynamic
    from onnxruntime.quantization.quant_utils import add_pre_process_metadata

    # Shape inference knows no fused operators; all their values are floats.
    add_pre_process_metadata(graph)
    quantize_dynamic(graph, path, per_channel=True, extra_options={"DefaultTensorType": onnx.TensorProto.FLOAT})
