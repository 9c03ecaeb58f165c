"""Files to rows: any export on disk as one dict after the other, exact, in constant memory.

It may import the ground floor alone.
"""
