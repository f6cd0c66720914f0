"""The one error tree of Lethe.

LetheError
├── ConfigError        what the operator wrote (policy, examples, flags) cannot be used
├── ArtifactError      a classifier artifact is missing, damaged, or does not fit the policy
├── EngineError        the model server cannot start, died, or lacks what the policy needs
├── DetectorError      detection failed or timed out: never "clean"
├── AuditError         the audit log cannot be written, or was altered
└── RequestError       the caller's request cannot be served; carries the HTTP status
"""

from __future__ import annotations


class LetheError(Exception):
    """Base of every error Lethe raises on purpose; its text says what to do next."""


class ConfigError(LetheError):
    """A policy, an example file or an option that cannot be used."""


class ArtifactError(LetheError):
    """A classifier artifact that is missing, damaged or made for something else."""


class EngineError(LetheError):
    """The model server cannot start, died, or lacks a feature that the policy needs."""


class DetectorError(LetheError):
    """Detection failed or timed out; what it looked at must not be treated as clean."""


class AuditError(LetheError):
    """The audit log cannot be written, or was altered; what cannot be recorded must not be served."""


class RequestError(LetheError):
    """A caller's request that is refused, with the HTTP status and an OpenAI-style code.

    `message` reaches the caller: it never names a topic, a score or a matched word.
    """

    def __init__(self, status: int, message: str, *, code: str, param: str | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.code = code
        self.param = param
