"""What two processes observe of one another: run by the launcher for test_processes.py, which reads the answers.

argv: the folder that gets `RANK.json`. At the end process 1 dies, and process 0 writes what it says of that.
"""

import json
import os
import sys
from pathlib import Path
from types import SimpleNamespace

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import numpy as np
import paddle

from ppcls.engine import processes
from ppcls.engine.device import select_device
from ppcls.engine.evaluator import Evaluator
from ppcls.engine.meters import Averages, over_all_processes, summary
from ppcls.engine.signals import StopRequest
from ppcls.engine.trainer import step_seed
from ppcls.metric import TopkAcc
from ppcls.utils.errors import UserError

select_device("cpu")
processes.connect()
processes._BUCKET = 4  # so that few parameters make several messages
rank = processes.rank()

layers = [paddle.nn.Linear(3, 2), paddle.nn.Linear(2, 2)]
layers[1].bias.stop_gradient = True
parameters = [parameter for layer in layers for parameter in layer.parameters()]
processes.same_as_first(parameters)
if rank == 0:  # process 1 had nothing to read
    layers[1](layers[0](paddle.to_tensor([[1.0, 2.0, 3.0]]))).sum().backward()
own = [None if p.grad is None else p.grad.numpy().tolist() for p in parameters]
processes.sum_gradients(parameters, 0.5)

paddle.seed(step_seed(11, 0, 0, rank))
mask = paddle.nn.functional.dropout(paddle.ones([64])).numpy().tolist()

accuracy, averages = TopkAcc((1,)).accumulator(), Averages()
if rank == 1:
    accuracy.update(paddle.to_tensor([[0.1, 0.9], [0.8, 0.2]]), paddle.to_tensor([1, 1]))
    averages.update({"loss": 2.0}, 2)

normalise = paddle.nn.BatchNorm1D(2)
normalise._mean.set_value(paddle.full([2], float(rank)))
batch = SimpleNamespace(image=paddle.zeros([1, 2]), label=paddle.zeros([1], "int64"), index=np.zeros(1, int))
loader = SimpleNamespace(epoch=lambda epoch: [batch], steps_per_epoch=1)
Evaluator(loader, lambda logits, label: {"loss": logits.sum()}, [], 10).run(normalise)

answers = {
    "world_size": processes.world_size(),
    "total": processes.total([rank + 1.0, 2.0**40 + rank]),
    "gathered": processes.gather({"rank": rank}),
    "merged": processes.merged({f"{rank}.png": "truncated", "both.png": "empty"}),
    "first_weight": parameters[0].numpy().tolist(),
    "own_gradients": own,
    "gradients": [None if p.grad is None else p.grad.numpy().tolist() for p in parameters],
    "mask": mask,
    "statistics": normalise._mean.numpy().tolist(),
    "summary": summary([accuracy], averages),
    "own_count": over_all_processes([accuracy], averages)[1].count - averages.count,
}
assert np.isfinite(answers["total"]).all()

Path(sys.argv[1], f"{rank}.json").write_text(json.dumps(answers))
try:
    with StopRequest(), processes.peer_failures_reported():
        if rank == 1:
            print("these are my last words", flush=True)
            os._exit(3)
        processes.total([1.0])
except UserError as error:
    answers["said"] = str(error)
Path(sys.argv[1], f"{rank}.json").write_text(json.dumps(answers))
