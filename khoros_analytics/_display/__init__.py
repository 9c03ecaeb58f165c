"""Text and HTML for people: what a value shows in a notebook, and how a wait goes on there or on a terminal.

It may import the ground floor alone.
"""
