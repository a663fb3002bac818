"""The audit: whether a branch's commits, trailers, trees and verdicts agree. It runs nothing of the repository's.

:func:`gitexp.fsck.fsck.fsck.check` and its kin are its public face; each other module holds one family of checks.
"""
