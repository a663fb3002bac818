"""The audit: whether commits, trailers, trees and verdicts of a history agree. It runs no code of the repository.

Its public face is :mod:`gitexp.fsck.fsck`; each other module holds one family of checks.
"""
