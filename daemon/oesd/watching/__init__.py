"""What people watch: named traces, alarms, endpoint rules, run against run; pure, model and numpy only.

See README.md of this folder for the formulas and their sources.
"""
