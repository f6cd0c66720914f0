"""Prometheus metrics of one server, on a port of their own: topics are named in them, and no caller may read that."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, start_http_server

from guard.errors import ConfigError
from serve.record import Record, moments

_HOST = "127.0.0.1"
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300)


class Metrics:
    """What is counted; every server has its own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        registry = self.registry
        self._requests = Counter(
            "lethe_requests", "Requests, by what was done and answered.", ["action", "status", "arm"], registry=registry
        )
        self._topics = Counter("lethe_topics", "Requests that a topic was found in.", ["topic"], registry=registry)
        self._stages = Histogram(
            "lethe_stage_seconds", "Seconds in one stage.", ["stage"], buckets=_SECONDS, registry=registry
        )
        self._whole = Histogram(
            "lethe_request_seconds", "Seconds to the end of an answer.", buckets=_SECONDS, registry=registry
        )
        self._failures = Counter(
            "lethe_detector_errors", "Requests that could not be checked.", ["error"], registry=registry
        )
        self.unrecorded = Counter(
            "lethe_unrecorded", "Answers that were not served since they could not be recorded.", registry=registry
        )
        self.unauthorised = Counter("lethe_unauthorised", "Requests without a valid key.", registry=registry)
        self.in_flight = Gauge("lethe_in_flight", "Requests that are being answered.", registry=registry)

    def know(self, topics: Iterable[str]) -> None:
        """Count these topics from zero, so that a topic which was never found is seen."""
        for topic in topics:
            self._topics.labels(topic)

    def count(self, record: Record, status: int, seconds: float) -> None:
        """Count one request that was answered."""
        action = record.grounds.action if record.grounds else "none"
        self._requests.labels(action, str(status), record.arm).inc()
        self._whole.observe(seconds)
        for topic in record.grounds.topics if record.grounds else ():
            self._topics.labels(topic).inc()
        if record.failed is not None:
            self._failures.labels(record.failed).inc()
        for stage, (began, ended) in moments(record).items():
            self._stages.labels(stage).observe(ended - began)

    @contextmanager
    def served(self, port: int | None) -> Iterator[None]:
        """Answer at this loopback port, if there is one.

        Raises:
            ConfigError: the port cannot be had.
        """
        if port is None:
            yield
            return
        try:
            server, thread = start_http_server(port, _HOST, self.registry)
        except OSError as error:
            reason = error.strerror or error
            raise ConfigError(f"cannot serve metrics at port {port} ({reason}); choose another one") from error
        try:
            yield
        finally:
            server.shutdown()
            server.server_close()
            thread.join()
