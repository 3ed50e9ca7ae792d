from dataclasses import replace
from types import SimpleNamespace

import pytest

from helpers.fake_time import Clock, FakeBackend
from ppcls.benchmark.backends import BackendMeasurement, measure_backends, verifying_gate, worst_ratio
from ppcls.benchmark.candidates import (
    Candidate,
    candidate_table,
    candidates,
    choose,
    described,
    threads_worth_trying,
)
from ppcls.benchmark.timing import Plan, Timing
from ppcls.data.picture_list import PictureList
from ppcls.inference.bundle import Bundle
from ppcls.inference.golden import GOLDEN_PICTURE, Golden
from ppcls.inference.settings import Settings
from ppcls.utils.errors import Unavailable, UserError

PLAN = Plan(rounds=2, settle=0, span=0)
PADDLE, OPENVINO, BF16 = Settings(), Settings("openvino"), Settings("openvino", "bfloat16")
ORT = Settings("onnxruntime")


def passes(bundle, settings, backend):
    return None


def measured(bundle, costs, gate=passes, allowed=("float32",), batch=8, goal="throughput", opened=None):
    """Fakes that take `costs` seconds a picture, put into `opened`; a text is why one cannot be opened."""
    clock, opened = Clock(), {} if opened is None else opened

    def open_it(_, settings):
        if isinstance(costs[settings], str):
            raise Unavailable(costs[settings])
        return opened.setdefault(settings, FakeBackend(clock, costs[settings]))

    return measure_backends(bundle, list(costs), batch, goal, PLAN, allowed, gate, open_it, clock).candidates


def test_the_fastest_allowed_one_is_chosen(exported):
    found = measured(Bundle.load(exported), {PADDLE: 0.004, OPENVINO: 0.003, BF16: 0.001, ORT: "no inference.onnx"})
    chosen = choose(found)
    assert chosen.settings == OPENVINO
    assert candidate_table(found, 8) == (
        "backend      precision  threads  requests            batch 8 (ms)  images/s  first quartile  verdict\n"
        "openvino     bfloat16       all         1     8.00 (8.00 to 8.00)    1000.0         x 0.333  refused\n"
        "openvino     float32        all         1  24.00 (24.00 to 24.00)     333.3         x 1.000  chosen\n"
        "paddle       float32        all         1  32.00 (32.00 to 32.00)     250.0         x 1.333\n"
        "onnxruntime  float32        all         1                                                    not measured\n"
        "openvino, bfloat16: refused: `--allow bfloat16` would let it be chosen\n"
        "onnxruntime, float32: not measured: no inference.onnx\n"
    )


def test_what_is_allowed_must_pass_the_gate(exported):
    asked = []

    def gate(bundle, settings, backend):
        asked.append((settings.backend, settings.precision))
        return "top-1 agreement 90 %" if settings.precision == "bfloat16" else None

    more = replace(BF16, threads=1)
    costs = {PADDLE: 0.004, BF16: 0.001, more: 0.002}
    found = measured(Bundle.load(exported), costs, gate, allowed=("float32", "bfloat16"))
    assert asked == [("paddle", "float32"), ("openvino", "bfloat16")]  # once for both numbers of threads
    assert [one.refused for one in found] == [None, "top-1 agreement 90 %", "top-1 agreement 90 %"]
    assert choose(found).settings == PADDLE
    allowed = measured(Bundle.load(exported), costs, allowed=("float32", "bfloat16"))
    assert choose(allowed).settings == BF16


def test_nothing_may_be_chosen(exported):
    found = measured(Bundle.load(exported), {PADDLE: 0.004, ORT: "not installed"}, lambda *_: "its scores are off")
    assert choose(found) is None
    assert candidate_table(found, 8).splitlines()[1:] == [
        "paddle       float32        all         1  32.00 (32.00 to 32.00)     250.0                  refused",
        "onnxruntime  float32        all         1                                                    not measured",
        "paddle, float32: refused: its scores are off",
        "onnxruntime, float32: not measured: not installed",
    ]


@pytest.mark.parametrize(("goal", "batch", "batches_a_call"), [("throughput", 8, [1, 4]), ("latency", 1, [1, 1])])
def test_goals(exported, goal, batch, batches_a_call):
    two, backends = replace(OPENVINO, requests=2), {}
    found = measured(Bundle.load(exported), {OPENVINO: 0.01, two: 0.01}, batch=batch, goal=goal, opened=backends)
    # The fakes run one after another, so a batch takes as long either way.
    assert [one.timing.median for one in found] == pytest.approx([0.01 * batch] * 2)
    calls = [2 * len(one.timing.seconds) for one in found]  # before each that is timed, one warms up
    batches = [len(backends[settings].shapes) for settings in (OPENVINO, two)]
    assert batches == [number * each for number, each in zip(calls, batches_a_call)]


def test_other_programs_only_add_time():
    often_disturbed = Candidate(OPENVINO, Timing((0.010, 0.010, 0.030, 0.030, 0.030)))
    steady = Candidate(PADDLE, Timing((0.011, 0.011, 0.011, 0.011, 0.011)))
    assert choose([steady, often_disturbed]) is often_disturbed


def test_measuring_ends_when_two_halves_agree(exported):
    bundle = Bundle.load(exported)

    def calls(*milliseconds):
        """OpenVINO's times, one per pass, over and over; Paddle always takes 10 ms."""
        clock = Clock()
        backends = {PADDLE: FakeBackend(clock, 0.01), OPENVINO: FakeBackend(clock, 0.0)}
        slow = iter(milliseconds)

        def run(batch):
            if len(backends[OPENVINO].shapes) % 2:  # a pass is one call that warms up, and one that counts
                clock.spend(next(slow) / 1000)
            backends[OPENVINO].shapes.append(batch.shape)

        opened = {PADDLE: backends[PADDLE], OPENVINO: SimpleNamespace(run=run)}
        plan = Plan(rounds=1, settle=0, span=0)
        tried = list(opened)
        return measure_backends(
            bundle, tried, 1, "latency", plan, ("float32",), passes, lambda _, settings: opened[settings], clock
        )

    quick = calls(9, 9)
    assert [len(one.timing.seconds) for one in quick.candidates] == [2, 2]
    assert (quick.worst_ratio, quick.settled) == (1.0, True)
    near = calls(10.1, 9.95)  # the first half prefers Paddle, by less than matters
    assert (near.worst_ratio, len(near.candidates[1].timing.seconds)) == (pytest.approx(1.01), 2)
    third = calls(12, 9, 9, 9, 9, 9)  # quartiles of the halves: 9.75 and 9 after four passes
    assert (third.worst_ratio, len(third.candidates[1].timing.seconds)) == (1.0, 4)
    never = calls(*[12, 9] * 3)
    assert len(never.candidates[1].timing.seconds) == 6
    assert (never.worst_ratio, never.settled) == (pytest.approx(1.2), False)
    assert choose(never.candidates).settings == OPENVINO


def test_nothing_that_may_be_chosen_is_settled():
    assert worst_ratio({}, {}, []) == 1.0
    assert BackendMeasurement([], 1.021).settled is False


def test_candidates_are_what_backends_offer():
    found = candidates("cpu", ["float32", "int8"], [None, 2], [1])
    assert found[:2] == [PADDLE, replace(PADDLE, threads=2)]
    assert [(one.backend, one.precision) for one in found[::2]] == [
        ("paddle", "float32"), ("paddle-openvino", "float32"), ("onnxruntime", "float32"), ("openvino", "float32"),
        ("onnxruntime", "int8"),
        ("openvino", "int8"),
    ]  # fmt: skip
    with pytest.raises(UserError, match=r"^no backend computes in float16 on a cpu; leave it out of --precision$"):
        candidates("cpu", ["float32", "float16"], [None], [1])


def test_threads():
    assert [threads_worth_trying(cores) for cores in (1, 2, 4, 64)] == [(None,), (None,), (None, 2), (None, 32)]


def test_settings_in_words():
    assert described(PADDLE) == "paddle, float32, cpu, all cores, 1 request"
    assert described(replace(BF16, threads=2, requests=3)) == "openvino, bfloat16, cpu, 2 threads, 3 requests"


def test_the_gate_is_that_of_verify(exported):
    bundle = Bundle.load(exported)
    golden = Golden.load(bundle.path_of(bundle.golden))
    wrong = FakeBackend(Clock(), 0, golden.scores[:, ::-1])
    gate = verifying_gate(None)
    assert gate(bundle, PADDLE, FakeBackend(Clock(), 0, golden.scores)) is None
    assert gate(bundle, PADDLE, wrong).startswith("the golden input's scores are off by ")


def test_lower_precisions_are_verified_with_pictures(exported, tmp_path):
    bundle = Bundle.load(exported)
    (tmp_path / "picture.png").write_bytes(GOLDEN_PICTURE.read_bytes())
    gate = verifying_gate(PictureList(tmp_path, ["picture.png"]))
    golden = Golden.load(bundle.path_of(bundle.golden))
    assert gate(bundle, BF16, FakeBackend(Clock(), 0, golden.scores)) is None
    wrong = FakeBackend(Clock(), 0, -golden.scores)
    assert gate(bundle, BF16, wrong) == "1 of 1 first classes differ (at most 3%)"


def test_a_damaged_bundle_is_no_candidate_left_out(exported):
    def open_it(bundle, settings):
        raise UserError("inference.pdiparams is not the file that was exported")

    with pytest.raises(UserError, match="is not the file"):
        measure_backends(Bundle.load(exported), [PADDLE], 1, "latency", PLAN, ("float32",), passes, open_it, Clock())
