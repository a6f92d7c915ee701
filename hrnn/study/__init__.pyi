from . import report as report
from .reproduction import Study as Study
from .reproduction import study as study
from .verification import verify as verify
from .writing import write as write
