"""The statistical reasoner behind the same door as a model's."""

import asyncio

from agent.reasoners.investigation import Investigation
from agent.reasoners.statistical import STEPS
from domain.diagnosis import ReasonerName, StepName


class StatisticalReasoner:
    """Needs no model, no key and no network; the arithmetic runs in a thread beside the event loop."""

    name: ReasonerName = "statistical"

    async def take_step(self, step: StepName, investigation: Investigation) -> Investigation:
        """One of the six steps."""
        return await asyncio.to_thread(STEPS[step], investigation)
