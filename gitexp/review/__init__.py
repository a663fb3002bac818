"""Results taken to other people: KEEPs picked to a branch, a review branch, a pull request, code measured again.

:mod:`gitexp.review.review_branch.pick`, :mod:`gitexp.review.review_branch.review_branch` and :mod:`gitexp.review.review_branch.verify` are its public face.
"""
