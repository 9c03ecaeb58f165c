"""One export, from its start to its file, and what that file becomes.

It may import every room but ``_client``, and is the only one that knows ``_http``, ``_journal`` and ``_frames``.
"""
