"""Distillation of a trained network to a few units.

`radd` fits the student to the teacher's trajectories by least squares; `students` makes baselines in five other ways; `Examiner`
measures all of them in the same sessions; `bayesian_filter` and its neighbours set the small network beside the Bayesian observer.
A `Distillation` is all of it for one teacher.
"""

from hrnn.distill.baselines import KINDS, Student, student, students
from hrnn.distill.bayes import bayesian_filter, beliefs, evidence_ratio, messages, resembles
from hrnn.distill.comparison import MEASURES, Examiner, divergence, summarise
from hrnn.distill.distillation import Distillation
from hrnn.distill.radd import Map, Radd, coordinates, radd
from hrnn.distill.sequences import Sequences, respond

__all__ = [
    "KINDS", "MEASURES", "Distillation", "Examiner", "Map", "Radd", "Sequences", "Student", "bayesian_filter", "beliefs", "coordinates",
    "divergence", "evidence_ratio", "messages", "radd", "resembles", "respond", "student", "students", "summarise",
]
