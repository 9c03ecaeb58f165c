"""The API without any I/O: what each call sends and what each reply means, as values or errors.

It may import the ground floor alone.
"""
