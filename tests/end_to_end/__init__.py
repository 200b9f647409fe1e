"""The whole program as people run it: installed command, real HTTP, real files, a real terminal."""
