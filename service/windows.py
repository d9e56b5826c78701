"""The recent past in memory: one live window per step width, loaded once, then fed from the journal."""

import threading
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import numpy as np

from db.samples import CursorExpired, SampleStore
from db.series import SeriesStore
from domain.live_window import LiveWindow
from domain.series import SampleBatch, Series, Window, floor_to_step
from domain.timestamps import from_microseconds, to_microseconds
from service.punctuality import Punctuality

LEARN_BLOCK = 500
# 28 days of five minutes.
MAX_LEARN_CELLS = 8_064


class Windows:
    """All live windows of the service; every method may be called from any thread.

    Args:
        samples: where samples are stored.
        series: where series are registered.
        lookback: length of the windows.
        history: how far back baselines learn from.
    """

    def __init__(
        self, samples: SampleStore, series: SeriesStore, lookback: timedelta, history: timedelta
    ) -> None:
        self._samples = samples
        self._series = series
        self._lookback = lookback
        self._history = history
        self._guard = threading.RLock()
        self._windows: dict[int, LiveWindow] = {}
        self._unscored: dict[int, datetime] = {}
        self._old: list[SampleBatch] = []
        self._relearn = False
        self._again = False
        self._cursor = 0
        self._judged = 0
        self.unjudged_from: datetime | None = None
        self.punctuality = Punctuality()

    @property
    def n_series(self) -> int:
        """How many series are held."""
        with self._guard:
            return sum(len(window) for window in self._windows.values())

    def load(self, now: datetime) -> None:
        """Read everything anew from storage; baselines are to be learned again too."""
        with self._guard:
            # The cursor first: what arrives meanwhile is then read twice, which changes nothing.
            self._cursor = self._samples.head()
            self._windows, self._unscored, self._old = {}, {}, []
            for step_s in sorted({one.step_s for one in self._series.all()}):
                self._load_step(step_s, now)
            self._relearn = self._again = True
            self._judged = self._samples.judged()
            self.unjudged_from = self._first_unjudged()

    def _first_unjudged(self) -> datetime | None:
        """The oldest time of what arrived after the last judgement; None where nothing did."""
        cursor, first = self._judged, None
        try:
            while cursor < self._cursor:
                batch, cursor = self._samples.since(cursor)
                if len(batch):
                    oldest = int(batch.timestamps.min())
                    first = oldest if first is None else min(first, oldest)
        except CursorExpired:
            return None
        return None if first is None else from_microseconds(first)

    def _load_step(self, step_s: int, now: datetime) -> None:
        window = self._window_of(step_s, now)
        series = [replace(one, kind="gauge") for one in self._series.all() if one.step_s == step_s]
        end = floor_to_step(now, step_s) + timedelta(seconds=step_s)
        start = end - timedelta(seconds=step_s * (window.n_steps + 1))
        raw = self._samples.window(step_s, start, end, series)
        originals = tuple(self._series.get(one.id) for one in series)
        window.load(Window(originals, step_s, raw.start, raw.values))
        self._unscored[step_s] = window.start

    def unread(self) -> bool:
        """Whether the journal holds what was not taken in yet."""
        return self._samples.head() != self._cursor

    def advance(self, now: datetime) -> None:
        """Take in what the journal has got since the last time."""
        with self._guard:
            try:
                for batch in self._news():
                    self._place(batch, now)
            except CursorExpired:
                self.load(now)
            for window in self._windows.values():
                self._note(window, now, _empty())

    def _news(self) -> Iterator[SampleBatch]:
        while True:
            batch, cursor = self._samples.since(self._cursor)
            if cursor == self._cursor:
                return
            self._cursor = cursor
            yield batch

    def _place(self, batch: SampleBatch, now: datetime) -> None:
        for step_s in {one.step_s for one in batch.series}:
            window = self._window_of(step_s, now)
            self._note(window, now, batch)
        self._keep_old(batch)

    def _note(self, window: LiveWindow, now: datetime, batch: SampleBatch) -> None:
        change = window.advance(batch, now)
        if change.first_column < window.n_steps:
            changed = window.start + timedelta(seconds=change.first_column * window.step_s)
            known = self._unscored.get(window.step_s)
            self._unscored[window.step_s] = changed if known is None else min(known, changed)

    def _keep_old(self, batch: SampleBatch) -> None:
        """What is older than the window teaches the baselines, back to the history that they learn from."""
        starts = {step: window.start for step, window in self._windows.items()}
        first = np.array([to_microseconds(starts[one.step_s]) for one in batch.series], dtype=np.int64)
        reach = [self._teaching(one.step_s).total_seconds() * 1_000_000 for one in batch.series]
        oldest = first - np.array(reach, dtype=np.int64)
        old = (batch.timestamps < first[batch.index]) & (batch.timestamps >= oldest[batch.index])
        if old.any():
            part = SampleBatch(batch.series, batch.index[old], batch.timestamps[old], batch.values[old])
            self._old.append(part)

    def _window_of(self, step_s: int, now: datetime) -> LiveWindow:
        if step_s not in self._windows:
            n_steps = max(2, round(self._lookback.total_seconds() / step_s))
            self._windows[step_s] = LiveWindow(step_s, n_steps, now)
        return self._windows[step_s]

    def relearn(self) -> None:
        """Have baselines learned and everything scored again, for example after rules changed."""
        with self._guard:
            self._relearn = self._again = True
            self._old = []
            self._unscored = {step: window.start for step, window in self._windows.items()}

    def history_to_learn(self, now: datetime) -> Iterator[Window]:
        """Data older than the windows that no engine has learned from yet, in blocks; each is given once."""
        with self._guard:
            windows, old, relearn = dict(self._windows), self._old, self._relearn
            self._old, self._relearn = [], False
        if relearn:
            for step_s, window in windows.items():
                yield from self._stored_history(step_s, now, window.start)
            return
        for batch in old:
            yield from self._grids_of(batch, windows)

    def _stored_history(self, step_s: int, now: datetime, end: datetime) -> Iterator[Window]:
        start = floor_to_step(now - self._lookback - self._teaching(step_s), step_s)
        if start >= end:
            return
        for block in self._samples.history(step_s, start, end, LEARN_BLOCK):
            trimmed = _without_leading_gap(block)
            if trimmed.n_steps:
                yield trimmed

    def _grids_of(self, batch: SampleBatch, windows: dict[int, LiveWindow]) -> Iterator[Window]:
        steps = np.array([one.step_s for one in batch.series], dtype=np.int64)[batch.index]
        for step_s, window in windows.items():
            mine = steps == step_s
            if mine.any():
                part = SampleBatch(
                    batch.series, batch.index[mine], batch.timestamps[mine], batch.values[mine]
                )
                age = to_microseconds(window.start) - int(part.timestamps.min())
                just_before = window.start - timedelta(microseconds=1)
                grid = LiveWindow(step_s, age // (step_s * 1_000_000) + 1, just_before)
                grid.advance(part, just_before)
                yield _without_leading_gap(grid.view())

    def _teaching(self, step_s: int) -> timedelta:
        """How far back baselines learn on a grid: short steps would need too many cells."""
        return min(self._history, timedelta(seconds=step_s * MAX_LEARN_CELLS))

    def to_score(self) -> list[tuple[Window, int]]:
        """Each window that changed, from its first sample on, with the first column to look at again."""
        with self._guard:
            found = [
                (view, max(view.column_of(self._unscored[step_s]), 0))
                for step_s, window in sorted(self._windows.items())
                if step_s in self._unscored
                for view in (_without_leading_gap(window.view()),)
                if view.n_steps
            ]
            for view, _ in found:
                self.punctuality.look(view)
            return found

    def mark_scored(self) -> None:
        """What `to_score` gave last was scored and its result is stored."""
        with self._guard:
            self._unscored.clear()
            self._again = False
            self.unjudged_from = None
            if self._judged != self._cursor:
                self._samples.mark_judged(self._cursor)
                self._judged = self._cursor

    @property
    def judging_again(self) -> bool:
        """Whether what is to be scored was judged before, by another process or under other rules."""
        return self._again

    def view(self, step_s: int) -> Window | None:
        """A copy of one window as it is now."""
        with self._guard:
            window = self._windows.get(step_s)
            return None if window is None else window.view()

    def steps(self) -> Sequence[int]:
        """The step widths that are held."""
        with self._guard:
            return sorted(self._windows)

    def named(self, name: str) -> Series | None:
        """A held series by its canonical name."""
        return next((one for one in self._series.all() if one.name == name), None)


def _without_leading_gap(window: Window) -> Window:
    present = np.isfinite(window.values).any(axis=0)
    first = int(present.argmax()) if present.any() else window.n_steps
    return Window(window.series, window.step_s, window.time_at(first), window.values[:, first:])


def _empty() -> SampleBatch:
    return SampleBatch.of(())
