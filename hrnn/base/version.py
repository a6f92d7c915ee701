"""The version, written into every file and record."""

__version__ = "0.2.0"
