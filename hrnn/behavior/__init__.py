"""Behaviour of any agent or mouse from its trial table.

Fractions, curves, differences, the history of choices, and regret.

Every function takes a trial table or what has one as `.trials`. Fractions correct divide by all
trials, a timeout being wrong; P(right) by those with a choice. A table with a `subject` column is a
mouse's: its no-go trials (choice 0) leave numerators and denominators and are counted as `no_go`.
Measures whose columns are absent are left out. Intervals are 95 %, from resampled sessions
(subjects, or runs of task blocks in one long session: `statistics`); `n` is always the number of
trials in the denominator. Psychometric fits live in `psychometric_function`, the history regression
in `history`.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
