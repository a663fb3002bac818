"""The audit: whether a branch's commits, trailers, trees and verdicts agree. It runs nothing of the repository's.

Its public face is :mod:`gitexp.fsck.fsck`; each other module holds one family of checks.
"""
