"""The version, written into every file and record."""

__version__ = "0.3.0"
