"""The command line. Its commands and their options come from the table of reports.

What is heavy is imported where a command runs, so that help and completion stay quick.
"""
