"""What everybody stands on: arguments, files, random streams, parallel work, progress.

It imports nothing of the house.
"""
