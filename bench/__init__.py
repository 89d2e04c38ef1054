"""How fast payagent is, as ratios: every figure is measured beside a floor in the same run.

A floor is the least program that moves the same bytes. Run one as `python -m bench.wait`; see `bench/README.md`.
"""
