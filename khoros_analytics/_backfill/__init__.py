"""Many windows, one dataset: what is landed, what runs, and what to do next.

It may import ``_jobs``, ``_journal``, ``_frames``, ``_storage``, ``_protocol`` and ``_display``.
"""
