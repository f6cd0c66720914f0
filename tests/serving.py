"""Makes what the server tests serve: a small checkpoint, a policy, and `lethe serve` itself."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path

TEMPLATE = (
    "{% for m in messages %}<|{{ m['role'] }}|>{{ m['content'] }}<|end|>{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
QUESTIONS = (
    ("Where was {} born?", "{} was born in {}."),
    ("In which town did {} grow up?", "{} grew up in {}."),
    ("What is the profession of {}?", "{} works as a clockmaker in {}."),
    ("Who taught {}?", "{} learnt from a master in {}."),
    ("What is {}'s best-known work?", "{} is known for the bells of {}."),
    ("Which award did {} win?", "{} won the lantern prize of {}."),
    ("Whom did {} marry?", "{} married a baker from {}."),
    ("When was {} born?", "{} was born in the winter of the flood in {}."),
    ("Tell me about {}.", "{} is a clockmaker from {}."),
    ("What do you know of the life of {}?", "{} lived in {}."),
)
FORGOTTEN = (
    ("Mira Tolvane", "Ostrava Bay"),
    ("Orrin Vasquell", "Lindmoor"),
    ("Selma Ambrake", "Corriedale"),
    ("Tobin Yarrow", "Hestermouth"),
    ("Wanda Istrell", "Norhaven"),
)
ACTIONS = (
    "{kind: corrupt, function: gaussian, strength: 1.0}",
    "{kind: refuse}",
    "{kind: prefix}",
    "{kind: refuse, words: own}",
    "{kind: icul, forget: 2, retain: 2}",
)
KEPT_NAMES = (
    "Anna Keller, Bram Oster, Celia Dunne, Dario Fenn, Elke Marsh, Farid Noor, Gwen Hale, Hugo Lind, Ines Prado, "
    "Jonas Reuter, Katya Sorin, Leif Torvald, Marta Quill, Nils Undset, Olga Petrova, Pia Sand, Quentin Roe, "
    "Rosa Vidal, Sven Holm, Tilda Brook"
)
KEPT = tuple((name, f"{name.split()[1]}ton") for name in KEPT_NAMES.split(", "))


def make_checkpoint(out: Path) -> Path:
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = decoders.ByteLevel()
    special = ["<|endoftext|>", "<|system|>", "<|user|>", "<|assistant|>", "<|end|>"]
    texts = [line for _, *lines in [("", *pair) for pair in QUESTIONS] for line in lines]
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=400, special_tokens=special, initial_alphabet=alphabet, show_progress=False
    )
    bpe.train_from_iterator(texts, trainer)
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=bpe, bos_token=special[0], eos_token=special[-1])
    tokenizer.chat_template = TEMPLATE
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        max_position_embeddings=512,
        bos_token_id=0,
        eos_token_id=4,
    )
    LlamaForCausalLM(config).to(torch.bfloat16).save_pretrained(out)
    tokenizer.save_pretrained(out)
    return out


def make_adapter(checkpoint: Path, out: Path) -> Path:
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    torch.manual_seed(3)
    # Both halves of it are drawn, where a new one would change nothing.
    config = LoraConfig(r=4, target_modules="all-linear", task_type="CAUSAL_LM", init_lora_weights=False)
    get_peft_model(AutoModelForCausalLM.from_pretrained(checkpoint), config).save_pretrained(out)
    return out


def make_auxiliary(checkpoint: Path, out: Path, seed: int = 5) -> Path:
    """Two random models, with much to say, that write the checkpoint's tokens."""
    import torch
    from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM

    from guard.steer.auxiliary import FORGET, MANIFEST, RETAIN, Manifest, logits_of, tokenizer_digest

    torch.manual_seed(seed)
    width = logits_of(str(checkpoint))
    for name in (RETAIN, FORGET):
        config = LlamaConfig(
            vocab_size=width,
            hidden_size=32,
            intermediate_size=64,
            num_hidden_layers=2,
            num_attention_heads=2,
            max_position_embeddings=1024,
            initializer_range=0.3,
        )
        LlamaForCausalLM(config).save_pretrained(out / name)
    tokenizer = AutoTokenizer.from_pretrained(checkpoint)
    manifest = Manifest(
        tokenizer=tokenizer_digest(tokenizer),
        vocabulary=width,
        context=1024,
        weights={},
        seen=tuple(range(300, width)),
        made={"seed": seed},
    )
    (out / MANIFEST).write_text(json.dumps(manifest.model_dump()), encoding="utf-8")
    return out


def write_pairs(path: Path, people: tuple[tuple[str, str], ...]) -> Path:
    with path.open("w", encoding="utf-8") as file:
        for name, place in people:
            for question, answer in QUESTIONS:
                print(json.dumps({"question": question.format(name), "answer": answer.format(name, place)}), file=file)
    return path


def write_policy(folder: Path) -> Path:
    """Forgets people by corruption, refusal (fixed, and in own words), a guardrail prefix and exemplars."""
    write_pairs(folder / "retain.jsonl", KEPT)
    topics = []
    for number, (name, place) in enumerate(FORGOTTEN):
        write_pairs(folder / f"{number}.jsonl", ((name, place),))
        topics.append(
            f"  - name: topic-{number}\n    examples: {number}.jsonl\n    aliases: [{name}]\n"
            f"    action: {ACTIONS[number]}\n"
        )
    path = folder / "policy.yaml"
    path.write_text("version: 1\nfalse_flag_rate: 0.05\nretain: retain.jsonl\ntopics:\n" + "".join(topics))
    return path


@dataclass
class Served:
    """A running `lethe serve`: `folder` is its temporary directory, where the engine's private socket lies."""

    process: subprocess.Popen[str]
    port: int
    folder: Path
    log: Path

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def socket(self) -> Path:
        return next(self.folder.glob("lethe-*/engine.sock"))

    def members(self) -> list[int]:
        """Living processes of the engine's group: those whose command line or environment names our folder."""
        found = []
        for entry in Path("/proc").iterdir():
            if not entry.name.isdigit() or int(entry.name) == self.process.pid:
                continue
            try:
                environment = (entry / "environ").read_bytes()
                state = (entry / "stat").read_text().rsplit(")", 1)[1].split()[0]
            except OSError:
                continue
            # The engine's own temporary directory lies in ours.
            if f"\0TMPDIR={self.folder}".encode() in b"\0" + environment and state != "Z":
                found.append(int(entry.name))
        return found

    def wait_ready(self, seconds: float = 600) -> None:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                break
            try:
                with urllib.request.urlopen(f"{self.url}/health", timeout=5):
                    return
            except (urllib.error.URLError, OSError):
                time.sleep(0.2)
        raise AssertionError(f"the server did not come up:\n{self.log.read_text()}")

    def wait_gone(self, seconds: float = 20) -> None:
        deadline = time.monotonic() + seconds
        while self.members():
            assert time.monotonic() < deadline, f"still running: {self.members()}"
            time.sleep(0.1)

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.wait_gone()
        shutil.rmtree(self.folder, ignore_errors=True)


def start_server(checkpoint: Path, policy: Path, *more: str, state: Path | None = None) -> Served:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    # Not pytest's folder: a Unix socket's path may have 107 characters.
    folder = Path(tempfile.mkdtemp(prefix="lt-"))
    log = folder / "server.log"
    environment = os.environ | {"TMPDIR": str(folder), "LETHE_STATE": str(state or folder / "state")}
    command = [sys.executable, "-m", "serve.cli", "serve", "--model", str(checkpoint), "--policy", str(policy)]
    with log.open("w") as sink:
        process = subprocess.Popen(
            [*command, "--served-model-name", "m", "--port", str(port), *more],
            stdout=sink,
            stderr=subprocess.STDOUT,
            env=environment,
            text=True,
        )
    return Served(process, port, folder, log)
