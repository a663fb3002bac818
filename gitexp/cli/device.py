"""The option of the commands that run something."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from gitexp.run.device import Busy

Command = Callable[..., Any]


def share_device_option(otherwise: Busy = Busy.REFUSE) -> Callable[[Command], Command]:
    """Add ``--share-device``; the command is given what to do while another run uses the device, as ``busy``."""

    def to_busy(ctx: click.Context, param: click.Parameter, value: bool) -> Busy:
        return Busy.SHARE if value else otherwise

    verb = "wait for" if otherwise is Busy.WAIT else "refuse beside"
    return click.option(
        "--share-device",
        "busy",
        is_flag=True,
        callback=to_busy,
        help=f"Run although another gitexp runs something on this device (default: {verb} it).",
    )
