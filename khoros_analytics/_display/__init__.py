"""Text and HTML for people: what a value of the library shows in a notebook or a terminal.

It may import the ground floor alone.
"""
