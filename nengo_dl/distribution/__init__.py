"""Several devices, several machines: how minibatches are divided between them."""
