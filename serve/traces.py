"""OpenTelemetry traces: a span a request, with a span for each of its stages; no text, no topic, no caller in them."""

from __future__ import annotations

import os
from time import perf_counter, time_ns
from typing import Self

from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
from opentelemetry.trace import Span, SpanKind, Status, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from starlette.types import Scope

from guard.errors import ConfigError
from serve.record import Record, moments

_ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT"
_PROTOCOL = "OTEL_EXPORTER_OTLP_PROTOCOL"
_CONTEXT = TraceContextTextMapPropagator()


class Traces:
    """Makes spans and hands them to `exporter`, in a thread of its own."""

    def __init__(self, exporter: SpanExporter) -> None:
        named = {SERVICE_NAME: os.environ.get("OTEL_SERVICE_NAME", "lethe")}
        self._provider = TracerProvider(resource=Resource.create(named))
        self._provider.add_span_processor(BatchSpanProcessor(exporter))
        self._tracer = self._provider.get_tracer("lethe")

    @classmethod
    def from_environment(cls) -> Self | None:
        """What the environment asks for, by OpenTelemetry's own variables; None where it names no endpoint.

        Raises:
            ConfigError: it asks for another protocol than http/protobuf.
        """
        if not os.environ.get(_ENDPOINT):
            return None
        protocol = os.environ.get(_PROTOCOL, "http/protobuf")
        if protocol != "http/protobuf":
            raise ConfigError(f"{_PROTOCOL} is {protocol!r}; traces are sent by http/protobuf alone, set it to that")
        return cls(OTLPSpanExporter())

    def begin(self, scope: Scope, record: Record) -> Span:
        """The span of one request, of the caller's own trace where it told one; what the model server is told of it."""
        # Not `tracestate`: it may hold anything.
        told = {name.decode(): value.decode("latin-1") for name, value in scope["headers"] if name == b"traceparent"}
        span = self._tracer.start_span("lethe", context=_CONTEXT.extract(told), kind=SpanKind.SERVER)
        carried: dict[str, str] = {}
        _CONTEXT.inject(carried, trace.set_span_in_context(span))
        record.traceparent = carried["traceparent"]
        return span

    def end(self, span: Span, record: Record, path: str, status: int) -> None:
        """The request was answered."""
        inside, now, clock = trace.set_span_in_context(span), time_ns(), perf_counter()
        for name, (began, ended) in moments(record).items():
            first, last = (now - int((clock - moment) * 1e9) for moment in (began, ended))
            self._tracer.start_span(name, context=inside, start_time=first).end(last)
        span.set_attribute("http.response.status_code", status)
        if record.conversation is not None:
            # Of what is not served, the path may hold anything.
            span.set_attribute("url.path", path)
        span.set_attribute("lethe.action", record.grounds.action if record.grounds else "none")
        if status >= 500:
            span.set_status(Status(StatusCode.ERROR))
        span.end()

    def close(self) -> None:
        """Send what is left."""
        self._provider.shutdown()
