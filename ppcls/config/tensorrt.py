"""Settings of TensorRT: in a configuration, in Python and in the manifest of a bundle."""

from dataclasses import dataclass
from typing import Annotated

from ppcls.utils.fields import CheckedFields, PositiveInt, ReadPath, UserPath, require
from ppcls.utils.files import expanded


@dataclass(frozen=True)
class TensorRT(CheckedFields):
    """How TensorRT runs the program, inside Paddle, on a GPU.

    Attributes:
        min_batch: fewest pictures that the engine takes; fewer are filled up.
        opt_batch: pictures that it is made fastest for.
        max_batch: most pictures that it takes; more go through it in parts.
        min_subgraph_size: operations in a row that are worth an engine; fewer stay Paddle's.
        workspace_mb: MiB of GPU memory that building may use.
        collect_shapes: take the shapes inside the program from runs of the three batches, for programs whose shapes
            Paddle cannot derive. Those of Paddle 3 are converted so in any case.
        cache_dir: where engines are kept; null for `tensorrt` in PPCLS_HOME.
        calibration: for int8, a list file or folder of pictures that show which values the activations take.

    Raises:
        ValueError: a number is too small, or the batches do not grow.
    """

    min_batch: PositiveInt = 1
    opt_batch: PositiveInt = 8
    max_batch: PositiveInt = 32
    min_subgraph_size: PositiveInt = 3
    workspace_mb: PositiveInt = 1024
    collect_shapes: bool = False
    cache_dir: Annotated[str, UserPath()] | None = None
    calibration: Annotated[str, ReadPath("either")] | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("cache_dir", "calibration"):
            if getattr(self, name) is not None:
                object.__setattr__(self, name, expanded(getattr(self, name)))
        require(
            self.min_batch <= self.opt_batch <= self.max_batch,
            f"min_batch, opt_batch and max_batch are {self.min_batch}, {self.opt_batch} and {self.max_batch}; "
            "write numbers that do not fall",
        )
