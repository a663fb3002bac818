"""The tests of gitexp: README, Development, has how to run them."""
