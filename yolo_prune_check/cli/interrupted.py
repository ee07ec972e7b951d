"""What is said of random plans when Ctrl-C ends them: what was tried until then is known all the same."""

from __future__ import annotations

from dataclasses import dataclass

from yolo_prune_check.report.figures import count, many


@dataclass
class TriedSoFar:
    """Random plans tried so far, of ``asked``; ``refuted`` is those that did not go as predicted."""

    plans: int = 0
    asked: int = 0
    carried_out: int = 0
    refuted: int = 0

    def add(self, agrees: bool | None, *, of: int) -> None:
        """One more was tried."""
        self.plans += 1
        self.asked = of
        self.carried_out += agrees is not None
        self.refuted += agrees is False

    def forget(self) -> None:
        """Begin anew, with other plans."""
        self.plans = self.asked = self.carried_out = self.refuted = 0

    def interrupted(self) -> str:
        """How far they came, and whether all went as predicted."""
        words = f"interrupted after {count(self.plans)} of {many(self.asked, 'plan')}"
        if self.refuted:
            again = "run it again with the same seed to have the plan written down"
            return f"{words}, {count(self.refuted)} not as predicted: a defect of this tool; {again}"
        if not self.carried_out:
            return f"{words}, all only predicted"
        return f"{words}, all {count(self.plans)} as predicted"
