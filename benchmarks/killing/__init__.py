"""The commands that ``faults.py`` kills, and how."""
