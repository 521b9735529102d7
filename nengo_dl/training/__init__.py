"""Losses, gradients and updates over minibatches of data."""
