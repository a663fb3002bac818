"""Results taken to other people: picked KEEPs, a review branch, a pull request, code measured again.

Its public faces are :mod:`gitexp.review.pick`, :mod:`gitexp.review.review_branch`, :mod:`gitexp.review.pull_request`
and :mod:`gitexp.review.verify`.
"""
