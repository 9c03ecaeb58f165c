"""Files on disk and URLs of fsspec: written under a temporary name, whole or absent. It knows no HTTP.

It may import the ground floor alone.
"""
