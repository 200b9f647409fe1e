"""Measures speed as ratios inside one run, against the bare library or raw SQLite.

``make bench`` prints the table; ``BENCH='--only pages --findings 20000'`` chooses figures and size.
"""
