"""A simulator as a model of Keras: its calls, their arguments and datasets."""
