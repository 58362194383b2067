"""Spoken commands: phrases found in speech by PocketSphinx, in a process of its own (`process.py`)."""
