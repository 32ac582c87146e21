"""Ports: which service of which project has which number on which machine, without collisions."""
