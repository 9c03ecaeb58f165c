"""Calls over the network: connections, credentials, retries, the quota, and bodies that arrive whole.

It may import ``_protocol``, ``_storage`` and the ground floor.
"""
