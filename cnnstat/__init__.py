"""cnnstat: every layer, parameter, byte and operation of a convolutional network, and where they come from."""

__version__ = "0.1.0"
