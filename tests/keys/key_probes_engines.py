"""Probes of which engine runs a bundle, and how, through `ppcls predict`."""

from dataclasses import replace

from key_probe import Saying, probe
from key_probes_deploy import spied_predictors

from helpers.forked_engines import fork_engines
from ppcls.inference.backends import open_backend
from ppcls.inference.backends.engine_process import EngineProcess


def opened(lab, key, value):
    """The settings of the one backend that is opened; Paddle in float32 stands in for it, being always there."""
    seen = []

    def spy(bundle, settings):
        seen.append(settings)
        return open_backend(bundle, replace(settings, backend="paddle", precision="float32"))

    lab.patch.setattr("ppcls.inference.classifier.open_backend", spy)
    lab.well("predict", {key: value})
    (settings,) = seen
    return settings


@probe("deploy Global.backend", (None, "paddle"), ("openvino", "openvino"))
def _backend(lab, value):
    return opened(lab, "Global.backend", value).backend


@probe("deploy Global.precision", ("float32", "float32"), ("bfloat16", "bfloat16"))
def _precision(lab, value):
    return opened(lab, "Global.precision", value).precision


@probe("deploy Global.requests", (None, 1), (2, 2))
def _requests(lab, value):
    """How many predictors there are: that of the process, or those in processes of their own."""
    fork_engines(lab.patch)
    seen, start_all = spied_predictors(lab), EngineProcess.start_all

    def counted(*arguments):
        started = start_all(*arguments)
        seen.extend(started)
        return started

    lab.patch.setattr(EngineProcess, "start_all", counted)
    lab.well("predict", {"Global.requests": value})
    return len(seen)


@probe("deploy Global.use_fp16", (False, ""), (True, Saying("paddle on a CPU does not compute in float16")))
def _use_fp16(lab, value):
    return lab.run("predict", {"Global.use_fp16": value}).err
