"""Distillation of a trained network to a few units.

`radd` fits the student to the teacher's trajectories by least squares; `students` makes baselines
in five other ways; `Examiner` measures all of them in the same sessions; `bayesian_filter` and its
neighbours set the small network beside the Bayesian observer. A `Distillation` is all of it for one
teacher.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
