"""Which pictures a step reads, and where its random numbers come from.

Everything here is decided by an address alone: the order by (seed, epoch), a sample's generator by (seed, epoch,
index), a batch's by (seed, epoch, step, rank). So nothing depends on the number of workers, and a resumed run has no
state to restore.
"""

from dataclasses import dataclass

import numpy as np

from ppcls.utils.checked_fields import CheckedFields
from ppcls.utils.fields import PositiveInt
from ppcls.utils.registry import Registry

SAMPLERS = Registry("sampler")

# The first word of every address. Without it some would coincide, since numpy pads addresses with zeros.
_ORDER, _SAMPLE, _BATCH = 1, 2, 3


@SAMPLERS.register("DistributedBatchSampler", "BatchSampler")
@dataclass(frozen=True)
class DistributedBatchSampler(CheckedFields):
    """How an epoch is cut into batches, in one process or many.

    Args:
        batch_size: pictures a step and process.
        drop_last: leave out the last pictures of an epoch if they do not fill a batch of every process.
        shuffle: a new order every epoch.
    """

    batch_size: PositiveInt = 1
    drop_last: bool = False
    shuffle: bool = False


def epoch_order(length: int, seed: int, epoch: int, shuffle: bool) -> np.ndarray:
    """Indices of the pictures in the order of an epoch, int64 [length]."""
    if not shuffle:
        return np.arange(length, dtype=np.int64)
    rng = np.random.default_rng((_ORDER, seed, epoch))
    return rng.permutation(length).astype(np.int64)


def steps_in_epoch(length: int, global_batch: int, drop_last: bool) -> int:
    """Steps that `length` pictures make."""
    if drop_last:
        return length // global_batch
    return -(-length // global_batch)


def positions(
    length: int, step: int, batch_size: int, rank: int = 0, world_size: int = 1
) -> slice:
    """Positions in the epoch's order that `rank` reads in `step`.

    The processes' slices lie side by side in the global batch, so together they read the same pictures however many
    they are. An incomplete last batch is shared out evenly; its slices differ by one picture at most.
    """
    start = step * batch_size * world_size
    count = min(batch_size * world_size, length - start)
    first = start + count * rank // world_size
    end = start + count * (rank + 1) // world_size
    return slice(first, end)


def sample_generator(seed: int, epoch: int, index: int) -> np.random.Generator:
    """Random numbers of one picture in one epoch."""
    return np.random.default_rng((_SAMPLE, seed, epoch, index))


def batch_generator(seed: int, epoch: int, step: int, rank: int) -> np.random.Generator:
    """Random numbers of one process's batch."""
    return np.random.default_rng((_BATCH, seed, epoch, step, rank))
