"""The two hosts: the API and the file host, with their exports, links and records.

It may import ``_data``, ``_wire``, the options and the faults.
"""
