"""Rows and files: what the sandbox exports, made up from a seed. It imports the table of reports alone."""
