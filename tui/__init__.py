"""The terminal interface (Textual) and the command line (click).

Thin faces over the core: what is on screen is a query, what is exported is the same query.
"""
