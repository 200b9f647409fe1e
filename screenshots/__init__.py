"""Pictures of every screen and dialog, drawn from the bundled demo estate.

``python -m screenshots`` draws them, ``--check`` says which no longer show what the program does.
The same commit gives the same bytes: clock, actor, secret salt and surroundings are fixed.
"""
