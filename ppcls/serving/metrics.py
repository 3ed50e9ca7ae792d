"""What Prometheus reads at `/metrics`."""

from __future__ import annotations

import functools

from prometheus_client import Counter, Gauge, Histogram

_SECONDS = (
    *(0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5),
    *(1, 2, 5, 10, 30),
)
_PICTURES = (1, 2, 4, 8, 16, 32, 64, 128)

REQUESTS = Counter(
    "ppcls_requests_total",
    "Requests by model, protocol and code (a status of HTTP, or the name of gRPC's)",
    ["model", "protocol", "code"],
)
REJECTED = Counter(
    "ppcls_rejected_total",
    "Requests that were refused because of a limit or a deadline, by model and reason",
    ["model", "reason"],
)
QUEUE_LENGTH = Gauge(
    "ppcls_queue_length",
    "Pictures that are accepted and not yet in a batch",
    ["model"],
)
BATCH_SIZE = Histogram(
    "ppcls_batch_size", "Pictures per batch", ["model"], buckets=_PICTURES
)
QUEUE_SECONDS = Histogram(
    "ppcls_queue_seconds",
    "Time of an accepted picture before its batch begins, without that of decoding it",
    ["model"],
    buckets=_SECONDS,
)
DECODE_SECONDS = Histogram(
    "ppcls_decode_seconds",
    "Time to decode and transform a picture",
    ["model"],
    buckets=_SECONDS,
)
INFERENCE_SECONDS = Histogram(
    "ppcls_inference_seconds",
    "Time of a batch in the engine",
    ["model"],
    buckets=_SECONDS,
)
ENGINES_REPLACED = Counter(
    "ppcls_engines_replaced_total",
    "Processes of Paddle that have died and were replaced",
    ["model"],
)


class ModelMetrics:
    """The metrics of one model.

    Args:
        name: The model's name.
    """

    def __init__(self, name: str) -> None:
        self.queue_length = QUEUE_LENGTH.labels(name)
        self.batch_size = BATCH_SIZE.labels(name).observe
        self.queue_seconds = QUEUE_SECONDS.labels(name).observe
        self.decode_seconds = DECODE_SECONDS.labels(name).observe
        self.inference_seconds = INFERENCE_SECONDS.labels(name).observe
        self._engines_replaced = ENGINES_REPLACED.labels(name)

    def engine_replaced(self) -> None:
        """Count a process that has died and was replaced."""
        self._engines_replaced.inc()


@functools.cache
def of_model(name: str) -> ModelMetrics:
    """The metrics of a model; they outlive a reload."""
    return ModelMetrics(name)
