"""The account: ``Client``, its settings, and one generated method per report.

It may import every other room.
"""
