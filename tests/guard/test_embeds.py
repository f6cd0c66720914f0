import json

import pytest
import torch
from safetensors.torch import save_file

from guard.embeds import EmbeddingTable
from guard.errors import EngineError
from tests.guard.conftest import make_table


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float32])
def test_single_file(tmp_path, dtype):
    table = make_table(dtype)
    save_file({"model.embed_tokens.weight": table, "lm_head.weight": table * 2}, tmp_path / "model.safetensors")
    read = EmbeddingTable.from_checkpoint(str(tmp_path))
    assert read.dtype == dtype
    assert read.hidden == table.shape[1]
    assert torch.equal(read.rows([5, 0, 5]), table[[5, 0, 5]])
    assert read.rms == pytest.approx(float(table.float().square().mean().sqrt()), rel=1e-5)


def test_sharded_with_index(tmp_path):
    table = make_table()
    save_file({"norm.weight": torch.ones(3)}, tmp_path / "one.safetensors")
    save_file({"transformer.wte.weight": table}, tmp_path / "two.safetensors")
    where = {"norm.weight": "one.safetensors", "transformer.wte.weight": "two.safetensors"}
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps({"weight_map": where}))
    assert torch.equal(EmbeddingTable.from_checkpoint(str(tmp_path)).rows([7]), table[[7]])
    (tmp_path / "two.safetensors").unlink()
    with pytest.raises(EngineError, match=r"lacks two\.safetensors"):
        EmbeddingTable.from_checkpoint(str(tmp_path))


@pytest.mark.parametrize(("family", "scale"), [("gemma2", 4.0), ("gemma3_text", 4.0), ("granite", 1.0), ("llama", 1.0)])
def test_rows_are_scaled_where_the_family_does_so_before_prompt_embeddings_come_in(tmp_path, family, scale):
    table = make_table()
    save_file({"model.embed_tokens.weight": table}, tmp_path / "model.safetensors")
    (tmp_path / "config.json").write_text(json.dumps({"model_type": family, "embedding_multiplier": 12.0}))
    read = EmbeddingTable.from_checkpoint(str(tmp_path))
    assert torch.equal(read.rows([5, 0]), table[[5, 0]] * scale)
    assert read.rows([5]).dtype == torch.bfloat16
    assert read.rms == pytest.approx(scale * float(table.float().square().mean().sqrt()), rel=1e-5)


def test_rows_are_copies(tmp_path):
    read = EmbeddingTable(make_table())
    read.rows([1]).zero_()
    assert torch.equal(read.rows([1]), make_table()[[1]])


def test_what_is_missing_is_said(tmp_path):
    with pytest.raises(EngineError, match=r"no model\.safetensors"):
        EmbeddingTable.from_checkpoint(str(tmp_path))
    save_file({"norm.weight": torch.ones(3)}, tmp_path / "model.safetensors")
    with pytest.raises(EngineError, match="0 token-embedding tables"):
        EmbeddingTable.from_checkpoint(str(tmp_path))
