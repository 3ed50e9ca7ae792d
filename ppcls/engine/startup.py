"""What every command of the engine does before anything else."""

from __future__ import annotations

import paddle

from ppcls.config import Config
from ppcls.engine import device, processes
from ppcls.utils import user_code
from ppcls.utils.logging import get_logger, on_console, setup_logging


def start(config: Config, parallel: bool = False, keep_log: bool = False) -> None:
    """Set up the log, the device, the connection to other processes and the seed.

    Args:
        config: The configuration.
        parallel: Whether several processes may share the work.
        keep_log: Whether the first process keeps the log's lines for the file of a run.

    Raises:
        UserError: the launcher has started several processes, or there is no GPU.
    """
    if not parallel:
        processes.refuse_several()
    setup_logging(
        keep_lines=keep_log and processes.is_first(), style=config.Global.console
    )
    chosen = device.select_device(config.Global.device)
    get_logger().info(
        device.describe(chosen), extra=on_console(device.describe_briefly(chosen))
    )
    if chosen == "cpu":
        get_logger().info(device.select_kernels(config.Global.cpu_kernels))
    user_code.log()
    processes.connect()
    paddle.seed(config.Global.seed)
