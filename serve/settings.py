"""What `lethe serve` was asked to do, checked before anything is started."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from guard.errors import ConfigError
from serve.adapters import Adapter, lora_flags
from serve.arms.load import load_arms
from serve.arms.schema import Experiment
from serve.keys.store import check_keys, keys_file
from serve.profiles import read_profiles

DEMO = Path(__file__).parent / "demo"
DEMO_MODEL = DEMO / "full"
DEMO_POLICY = DEMO / "policy.yaml"
DEMO_NAME = "lethe-demo"
MAX_CONCURRENT = 256
MAX_SECONDS = 600.0
MAX_BODY = 8  # MiB

# They would move the engine off its private socket, or away from what was checked at start.
_OURS = (
    "--model",
    "--served-model-name",
    "--uds",
    "--host",
    "--port",
    "--api-key",
    "--middleware",
    "--root-path",
    "--lora-modules",
)


@dataclass(frozen=True)
class Settings:
    """One run of the server; sizes in bytes, times in seconds. `served_name` None takes the upstream's first model.

    `profiles` are policy files by the names that keys have for them.
    """

    model: str
    policy: Path
    served_name: str | None
    artifact: Path | None = None
    upstream: str | None = None
    host: str = "127.0.0.1"
    port: int = 8000
    engine_flags: tuple[str, ...] = ()
    adapters: tuple[Adapter, ...] = ()
    arms: Experiment | None = None
    metrics_port: int | None = None
    keys: bool = False
    max_concurrent: int = MAX_CONCURRENT
    max_seconds: float = MAX_SECONDS
    max_body: int = MAX_BODY * 2**20
    monitor: bool = False
    keep_flagged: bool = False
    profiles: Mapping[str, Path] = field(default_factory=dict)
    plan_timeout: float = 60.0

    @property
    def policies(self) -> tuple[Path, ...]:
        """The policies to enforce, each once: the server's own or those of the arms, then those of profiles."""
        own = (self.policy,) if self.arms is None else self.arms.policies(self.policy)
        return tuple(dict.fromkeys((*own, *self.profiles.values())))

    @property
    def adapter_models(self) -> tuple[str, ...]:
        """The adapters that callers may name; none where arms stand behind one name."""
        return () if self.arms else tuple(adapter.name for adapter in self.adapters)

    @property
    def models_beside(self) -> tuple[str, ...]:
        """What the engine must serve beside the model."""
        return self.arms.adapters if self.arms else self.adapter_models


def model_and_name(model: str | None, served_name: str | None) -> tuple[str, str]:
    """Return the checkpoint to load (a directory or hub id) and the name callers use for it.

    Raises:
        ConfigError: there is no such directory, or no embedded model to fall back on.
    """
    if model is None:
        if not (DEMO_MODEL / "config.json").is_file():
            raise ConfigError("this copy of Lethe carries no embedded model; name one with --model")
        return str(DEMO_MODEL), served_name or DEMO_NAME
    folder = Path(model).expanduser()
    if folder.is_dir():
        if not (folder / "config.json").is_file():
            raise ConfigError(f"{folder} holds no config.json; --model needs a Hugging Face checkpoint")
        return str(folder.resolve()), served_name or folder.resolve().name
    if folder.is_absolute() or model.startswith((".", "~")) or model.count("/") > 1:
        raise ConfigError(f"there is no directory {folder}; --model is a directory or a hub id such as org/name")
    return model, served_name or model


def resolve(
    *,
    model: str | None,
    policy: Path | None,
    artifact: Path | None,
    upstream: str | None,
    host: str,
    port: int,
    served_name: str | None,
    engine_flags: tuple[str, ...],
    adapters: tuple[str, ...] = (),
    arms: Path | None = None,
    metrics_port: int | None = None,
    keys: bool = False,
    max_concurrent: int = MAX_CONCURRENT,
    max_seconds: float = MAX_SECONDS,
    max_body: int = MAX_BODY,
    monitor: bool = False,
    keep_flagged: bool = False,
    profiles: tuple[str, ...] = (),
) -> Settings:
    """Fill in the embedded model and policy where nothing was named; `max_body` is in MiB.

    Raises:
        ConfigError: options that contradict each other or name nothing.
    """
    if upstream is not None and model is None:
        raise ConfigError("--upstream needs --model as well: the checkpoint's tokenizer and embeddings are read here")
    checkpoint, name = model_and_name(model, served_name)
    if policy is None and model is not None:
        raise ConfigError("a model of your own needs a policy of its own; name it with --policy")
    if upstream is not None and engine_flags:
        raise ConfigError("flags after -- are for an engine started here; with --upstream give them to that server")
    if upstream is not None and adapters:
        raise ConfigError("--adapter needs an engine that Lethe starts; leave out --upstream")
    read = read_adapters(adapters)
    checked = (*lora_flags(read), *check_engine_flags(engine_flags))
    chosen = policy or DEMO_POLICY
    if not chosen.is_file():
        raise ConfigError(f"there is no policy file {chosen}; name one with --policy")
    if keys:
        check_keys(keys_file())
    elif profiles:
        raise ConfigError("--profile is for keys that name it, and no keys are asked for; add --keys")
    if profiles and artifact is not None:
        raise ConfigError("--artifact is made for one policy, and a profile has its own; leave it out")
    if name in {adapter.name for adapter in read}:
        raise ConfigError(f"the model and an adapter are both called {name!r}; give one of them another name")
    return Settings(
        checkpoint,
        chosen,
        served_name if upstream else name,
        artifact,
        upstream,
        host,
        port,
        checked,
        read,
        None if arms is None else _arms(arms, read, attached=upstream is not None, chosen=chosen, artifact=artifact),
        metrics_port,
        keys,
        max_concurrent,
        max_seconds,
        max_body * 2**20,
        monitor,
        keep_flagged,
        read_profiles(profiles),
    )


def _arms(
    path: Path, adapters: tuple[Adapter, ...], *, attached: bool, chosen: Path, artifact: Path | None
) -> Experiment:
    experiment = load_arms(path)
    named, given = set(experiment.adapters), {adapter.name for adapter in adapters}
    if absent := sorted(named - given) if not attached else []:
        raise ConfigError(f"{path}: there is no adapter {absent[0]!r}; give it with --adapter {absent[0]}=FOLDER")
    if idle := sorted(given - named):
        raise ConfigError(
            f"{path}: the adapter {idle[0]!r} is none of the arms, and behind arms callers name one model only; "
            "leave out its --adapter, or make it an arm"
        )
    if artifact is not None and experiment.policies(chosen) != (chosen,):
        raise ConfigError(f"{path}: an arm has a policy of its own, and --artifact is made for one; leave it out")
    return experiment


def read_adapters(given: tuple[str, ...]) -> tuple[Adapter, ...]:
    """The adapters of NAME=FOLDER pairs.

    Raises:
        ConfigError: one cannot be served, or two have one name.
    """
    read = tuple(map(Adapter.read, given))
    names = [adapter.name for adapter in read]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise ConfigError(f"two adapters are called {twice!r}; give one of them another name")
    return read


def check_engine_flags(flags: tuple[str, ...]) -> tuple[str, ...]:
    """Return the flags for vLLM unchanged.

    Raises:
        ConfigError: a flag that Lethe must set itself, or something that is no flag.
    """
    if flags and not flags[0].startswith("-"):
        raise ConfigError(f"unexpected argument {flags[0]!r}; flags for vLLM stand after --")
    for flag in flags:
        # argparse takes `--host=x` and `--served_model_name` as well.
        name = flag.split("=", 1)[0].replace("_", "-")
        if name in _OURS or name.startswith("--ssl-"):
            raise ConfigError(f"{name} is set by Lethe itself; give it before the -- where `lethe` has such an option")
    return flags
