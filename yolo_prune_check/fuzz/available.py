"""Which executions this version predicts and carries out, found by asking for the plan that does nothing."""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn

from yolo_prune_check.channels.graph import ChannelGraph
from yolo_prune_check.channels.plan import EXECUTIONS, Execution, Plan
from yolo_prune_check.channels.predict import predict
from yolo_prune_check.errors import UnavailableError
from yolo_prune_check.prune.apply import prune


def predicted(graph: ChannelGraph) -> tuple[Execution, ...]:
    """Executions that can be predicted."""
    return tuple(execution for execution in EXECUTIONS if _is_predicted(graph, execution))


def carried_out(model: nn.Module, graph: ChannelGraph) -> tuple[Execution, ...]:
    """Executions that can be predicted and carried out."""
    return tuple(execution for execution in predicted(graph) if _is_carried_out(model, graph, execution))


def check_available(model: nn.Module, graph: ChannelGraph, executions: Sequence[Execution], *, execute: bool) -> None:
    """Refuse executions that cannot be tried.

    Raises:
        UnavailableError: One cannot be predicted, or ``execute`` and it cannot be carried out.
    """
    known = predicted(graph)
    for execution in executions:
        if execution not in known:
            raise UnavailableError(
                f"execution `{execution}` is declared but not predicted in this version",
                hint=f"Use {_listing(known)}.",
            )
    done = carried_out(model, graph) if execute else known
    for execution in executions:
        if execution not in done:
            raise UnavailableError(
                f"execution `{execution}` is predicted but not carried out in this version",
                hint=f"Use {_listing(done)}, or predict only.",
            )


def _is_predicted(graph: ChannelGraph, execution: Execution) -> bool:
    try:
        return predict(graph, Plan((), execution)).verdict in ("safe", "unsafe")  # asked for: predictions may be lazy
    except UnavailableError:
        return False


def _is_carried_out(model: nn.Module, graph: ChannelGraph, execution: Execution) -> bool:
    try:
        prune(model, Plan((), execution), graph=graph)
    except UnavailableError:
        return False
    return True


def _listing(executions: Sequence[Execution]) -> str:
    return " or ".join(f"`{execution}`" for execution in executions)
