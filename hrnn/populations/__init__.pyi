from . import claims as claims
from . import controls as controls
from . import curves as curves
from . import measures as measures
from .ensemble import Population as Population
from .ensemble import population as population
from .member import Member as Member
