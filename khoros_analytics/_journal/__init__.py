"""What was started, on disk: the journal, and a job as one line of text.

It may import ``_protocol``, ``_storage``, ``_display`` and the ground floor.
"""
