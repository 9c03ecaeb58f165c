"""Bytes on a socket: answers, and how they are sent, whole or damaged on purpose. It may import ``_data``."""
