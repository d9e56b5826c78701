"""What people say about anomalies, diagnoses and chat answers."""

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

AnomalyVerdict = Literal["true_positive", "false_positive"]
DiagnosisVerdict = Literal["correct", "incorrect", "partially_correct"]


class Feedback(BaseModel):
    model_config = ConfigDict(frozen=True)

    id: int = 0
    kind: Literal["anomaly", "diagnosis", "chat"]
    target_id: str
    verdict: AnomalyVerdict | DiagnosisVerdict
    actual_cause: str | None = Field(default=None, max_length=200)
    comment: str | None = Field(default=None, max_length=5_000)
    author: str
    created_at: datetime
