"""`ppcls eval`: accuracy and loss of saved weights."""

from __future__ import annotations

import contextlib
import functools
import signal
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import paddle

from ppcls.analysis.evaluation_report import require_report_place, write_report
from ppcls.analysis.figures import require_matplotlib
from ppcls.config import Config
from ppcls.data.postprocess import best_of
from ppcls.data.transforms.views import TestTime
from ppcls.engine import build, classes, processes
from ppcls.engine.callbacks.console import report_failures
from ppcls.engine.device import start
from ppcls.engine.evaluator import OverViews, ScoreCollector
from ppcls.engine.report import evaluation_of, log_report, read_pixels
from ppcls.engine.result_files import open_results
from ppcls.engine.results import EvaluationResult
from ppcls.engine.signals import StoppedBySignal, StopRequest
from ppcls.inference.prediction import Result
from ppcls.utils.errors import UserError
from ppcls.utils.logging import get_logger


def evaluate(
    config: Config,
    output: str | None = None,
    report: str | None = None,
    views: TestTime | None = None,
) -> EvaluationResult:
    """Log accuracy and loss of the configured weights on DataLoader.Eval.

    Args:
        config: The configuration.
        output: A file for one row per picture, .csv or .json.
        report: A folder for the report: a page, tables and figures; see `ppcls.analysis.evaluation_report`.
        views: Views of each picture whose probabilities are averaged; None takes the picture alone.

    Raises:
        StoppedBySignal: a signal came before the last picture.
        UserError: something is not usable; for a report, matplotlib is not installed, or its folder is another's.
    """
    _check_outputs(output, report)
    start(config, parallel=True)
    build.require_weights(config)
    build.warn_about_workers({"DataLoader.Eval": config.DataLoader.Eval})
    learned = classes.learned_classes(config) or classes.named_classes(config)
    pictures = build.images(config.DataLoader.Eval, config.Arch.class_num, learned)
    classes.check_numbering(config.DataLoader.Eval, pictures, learned, training=False)
    model, config = build.model(config)
    reader = build.loader(config.DataLoader.Eval, pictures, config, views=views)
    if views is not None:
        model = OverViews(model, views.count)
    evaluator = build.evaluator(config, reader)
    collector = ScoreCollector()
    stop = StopRequest()
    evaluator.should_stop = functools.partial(_asked_to_stop, stop)
    try:
        with contextlib.ExitStack() as stack:
            names = None
            takers: list[Callable[[Any, Any], None]] = []
            if output is not None or report is not None:
                names = classes.class_names(config, pictures)
            if output is not None:
                topk = build.postprocess(config).topk
                rows = stack.enter_context(open_results(output, topk))
                takers.append(functools.partial(_write_rows, rows, names))
            if report is not None:
                takers.append(collector.take)
            evaluator.on_batch = functools.partial(_give_to_all, takers)
            stack.enter_context(processes.peer_failures_reported())
            stack.enter_context(stop)
            metrics = evaluator.run(model)
            if metrics is None:
                raise StoppedBySignal(stop.signum or signal.SIGTERM)
            failures = processes.merged(reader.failures)
    except StoppedBySignal as interruption:
        get_logger().warning(
            "%s before the last picture, so there is no result", interruption
        )
        raise
    report_failures(failures)
    page = None
    if report is not None:
        facts = {"Weights": str(_weights_of(config))}
        scored = collector.scored(names)
        found = evaluation_of(scored, config.Arch.name, failures, facts)
        page = write_report(found, Path(report), read_pixels)
        log_report(page)
    count = len(reader.images) - len(failures)
    return EvaluationResult(metrics, count, failures, page)


def _check_outputs(output: str | None, report: str | None) -> None:
    """Check what can be known of the outputs before the evaluation."""
    for flag, place in (("--output", output), ("--report", report)):
        if place is not None and processes.world_size() > 1:
            raise UserError(
                f"{flag} is written by one process; start the evaluation without the launcher"
            )
    if report is not None:
        require_matplotlib()
        require_report_place(Path(report))


def _weights_of(config: Config) -> object:
    """What the configuration names as weights, for a reader."""
    given = config.Global.pretrained_model or getattr(config.Arch, "pretrained", None)
    return "the published ones" if given is True else given


def _give_to_all(
    takers: Sequence[Callable[[Any, Any], None]], batch: Any, logits: Any
) -> None:
    for take in takers:
        take(batch, logits)


def _asked_to_stop(stop: StopRequest) -> bool:
    """Whether a signal has arrived; if it arrived because another process died, that is reported instead."""
    if stop:
        processes.check_all_live()
    return bool(stop)


def _write_rows(rows: Any, names: list[str] | None, batch: Any, logits: Any) -> None:
    """Write one row per picture of an evaluated batch."""
    scores = paddle.nn.functional.softmax(logits, axis=-1).numpy()
    for path, row in zip(batch.paths, scores):
        best = best_of(row, rows.topk)
        best_names = [names[i] for i in best] if names else []
        best_scores = row[best].tolist()
        rows.write(Result(path, best, best_scores, best_names))
